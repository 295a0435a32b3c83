import type { Runtime } from '../core/runtime.ts';
import type { ProxyConfig } from './adapters/proxy/config.ts';
import type { Router } from './router.ts';

/** Configuration of a service's router, as `router:` in holdfast.yaml has it. */
export type RouterConfig = ProxyConfig;

/**
 * Opens a service's router.
 * @param service.protocol what its engine speaks, where the configuration does not say
 * @throws ROUTER_PORT_IN_USE, ROUTER_ADDRESS_UNUSABLE
 */
export async function openRouter(
  service: { name: string; protocol: 'postgres' | 'tcp' },
  config: RouterConfig,
  runtime: Runtime,
): Promise<Router> {
  const { proxy } = await import('./adapters/proxy/index.ts');
  return proxy.open(service.name, { ...config, protocol: config.protocol ?? service.protocol }, runtime);
}

import type { Runtime } from '../core/runtime.ts';
import type { RouterConfig } from './config.ts';
import type { Router } from './router.ts';

/**
 * Opens a service's router.
 * @param service.protocol what its engine speaks, where the configuration does not say
 * @throws ROUTER_PORT_IN_USE, ROUTER_ADDRESS_UNUSABLE, ROUTER_PROGRAM_DENIED
 */
export async function openRouter(
  service: { name: string; protocol: 'postgres' | 'tcp' },
  config: RouterConfig,
  runtime: Runtime,
): Promise<Router> {
  const common = { holdMs: config.hold.for, lagMax: config.lagMax, readFromLeader: config.readFromLeader };
  if (config.haproxy !== undefined) {
    const { haproxy } = await import('./adapters/haproxy/index.ts');
    return haproxy.open(service.name, { ...config.haproxy, ...common }, runtime);
  }
  if (config.pgbouncer !== undefined) {
    const { pgbouncer } = await import('./adapters/pgbouncer/index.ts');
    return pgbouncer.open(service.name, { ...config.pgbouncer, ...common }, runtime);
  }
  const { proxy } = await import('./adapters/proxy/index.ts');
  return proxy.open(service.name, { ...config, protocol: config.protocol ?? service.protocol }, runtime);
}

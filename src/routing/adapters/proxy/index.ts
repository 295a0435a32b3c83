import type { RouterAdapter } from '../../router.ts';
import { configSchema, type ProxyConfig } from './config.ts';
import { ProxyRouter } from './proxy-router.ts';

export const proxy: RouterAdapter<ProxyConfig> & { readonly configSchema: typeof configSchema } = {
  kind: 'proxy',
  configSchema,
  open: (service, config, runtime) => ProxyRouter.open(service, config, runtime),
};

import { DrivenRouter } from '../../driven-router.ts';
import type { ReadPolicy } from '../../readers.ts';
import type { RouterAdapter } from '../../router.ts';
import { configSchema, type HaproxyConfig } from './config.ts';
import { HaproxyDriver } from './haproxy-driver.ts';

export type HaproxyOptions = HaproxyConfig & ReadPolicy & { readonly holdMs: number };

export const haproxy: RouterAdapter<HaproxyOptions> & { readonly configSchema: typeof configSchema } = {
  kind: 'haproxy',
  configSchema,
  open: async (service, config, runtime) => {
    const { holdMs, lagMax, readFromLeader } = config;
    // HAProxy passes bytes, and knows nothing of transactions: it is quiet as soon as it has heard.
    const options = { kind: 'haproxy', holdMs, drainMs: 0, timeoutMs: config.timeout, lagMax, readFromLeader };
    return new DrivenRouter(service, new HaproxyDriver(service, config, runtime), options, runtime);
  },
};

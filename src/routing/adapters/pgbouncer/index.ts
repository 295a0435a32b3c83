import { DrivenRouter } from '../../driven-router.ts';
import type { ReadPolicy } from '../../readers.ts';
import type { RouterAdapter } from '../../router.ts';
import { configSchema, type PgbouncerConfig } from './config.ts';
import { PgbouncerDriver } from './pgbouncer-driver.ts';

export type PgbouncerOptions = PgbouncerConfig & ReadPolicy & { readonly holdMs: number };

export const pgbouncer: RouterAdapter<PgbouncerOptions> & { readonly configSchema: typeof configSchema } = {
  kind: 'pgbouncer',
  configSchema,
  open: async (service, config, runtime) => {
    const driver = await PgbouncerDriver.open(service, config, runtime);
    const { holdMs, lagMax, readFromLeader } = config;
    const options = { kind: 'pgbouncer', holdMs, drainMs: config.drain, timeoutMs: config.timeout, lagMax, readFromLeader };
    return new DrivenRouter(service, driver, options, runtime);
  },
};

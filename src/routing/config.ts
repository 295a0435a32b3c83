import { z } from 'zod';
import { configSchema as haproxySchema } from './adapters/haproxy/config.ts';
import { configSchema as pgbouncerSchema } from './adapters/pgbouncer/config.ts';
import { configSchema as proxySchema } from './adapters/proxy/config.ts';

/** The router of one service on one node: the built-in one, or another program that the agent drives. */
export const routerSchema = z
  .strictObject({
    ...proxySchema.shape,
    haproxy: haproxySchema.optional().describe('An HAProxy carries the clients; hold.for, lagMax and readFromLeader hold for it too.'),
    pgbouncer: pgbouncerSchema.optional().describe('A PgBouncer carries the clients; hold.for, lagMax and readFromLeader hold for it too.'),
  })
  .refine(
    (config) => [config.write ?? config.read, config.haproxy, config.pgbouncer].filter((one) => one !== undefined).length === 1,
    "must have the addresses of the built-in router ('write', 'read' or both), haproxy, or pgbouncer: exactly one of the three",
  );

/** A service's router, as `router:` in holdfast.yaml has it. */
export type RouterConfig = z.output<typeof routerSchema>;

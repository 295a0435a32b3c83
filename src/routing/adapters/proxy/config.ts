import { z } from 'zod';
import { address, duration, size } from '../../../core/config-fields.ts';

/**
 * The built-in router of one service. Clients need to know nothing but its addresses.
 */
export const configSchema = z
  .strictObject({
    write: address().optional().describe('Where clients that write connect: they reach the leader.'),
    read: address().optional().describe('Where clients that only read connect: they reach replicas.'),
    protocol: z
      .enum(['postgres', 'tcp'])
      .optional()
      .describe(
        'postgres: clients are told why they are refused, a server that is still starting is tried again, and cancellations find their server. tcp: bytes are passed on unseen. Absent: what the engine of the service speaks, and postgres where the service has none here.',
      ),
    tls: z
      .enum(['passthrough', 'refuse'])
      .default('passthrough')
      .describe('passthrough: a client that asks for TLS gets it from the server, if that has it. refuse: it is told that there is none.'),
    hold: z
      .strictObject({
        connections: z
          .int()
          .min(0)
          .max(100_000)
          .default(1000)
          .describe('How many new clients of a port wait while nobody can take them; more are refused.'),
        for: duration({ min: '1ms', max: '1h' })
          .prefault('30s')
          .describe(
            "How long each waits. Shorter than a failover takes: clients see it. Longer than the clients' connect timeout: they never see why.",
          ),
      })
      .prefault({})
      .describe('New clients wait while there is no leader, instead of being refused.'),
    connectTimeout: duration({ min: '10ms', max: '1m' }).prefault('2s').describe('How long a server may take to accept a connection.'),
    lagMax: size().prefault('16MiB').describe('Replicas further behind get no new connections.'),
    readFromLeader: z
      .enum(['fallback', 'never', 'always'])
      .default('fallback')
      .describe('Whether the leader serves the read port: when no replica can, never, or as one of them.'),
    maxConnections: z
      .int()
      .min(1)
      .max(100_000)
      .default(5000)
      .describe('Clients per port, waiting ones included. Each takes two file descriptors.'),
    idle: z
      .strictObject({
        open: duration({ min: '1s' })
          .optional()
          .describe('Closes a connection on which nothing moves for so long. Absent: never; TCP keep-alive finds dead machines.'),
        halfClosed: duration({ min: '1s' }).prefault('1m').describe('The same once one side has closed its half.'),
      })
      .prefault({}),
  })
  .refine(
    (config) => config.write !== undefined || config.read !== undefined,
    "must have 'write', 'read' or both: the addresses that clients connect to",
  );

export type ProxyConfig = z.output<typeof configSchema>;

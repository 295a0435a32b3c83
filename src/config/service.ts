import { z } from 'zod';
import { duration, name, path, percent, size } from '../core/config-fields.ts';
import { configSchema as postgresSchema } from '../engine/adapters/postgres/config.ts';
import { configSchema as processSchema } from '../engine/adapters/process/config.ts';
import { routerSchema } from '../routing/config.ts';
import { backupSchema, bootstrapSchema } from './copies.ts';

const objectivesSchema = z.strictObject({
  availability: percent().optional().describe('Share of the time in which the service does its work.'),
  rto: duration().optional().describe('Recovery time objective: how long it may be away.'),
  rpo: duration().optional().describe('Recovery point objective: how much of the newest work may be lost.'),
});

/** The knobs of failover, with what each costs when it is wrong. Defaults are those of failover/policy.ts; a test compares them. */
const failoverSchema = z.strictObject({
  nofailover: z.boolean().default(false).describe('This member votes but never leads.'),
  priority: z.int().min(0).max(1000).default(100).describe('Among members equally far, the one with the highest leads.'),
  minimum: z
    .int()
    .min(0)
    .max(16)
    .default(1)
    .describe('Voters kept even when they are lost: commits then wait. 0 trades that for availability.'),
  heartbeat: duration({ min: '20ms', max: '5s' })
    .prefault('200ms')
    .describe(
      'How often a leader tells the others its state; a member that follows one, every third time while nothing changes. Detection takes a few of these.',
    ),
  phi: z.number().min(1).max(16).default(8).describe('Suspicion level from which silence counts. Lower: faster, and more often wrong.'),
  agentGrace: duration({ min: '500ms', max: '5m' })
    .prefault('3s')
    .describe(
      'How long a database may go on without its agent. Shorter: an agent restart costs a failover. Longer: a stalled agent is noticed later.',
    ),
  voterLoss: duration({ min: '200ms', max: '5m' })
    .prefault('1s')
    .describe('A voter that does not stream for so long is taken out of the quorum.'),
  voterLagMax: size().prefault('16MiB').describe('How far behind a replica may be to become a voter.'),
  handOver: duration({ min: '0ms', max: '5m' })
    .prefault('1500ms')
    .describe('How long a leader whose database died waits for another to take over before it restarts its own.'),
  unresponsive: duration({ min: '1s', max: '10m' })
    .prefault('10s')
    .describe('A running database that answers nothing for so long is given up.'),
  bootstrapWait: duration({ min: '0ms', max: '10m' })
    .prefault('15s')
    .describe('How long a first leader waits for all members before it goes on with those it sees.'),
});

const engines = ['postgres', 'process', 'files'] as const;

export const serviceSchema = z
  .strictObject({
    tier: z.int().min(1).max(9).default(1).describe('Lower tiers are recovered first.'),
    objectives: objectivesSchema.optional().describe('What is promised.'),
    after: z.array(name()).default([]).describe('Services that must be up before this one.'),
    postgres: postgresSchema.optional().describe('A member of a PostgreSQL service on this node.'),
    process: processSchema.optional().describe('Any command, active on one node at a time.'),
    files: z.strictObject({ path: path() }).optional().describe('A directory that is only backed up.'),
    router: routerSchema.optional().describe('A router of this service on this node.'),
    failover: failoverSchema.prefault({}).describe('When and how the leadership moves.'),
    backup: backupSchema.optional().describe('How copies of it are made.'),
    bootstrap: bootstrapSchema.optional().describe('How it comes by its first data. Absent: they are made new.'),
  })
  .refine(
    (service) => engines.filter((engine) => service[engine] !== undefined).length <= 1,
    `must have at most one of ${engines.join(', ')}`,
  )
  .refine((service) => engines.some((engine) => service[engine] !== undefined) || service.router !== undefined, {
    message: `must have one of ${engines.join(', ')}, or a router when this node only routes to it`,
  });

export type ServiceConfig = z.output<typeof serviceSchema>;

import { z } from 'zod';

/** LSNs travel in PostgreSQL's own notation, `16/B374D848`, byte counts and positions that fit as numbers. */
const lsn = z.string().regex(/^[0-9A-F]{1,8}\/[0-9A-F]{1,8}$/);

export const memberStatusSchema = z.object({
  node: z.string(),
  role: z.enum(['primary', 'replica', 'none', 'unknown']),
  /** One word for people: running, streaming, starting, stopped, cloning, rejoining, fenced, failed, unreachable … */
  state: z.string(),
  /** Why, when it is not well; with what to do. */
  detail: z.string().optional(),
  timeline: z.number().int().optional(),
  lsn: lsn.optional(),
  replayLsn: lsn.optional(),
  /** Bytes behind the leader's last known position. */
  lagBytes: z.number().int().nonnegative().optional(),
  /** Its disk does not let it write: full, or not finishing what is written. */
  impairment: z.enum(['full', 'stalled']).optional(),
  /** How often a damaged page was read there since its statistics began. */
  damagedPages: z.number().nonnegative().optional(),
  /** `leader` for the leader; otherwise as PostgreSQL says it. */
  sync: z.enum(['leader', 'sync', 'quorum', 'potential', 'async']).optional(),
  /** host:port of the service itself. */
  address: z.string(),
  /** host:port of the agent. */
  agentAddress: z.string().optional(),
  promised: z.number().int().nonnegative().optional(),
  version: z.string().optional(),
  pendingRestart: z.boolean().optional(),
  nofailover: z.boolean(),
  priority: z.number().int(),
  pids: z.object({ agent: z.number().int().optional(), guard: z.number().int().optional(), database: z.number().int().optional() }),
  /** Age of what is known of it, in milliseconds. */
  ageMs: z.number().nonnegative(),
});
export type MemberStatus = z.infer<typeof memberStatusSchema>;

const endpoint = z.object({ host: z.string(), port: z.number().int() });

export const routerStatusSchema = z.object({
  node: z.string(),
  write: endpoint.optional(),
  read: endpoint.optional(),
  term: z.number().int(),
  /** What carries the clients: `proxy` (the built-in router), `haproxy`, `pgbouncer`. */
  kind: z.string(),
  /** New writers wait. */
  holding: z.boolean(),
  /** How long it may take at a hand-over until no transaction is under way. */
  drainMs: z.number(),
  /** Why the program that carries the clients does not do what it is told. */
  problem: z.string().optional(),
  connections: z.object({ write: z.number().int(), read: z.number().int(), held: z.number().int() }),
  cutTotal: z.number().int(),
  refusedTotal: z.number().int(),
});

/** The copies of a service, as the agent says that cares for them. */
export const copiesStatusSchema = z.object({
  /** Whose agent: the leader's. */
  node: z.string(),
  location: z.string(),
  /** The location, then what a combined one is made of, names as paths. */
  parts: z.array(
    z.object({
      name: z.string(),
      state: z.enum(['ok', 'degraded', 'away']),
      /** Why it is not ok. */
      message: z.string(),
      /** Changes that it has not got yet. */
      behindObjects: z.number().nonnegative(),
      behindBytes: z.number().nonnegative(),
    }),
  ),
  /** The last good one: when its data were as they are in it; of a base backup, where recovery begins. */
  last: z
    .object({ at: z.string(), ageMs: z.number().nonnegative(), timeline: z.number().int().optional(), startLsn: lsn.optional() })
    .optional(),
  journal: z
    .object({
      state: z.enum(['starting', 'running', 'failing', 'ended']),
      /** Since when not everything is stored: what would be lost now. */
      lagMs: z.number().nonnegative(),
      lagBytes: z.number().nonnegative(),
      /** After the last base backup: no recovery passes one. */
      gaps: z.number().int().nonnegative(),
      /** When full segments last became files of the repository, and how many small objects were left then. */
      folded: z.object({ ageMs: z.number().nonnegative(), parts: z.number().int().nonnegative() }).optional(),
    })
    .optional(),
  /** Also among the warnings of the service. */
  alarms: z.array(z.string()),
});

export const serviceStatusSchema = z.object({
  service: z.string(),
  engine: z.enum(['postgres', 'process']),
  /** `quorum`: commits wait for replicas; `asynchronous`: the lease is the fence. */
  mode: z.enum(['quorum', 'asynchronous']),
  term: z.number().int().nonnegative(),
  leader: z.string().nullable(),
  paused: z.boolean(),
  /** The configurations a failover must satisfy: one, or two while it changes. */
  roster: z.array(z.object({ k: z.number().int(), voters: z.array(z.string()) })),
  /** What is wrong or degraded, as sentences; empty when all is well. */
  warnings: z.array(z.string()),
  members: z.array(memberStatusSchema),
  copies: copiesStatusSchema.optional(),
  routers: z.array(routerStatusSchema),
});
export type ServiceStatus = z.infer<typeof serviceStatusSchema>;

export const clusterStatusSchema = z.object({
  cluster: z.string(),
  node: z.string(),
  version: z.string(),
  coordination: z.object({ kind: z.string(), reachable: z.boolean(), faultDomain: z.string() }),
  services: z.array(serviceStatusSchema),
});
export type ClusterStatus = z.infer<typeof clusterStatusSchema>;

export const historyEntrySchema = z.object({
  term: z.number().int(),
  leader: z.string(),
  /** ISO 8601. */
  at: z.string(),
  why: z.enum(['bootstrap', 'restore', 'failover', 'switchover', 'operator', 'reclaim']),
  timeline: z.number().int().optional(),
  switchLsn: lsn.optional(),
  /** Milliseconds from the first suspicion (or request) until the new leader took writes. */
  tookMs: z.number().nonnegative().optional(),
});
export type HistoryEntry = z.infer<typeof historyEntrySchema>;

export const roles = ['viewer', 'operator', 'admin'] as const;
export type Role = (typeof roles)[number];

export const handoverRequestSchema = z.strictObject({
  /** Whom to make leader; absent: the best candidate. */
  to: z.string().optional(),
});
export const nodeRequestSchema = z.strictObject({ node: z.string().optional() });
export const reinitRequestSchema = nodeRequestSchema.extend({
  from: z
    .enum(['leader', 'copies'])
    .optional()
    .describe('What its data are made of. Absent: as `createReplica` of its configuration says.'),
  reuse: z.boolean().optional().describe('Copies are laid over the old data, of which nothing is kept; only what differs is written.'),
});
export const doneSchema = z.object({
  message: z.string(),
  term: z.number().int().optional(),
  leader: z.string().optional(),
  tookMs: z.number().optional(),
});
export type Done = z.infer<typeof doneSchema>;

/** Body of every non-2xx answer of /api/v1. */
export const errorSchema = z.object({ code: z.string(), message: z.string(), hint: z.string(), retryable: z.boolean() });

/** A change of state, as `/api/v1/events` tells it. */
export const agentEventSchema = z.object({
  /** Grows within an agent's life. */
  id: z.number().int(),
  /** ISO 8601. */
  at: z.string(),
  node: z.string(),
  service: z.string().optional(),
  /** What happened: `domain.thing.happened`. */
  kind: z.string(),
  data: z.record(z.string(), z.unknown()),
});
export type AgentEvent = Readonly<z.infer<typeof agentEventSchema>>;

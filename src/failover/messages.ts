import { z } from 'zod';
import type { Position } from '../engine/engine.ts';

/*
 * What agents tell each other about one service. Sent over authenticated links (core/peer-network.ts), validated on arrival.
 * LSNs travel as decimal strings: they exceed what JSON numbers hold.
 */

const node = z.string().min(1).max(63);
const term = z.number().int().nonnegative();
export const positionSchema = z.object({ timeline: z.number().int().nonnegative(), lsn: z.string().regex(/^\d{1,20}$/) });
export type WirePosition = z.infer<typeof positionSchema>;

export const memberStateSchema = z.object({
  service: z.string(),
  address: z.object({ host: z.string(), port: z.number().int() }),
  replicated: z.boolean(),
  /** Highest leadership it knows of, and whose it is. */
  term,
  leader: z.string(),
  promised: term,
  /** The term in which it takes writes now; 0 when it does not. */
  serving: term,
  /** It gave up the leadership of this term (its service is down, or it hands over); 0 otherwise. */
  released: term,
  /** It suspects the leader of this term; 0 when it does not. */
  suspects: term,
  role: z.enum(['primary', 'replica', 'none']),
  /** One word for people. */
  state: z.string(),
  detail: z.string().optional(),
  running: z.boolean(),
  accepting: z.boolean(),
  position: positionSchema.optional(),
  replayLsn: z.string().optional(),
  streamingFrom: z.string().optional(),
  hasData: z.boolean(),
  /** Its disk does not let it write. */
  impairment: z.enum(['full', 'stalled']).optional(),
  damagedPages: z.number().nonnegative().optional(),
  systemId: z.string().optional(),
  eligible: z.boolean(),
  nofailover: z.boolean(),
  priority: z.number().int(),
  paused: z.boolean(),
  pendingRestart: z.boolean(),
  version: z.string().optional(),
  /** A leader's view of its replicas: how each counts in commits. */
  sync: z.record(z.string(), z.enum(['sync', 'quorum', 'potential', 'async'])).optional(),
  pids: z.object({ agent: z.number().int(), guard: z.number().int().optional(), database: z.number().int().optional() }),
});
/** One member of one service, as its agent broadcasts it. */
export type MemberState = z.infer<typeof memberStateSchema>;

export const routerStateSchema = z.object({
  service: z.string(),
  write: z.object({ host: z.string(), port: z.number().int() }).optional(),
  read: z.object({ host: z.string(), port: z.number().int() }).optional(),
  term,
  // Agents of an earlier version say nothing of these.
  kind: z.string().max(40).default('proxy'),
  holding: z.boolean().default(false),
  drainMs: z.number().nonnegative().max(120_000).default(0),
  problem: z.string().max(2_000).optional(),
  connections: z.object({ write: z.number(), read: z.number(), held: z.number() }),
  cutTotal: z.number(),
  refusedTotal: z.number(),
});

/** How the copies of a service are, as the agent says that cares for them: its leader's. Times are in ms since 1970, positions decimal. */
export const copiesStateSchema = z.object({
  service: z.string(),
  location: z.string(),
  /** The location, then what it is made of, names as paths. */
  parts: z
    .array(
      z.object({
        name: z.string().max(600),
        state: z.enum(['ok', 'degraded', 'away']),
        message: z.string().max(2_000),
        behindObjects: z.number().nonnegative(),
        behindBytes: z.number().nonnegative(),
      }),
    )
    .max(100),
  /** The last copy that is whole: when its data were as they are in it; of a base backup, where recovery begins. */
  last: z
    .object({
      atMs: z.number(),
      start: z.object({ timeline: term, lsn: z.string().regex(/^\d{1,20}$/) }).optional(),
    })
    .optional(),
  journal: z
    .object({
      state: z.enum(['starting', 'running', 'failing', 'ended']),
      /** Since when not everything is stored. */
      lagMs: z.number().nonnegative(),
      lagBytes: z.number().nonnegative(),
      gaps: z.number().nonnegative(),
      /** When full segments last became files of the repository, and how many small objects were left then. */
      folded: z.object({ ageMs: z.number().nonnegative(), parts: z.number().nonnegative() }).optional(),
    })
    .optional(),
  /** The journal has all before it: no member need keep that for whoever leads next. Left out while it is not known. */
  journalled: positionSchema.optional(),
  /** What somebody should look at, as sentences. */
  alarms: z.array(z.string().max(4_000)).max(100),
});
export type CopiesState = z.infer<typeof copiesStateSchema>;

/** An agent that says that it will not be heard for longer is not believed. */
const NEXT_MS_MAX = 15_000;

/** Broadcast by every agent every `heartbeatMs`, less often by one whose silence nobody has to notice at once, and at once on a change that others wait for. */
export const heartbeatSchema = z.object({
  wallMs: z.number(),
  /** The next one comes within so long. Agents of an earlier version do not say: always at `heartbeatMs`. */
  nextMs: z.number().positive().max(NEXT_MS_MAX).optional(),
  agentAddress: z.string(),
  members: z.array(memberStateSchema).max(100),
  routers: z.array(routerStateSchema).max(100),
  // Agents of an earlier version say nothing of these.
  copies: z.array(copiesStateSchema).max(100).default([]),
});
export type Heartbeat = z.infer<typeof heartbeatSchema>;

/**
 * `fence`: promise never again to follow a term lower than this one, and stop following now. `sound` only asks whether it would: a candidate
 * that nobody agrees with must not disturb anybody, itself included.
 */
export const fenceRequestSchema = z.object({
  service: z.string(),
  mode: z.enum(['sound', 'promise']),
  term,
  /** The leadership that is to be ended. */
  leader: node,
  leaderTerm: term,
  /** An operator ordered it: no suspicion of its own is needed. */
  forced: z.boolean(),
});
export type FenceRequest = z.infer<typeof fenceRequestSchema>;

export const fenceReplySchema = z.discriminatedUnion('granted', [
  z.object({
    granted: z.literal(true),
    promised: term,
    position: positionSchema.optional(),
    eligible: z.boolean(),
    /** Its disk does not let it write: promoted only when nobody else can be. */
    impaired: z.boolean().optional(),
    priority: z.number().int(),
  }),
  z.object({ granted: z.literal(false), promised: term, why: z.string() }),
]);
export type FenceReply = z.infer<typeof fenceReplySchema>;

/** `take-over`: claim the leadership at this term and promote; the fence before it is complete. */
export const takeOverSchema = z.object({
  service: z.string(),
  term,
  /** Revision of the leadership record for whose roster the fence was made; the claim swaps exactly this one. */
  revision: z.string().regex(/^\d{1,20}$/),
  why: z.enum(['failover', 'switchover', 'operator']),
  /** Have at least this before promoting; get what is missing from `from`. */
  position: positionSchema.optional(),
  from: node.optional(),
  /** Who has promised, so is alive and will follow. */
  granted: z.array(node).max(100),
  startedMsAgo: z.number().nonnegative(),
});
export type TakeOver = z.infer<typeof takeOverSchema>;

export const takeOverReplySchema = z.object({ term, tookMs: z.number() });

/** `confirm`: a leader that can not reach the store asks every member to hold still for `forMs`. */
export const confirmRequestSchema = z.object({ service: z.string(), term, leader: node, forMs: z.number().positive().max(60_000) });

/** `hold`: a planned hand-over of the leadership of `term` begins, answered once this node's router is quiet. `resume`: it was given up. */
export const holdSchema = z.object({ service: z.string(), term });

/** Where a replica's data are had from. */
const replicaSourceSchema = z.enum(['leader', 'copies']);

/** `command`: an operator's request passed on to the node that can do it. */
export const commandSchema = z.object({
  service: z.string(),
  command: z.enum(['switchover', 'failover', 'restart', 'reinit', 'credentials']),
  to: node.optional(),
  from: replicaSourceSchema.optional(),
  reuse: z.boolean().optional(),
});

/** What a command that changed something answers. */
export const outcomeSchema = z.object({ leader: z.string(), term, tookMs: z.number() });
export type Outcome = z.infer<typeof outcomeSchema>;

export function toWire(position: Position): WirePosition {
  return { timeline: position.timeline, lsn: position.lsn.toString() };
}

export function fromWire(position: WirePosition): Position {
  return { timeline: position.timeline, lsn: BigInt(position.lsn) };
}

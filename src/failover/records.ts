import { z } from 'zod';
import type { Acknowledgement } from '../engine/engine.ts';

/*
 * What is kept in the coordination store, per service:
 *
 *   services/<service>/leadership       LeadershipRecord: who leads, at which term, and which quorums could have acknowledged commits
 *   services/<service>/settings         SettingsRecord: what operators set
 *   services/<service>/history/<term>   HistoryRecord: one for each term
 *
 * Leader and roster are one record, so that one compare-and-swap decides both: a leader that changes its roster while another claims
 * can not slip its change past the claim's fence.
 */

const term = z.number().int().nonnegative();

export const acknowledgementSchema = z.object({ k: z.number().int().nonnegative(), voters: z.array(z.string()).readonly() });

/**
 * The configurations by which a commit may have been acknowledged and not yet be on the newest leader's quorum: one, or two while it
 * changes (three after a failover in the middle of a change). A new leader must be able to prove that none of them can acknowledge any more.
 */
export type Roster = readonly Acknowledgement[];

export const leadershipSchema = z.object({
  term,
  leader: z.string(),
  /** Coordination session of the leader: where the lease is the fence, its end is what a rival waits for. */
  session: z.string(),
  /** ISO 8601, for people. */
  since: z.string(),
  roster: z.array(acknowledgementSchema).min(1).readonly(),
  /**
   * The timeline that the leader writes, or is about to begin: taken by the claim, so that no two promotions ever have the same. Only so does
   * (timeline, LSN) tell who is further, as (term, index) does in Raft. 0 while there are no data, or data without timelines.
   */
  timeline: z.number().int().nonnegative(),
  /** Identity of the data; null until the first leader has made it. */
  systemId: z.string().nullable(),
  /** The restore from copies that needs no performing any more: done, or configured while there were data. */
  restored: z.string().optional(),
});
export type LeadershipRecord = z.infer<typeof leadershipSchema>;

export const settingsSchema = z.object({ paused: z.boolean() });
export type SettingsRecord = z.infer<typeof settingsSchema>;

export const historySchema = z.object({
  term,
  leader: z.string(),
  at: z.string(),
  why: z.enum(['bootstrap', 'restore', 'failover', 'switchover', 'operator', 'reclaim']),
  timeline: z.number().int().optional(),
  switchLsn: z.string().optional(),
  tookMs: z.number().nonnegative().optional(),
});
export type HistoryRecord = z.infer<typeof historySchema>;

/** On each member's own disk, flushed before it is spoken of. */
export interface PromiseRecord {
  /** Highest term promised: this member never again follows a lower one. */
  readonly promised: number;
  /** Highest term ever seen in the store: a store that shows a lower one was restored from the past and is not believed. */
  readonly seen: number;
}

/** A value with the revision at which it was read. */
export interface Versioned<T> {
  readonly value: T;
  readonly revision: bigint;
}

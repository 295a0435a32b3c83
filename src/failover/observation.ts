import type { Verdict } from '../detection/index.ts';
import type { Acknowledgement, EngineObservation } from '../engine/engine.ts';
import type { MemberState } from './messages.ts';
import type { Remedy } from './follow.ts';
import type { FailoverPolicy } from './policy.ts';
import type { InForce } from './quorum.ts';
import type { LeadershipRecord, Versioned } from './records.ts';

/** Another member as last heard. */
export interface PeerView {
  readonly node: string;
  /** Connected and not suspiciously silent. */
  readonly alive: boolean;
  readonly state: MemberState;
  readonly ageMs: number;
}

/** Everything that a member's decision rests on, at one moment. Plain data: the same for the real thing and the simulator. */
export interface Observation {
  /** Monotonic. */
  readonly nowMs: number;
  readonly self: {
    readonly node: string;
    readonly nofailover: boolean;
    readonly priority: number;
    readonly replicated: boolean;
    /** Holds data that can be promoted, and may be. */
    readonly eligible: boolean;
  };
  readonly policy: FailoverPolicy;
  readonly paused: boolean;
  /** This process itself was stalled just now: it must judge nobody by silence. */
  readonly abstains: boolean;
  /** Whether the store answers now. What was read from it stays valid as the last known. */
  readonly storeReachable: boolean;
  /** Undefined: the store was never read. Null: there is no leadership yet. */
  readonly leadership: Versioned<LeadershipRecord> | null | undefined;
  /** Whether the leader's session has ended; undefined: not asked. Only matters where a lease is the fence. */
  readonly leaseEnded: boolean | undefined;
  /** This agent's own session. */
  readonly sessionId: string | undefined;
  readonly promised: number;
  readonly seen: number;
  /** The term in which this member was last made, or confirmed as, the primary by this agent; 0: by none. */
  readonly servingTerm: number;
  /** The term whose leadership this member gave up; 0: none. */
  readonly releasedTerm: number;
  readonly engine: EngineObservation;
  /** Since when the database is down although it should run; undefined: it is not. */
  readonly downSinceMs: number | undefined;
  /** Since when it runs but does not answer. */
  readonly unresponsiveSinceMs: number | undefined;
  /** Since when its disk does not let it write, although it runs. */
  readonly impairedSinceMs: number | undefined;
  /** Whole starts since it last ran well for a while: a database that can not live here. */
  readonly failedStarts: number;
  readonly peers: readonly PeerView[];
  /** Configured peers that were never heard of. */
  readonly peersUnheard: number;
  /** This observer's verdict on the leader, when that is somebody else. */
  readonly leaderVerdict: Verdict | undefined;
  /** Since when it suspects that leader, and, where the lease is the fence, knows that it has ended. */
  readonly electableSinceMs: number | undefined;
  /** Monotonic time before which it must not stand for election: a promise was just given to another, an attempt just failed, a leader asked for calm. */
  readonly holdStillUntilMs: number;
  /** Since when this agent runs. */
  readonly startedMs: number;
  /** For the leader: what its database runs, as far as this agent has seen it take effect. */
  readonly inForce: InForce;
  /** For the leader: which voters of a configuration have flushed all that was acknowledged before it took effect. */
  readonly caughtUp: (configuration: Acknowledgement) => boolean;
  /** For the leader: since when each replica does not stream, as far as it ever did. */
  readonly notStreamingSinceMs: ReadonlyMap<string, number>;
  /** What the data need to follow the present leader, as far as it is known. */
  readonly remedy: Remedy;
  /** The restore that is configured for when nobody has data, by what tells it from any other; undefined: none is. */
  readonly restore: string | undefined;
  /** When the database was last told whom to follow. */
  readonly followedMs: number;
}

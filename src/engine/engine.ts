import type { Account } from '../core/processes.ts';
import type { MachineRuntime } from '../core/runtime.ts';
import type { BaseSource } from '../core/base-source.ts';
import type { DataCopies } from '../core/data-copies.ts';
import type { RecoveryTarget } from '../core/recovery-target.ts';
import type { WalSource } from '../core/wal-source.ts';

/**
 * How far a member's data reaches. Ordered by timeline, then LSN. An engine without a history of its own (process) is at {0, 0n}.
 */
export interface Position {
  readonly timeline: number;
  /** Bytes of WAL since its beginning (PostgreSQL's 64-bit LSN): flushed to this member's disk. */
  readonly lsn: bigint;
}

/** A commit is acknowledged once `k` of the `voters` (node names, the leader not among them) have flushed it. */
export interface Acknowledgement {
  readonly k: number;
  readonly voters: readonly string[];
}

/** Another member as somebody to follow or ask. */
export interface MemberAddress {
  readonly node: string;
  readonly host: string;
  readonly port: number;
}

/** A replica as the primary sees it. */
export interface ReplicaObservation {
  readonly node: string;
  readonly state: string;
  readonly flushLsn: bigint;
  readonly replayLsn: bigint;
  readonly sync: 'sync' | 'quorum' | 'potential' | 'async';
}

export type EngineRole = 'primary' | 'replica' | 'none';

/** What is really so, as asked just now; never what was last commanded. */
export interface EngineObservation {
  /** `absent`: no data here yet; `foreign`: there is data, but not ours to touch (`failure` says why). */
  readonly data: 'absent' | 'present' | 'foreign';
  /** The identity of the data, the same on all members (PostgreSQL's system identifier). */
  readonly systemId?: string;
  readonly version?: string;
  /** The main process (postmaster) runs. */
  readonly running: boolean;
  /** It answers queries. */
  readonly accepting: boolean;
  readonly pid?: number;
  /** `none` when not running. */
  readonly role: EngineRole;
  /** What data that do not run were when they last did, and so what they can become: a primary's are started again, a replica's are promoted. Left out while running, or when they are not whole. */
  readonly stoppedAs?: 'primary' | 'replica';
  /** Flushed position; of stopped data, what its control file says (a lower bound after a crash). */
  readonly position?: Position;
  /** A replica's replayed LSN. */
  readonly replayLsn?: bigint;
  /** Whom a replica is set to follow, and whether WAL is streaming from it now. */
  readonly upstream?: { readonly node: string; readonly streaming: boolean };
  /** On a primary: the acknowledgement in force in all backends; `null` when commits wait for nobody. */
  readonly acknowledge?: Acknowledgement | null;
  readonly replicas: readonly ReplicaObservation[];
  /** Settings that wait for a restart. */
  readonly pendingRestart: boolean;
  /**
   * It runs and answers, or would, but its disk does not let it write: full (a primary could not make its next WAL), or not finishing what is
   * written. `failure` says it in words. Left out: not so, as far as is known.
   */
  readonly impairment?: 'full' | 'stalled';
  /** Damaged pages that this server came across while reading (PostgreSQL's checksum failures) since its statistics began; left out when not known. */
  readonly damagedPages?: number;
  /** Why it is not well, when it is not. */
  readonly failure?: { readonly code: string; readonly message: string; readonly hint: string };
}

export interface EngineCapabilities {
  readonly kind: 'postgres' | 'process';
  /** Whether members hold replicated data. If not, only leases fence it (asynchronous mode), and nobody clones anything. */
  readonly replicated: boolean;
}

/** Opaque secrets that all members of a service share (replication and administration passwords). Sent only over authenticated links. */
export type EngineCredentials = Readonly<Record<string, string>>;

/**
 * One member of a service on this node: the thing that is kept up. Commands are idempotent and safe to repeat after a crash at any
 * point; one runs at a time (the caller's duty), while `inspect`, `reachable` and `stop` may be called at any moment.
 * Nothing here decides: who leads is failover's business.
 */
export interface Engine extends AsyncDisposable {
  readonly capabilities: EngineCapabilities;
  /** Where the others reach it. */
  readonly address: MemberAddress;
  /** Its log of changes, for copies of it; left out where there is none. */
  readonly wal?: WalSource;
  /** Its files, for copies of them; left out where there are none. */
  readonly base?: BaseSource;

  /** Takes over a server that runs already on our data (left by an earlier agent); does nothing otherwise. Never starts one. */
  adopt(options: { signal: AbortSignal }): Promise<void>;
  /** Cheap (a few milliseconds), bounded by 1 s; never throws but for the signal: what can not be found out is left out. */
  inspect(options: { signal: AbortSignal }): Promise<EngineObservation>;
  /** Calls back as soon as the main process ends or stops answering its supervisor (milliseconds), whoever ended it. */
  onDeath(listener: () => void): Disposable;

  /**
   * Makes new data and credentials; or, to `restore`, credentials for data that are brought to a point from copies, on a timeline of their own
   * that copies know nothing of. Not started. What is not finished is never taken for data; a restore that was cut off goes on.
   * @throws ENGINE_DATA_PRESENT, ENGINE_TARGET_NOT_REACHED, ENGINE_VERSION_MISMATCH, and what the copies throw
   */
  bootstrap(options: { restore?: RestoreSource; signal: AbortSignal }): Promise<void>;
  /**
   * Makes this member's data those of another, which runs: all copied from there, or, where there are `copies`, made of these as far as they go.
   * Not started; set to follow it. An interrupted copy is never taken for data; one made of copies goes on.
   * @throws ENGINE_DATA_PRESENT, ENGINE_UPSTREAM_UNREACHABLE, ENGINE_NO_SPACE, ENGINE_COPIES_UNFIT when what the other has does not continue the copies
   */
  provision(from: MemberAddress, options: { copies?: DataCopies; signal: AbortSignal }): Promise<void>;
  /**
   * Makes this member a replica of `upstream`: starts it, or re-points it without a restart.
   * @throws ENGINE_DIVERGED when its history has left that of upstream: `rejoin` then
   */
  follow(upstream: MemberAddress, options: { signal: AbortSignal }): Promise<void>;
  /** Brings diverged data back onto upstream's history (rewind, or re-clone of what differs), then follows. Stops it first if needed. @throws ENGINE_REJOIN_FAILED: only a new `provision` (after `setAside`) can help */
  rejoin(upstream: MemberAddress, options: { signal: AbortSignal }): Promise<void>;
  /**
   * The fence of a replica: stops receiving from anyone, durably (also after a restart), flushes, and returns how far it got.
   * What arrives after it returns is never acknowledged to the sender. Only `follow` ends it.
   */
  freeze(options: { signal: AbortSignal }): Promise<Position>;
  /**
   * Makes a replica the primary. `acknowledge` is in force before the first write; null: waits for nobody.
   * Returns once it takes writes, with the position at which its new timeline begins.
   * @param options.timeline the new timeline gets this number, or the next that is free here when that is higher. Callers that give each
   *   promotion a number of its own can tell by (timeline, LSN) who is further; two primaries that both took the next free one could not be told apart
   */
  promote(options: { acknowledge: Acknowledgement | null; timeline?: number; signal: AbortSignal }): Promise<Position>;
  /** Starts stopped data as the primary it was (or, freshly bootstrapped, is to be), on the same timeline; `acknowledge` is in force before the first write. */
  startPrimary(options: { acknowledge: Acknowledgement | null; signal: AbortSignal }): Promise<void>;
  /**
   * Changes what commits of the running primary wait for. Returns once no backend acknowledges by the old rule any more, with the LSN
   * flushed at that moment: everything acknowledged by the old rule lies before it.
   */
  acknowledge(value: Acknowledgement | null, options: { signal: AbortSignal }): Promise<bigint>;
  /**
   * Whether commits wait, beside all that `acknowledge` asks for, until the journal has them: from the opening of the engine on they do where the
   * context says `sync`. Returns like `acknowledge`. Left out where there is no journal.
   */
  countJournal?(counts: boolean, options: { signal: AbortSignal }): Promise<bigint>;
  /** Asks a primary to write its dirty pages now, so that a stop soon after is short. */
  checkpoint(options: { signal: AbortSignal }): Promise<void>;
  /**
   * `clean`: connections are ended, replicas get everything, returns the final position. `immediate`: nothing more is acknowledged from
   * the moment of the call, every process of the tree is gone when it returns (undefined). Falls from clean to immediate after `timeoutMs`.
   * @param options.onFinal told the final position of a primary as soon as nobody is served any more and it is on disk. Its processes end, and
   * replicas get the last of it, a little later.
   */
  stop(mode: 'clean' | 'immediate', options: { timeoutMs: number; onFinal?: (position: Position) => void }): Promise<Position | undefined>;
  /**
   * Moves the data directory aside (never deletes) and returns where it is now. Stopped members only.
   * @param options.toReuse to where the next `provision` from copies goes over it, and writes what differs; one from a member removes it
   */
  setAside(reason: string, options?: { readonly toReuse?: boolean }): Promise<string>;
  /**
   * Keeps the WAL that these other members still need, up to the engine's own limit, and lets go of what others needed; where the context says that
   * there is a journal, also what that has not stored: a replica may have to give it when it leads.
   * @param options.journal how far that is for a replica; left out: not known, and nothing of it is let go
   */
  retain(members: readonly { node: string; lsn?: bigint }[], options: { journal?: bigint; signal: AbortSignal }): Promise<void>;
  /** Whether a member's service answers on the clients' path, whatever its agent does. Never throws. */
  reachable(member: MemberAddress, options: { timeoutMs: number }): Promise<'answers' | 'refused' | 'silent'>;

  /** The shared secrets; undefined before bootstrap or `acceptCredentials`. */
  credentials(): Promise<EngineCredentials | undefined>;
  acceptCredentials(credentials: EngineCredentials): Promise<void>;
  /** How the guard ends everything of this member without our help. */
  guardTarget(): GuardTarget;
}

/** What a service's first data are made of, where they are not made anew. */
export interface RestoreSource {
  readonly copies: DataCopies;
  readonly target: RecoveryTarget;
}

/** What the guard must kill: all processes whose working directory is (below) a directory, main process stopped first; or those of a session. */
export type GuardTarget =
  | { readonly by: 'directory'; readonly directory: string; readonly mainPidFile: string }
  | { readonly by: 'session'; readonly pidFile: string };

export interface EngineContext {
  readonly cluster: string;
  readonly service: string;
  readonly node: string;
  /** Directory of our own for this service (0700, exists): credentials, sockets, logs, markers. Not the data directory. */
  readonly stateDir: string;
  /** Whom services run as when the agent is root; undefined otherwise. */
  readonly account: Account | undefined;
  /** Whether copies of it are made: it may keep account of what changes, so that they cost less. */
  readonly isCopied?: boolean;
  /** A journal of its WAL is kept by whoever leads: what that has not stored yet is kept for it. `sync`: commits wait for it too. Left out: none. */
  readonly journal?: { readonly sync: boolean; /** How many other members there may be. */ readonly others: number };
}

/** What each engine adapter's `index.ts` exports. */
export interface EngineAdapter<Config> {
  readonly kind: EngineCapabilities['kind'];
  /** Touches nothing. @throws ENGINE_UNSUITABLE (no binaries, unsupported version) */
  open(config: Config, context: EngineContext, runtime: MachineRuntime): Promise<Engine>;
}

/** Negative, zero or positive as `a` is behind, at or beyond `b`: by timeline, then LSN. */
export function comparePositions(a: Position, b: Position): number {
  if (a.timeline !== b.timeline) return a.timeline - b.timeline;
  return a.lsn < b.lsn ? -1 : a.lsn > b.lsn ? 1 : 0;
}

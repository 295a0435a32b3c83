import type { Runtime } from '../core/runtime.ts';

/** One key of the store as read. */
export interface Entry {
  readonly key: string;
  readonly value: string;
  /** Revision of the last change: grows with every change in the store, never reused, also after deletion and re-creation. */
  readonly revision: bigint;
  /** The session it is bound to; undefined for a lasting key. */
  readonly sessionId: string | undefined;
}

/** Which state a change insists on: a revision as read, or `absent`. */
export type Expectation = bigint | 'absent';

export type SwapResult =
  | { readonly swapped: true; readonly revision: bigint }
  /** Lost: what is there now. */
  | { readonly swapped: false; readonly current: Entry | undefined };

/**
 * One present state or change under a watched prefix. A watch begins with a `snapshot`, and delivers a fresh one instead of single
 * changes whenever it can not prove that it saw them all (compaction, reconnect on stores without replay).
 */
export type WatchEvent =
  | { readonly type: 'snapshot'; readonly entries: readonly Entry[]; readonly reason: 'start' | 'compacted' | 'reconnected' }
  | { readonly type: 'put'; readonly entry: Entry }
  | { readonly type: 'deleted'; readonly key: string; readonly revision: bigint };

/** `suspended`: the store can not be asked; the session may or may not live. Never guessed into `lost`. */
export type SessionState = 'live' | 'suspended' | 'lost';

/**
 * Proof of life in the store. Validity is judged here, by this machine's own clock: the monotonic time at which the last confirmed
 * renewal was *sent* + 0.85 × TTL (boot time compared too: a suspended machine has expired). The store itself waits the whole TTL from
 * when it received that renewal, so a holder always gives up before anyone else can hold.
 */
export interface Session extends AsyncDisposable {
  /** Unique for ever; names the session to other clients (`isSessionAlive`). */
  readonly id: string;
  /** What the store granted, which may differ from what was asked. */
  readonly ttlMs: number;
  readonly state: SessionState;
  /** `clock.monotonicMs()` until which holding is safe. */
  readonly validUntilMs: number;
  /** Aborts when validity has passed or the store said that the session is gone, whichever is first. Reason: HoldfastError COORD_SESSION_LOST. */
  readonly signal: AbortSignal;
  /** Checked before every guarded act, since a timer may be late: @throws COORD_SESSION_LOST */
  assertValid(): void;
  /**
   * Ends the session: here at once, and in the store (bound keys vanish); idempotent. Also what disposal does, which minds no failure.
   * @throws COORD_UNREACHABLE when the store could not be told: it then ends with its TTL. May be called again
   */
  close(): Promise<void>;
  /**
   * Lets go of it without telling the store, where it ends with its TTL; lost here at once. For a holder whose work outlives it: what the
   * session guarded must not be thought free before then.
   */
  abandon(): void;
}

/** A place in a queue, bound to a session: the ground of locks and elections. */
export interface Ticket {
  readonly key: string;
  /** What kind of waiter: [a-z]+, for example `read`, `write`. */
  readonly label: string;
  /** Order of arrival within the queue; smaller is earlier. */
  readonly order: bigint;
  readonly sessionId: string;
}

/** The holder's own ticket carries the fencing token: larger than that of every earlier ticket of that queue, for ever. */
export interface OwnTicket extends Ticket {
  readonly token: bigint;
}

/** What `enter` gives. */
export interface Entrance {
  readonly session: Session;
  readonly ticket: OwnTicket;
  /** The places before it that were there when it was taken; undefined where that takes another question (`queue`). */
  readonly ahead: readonly Ticket[] | undefined;
}

export interface SessionOptions {
  readonly ttlMs: number;
  /** For people, shown beside the session in the store. */
  readonly name: string;
  readonly allowShortTtl?: boolean;
}

export interface StoreCapabilities {
  readonly kind: 'memory' | 'embedded' | 'etcd' | 'zookeeper';
  /** What its failure takes with it. */
  readonly faultDomain: 'process' | 'host' | 'ensemble';
  /** Least TTL it accepts without `allowShortTtl`. */
  readonly ttlMsMin: number;
}

/**
 * A coordination store as Holdfast needs it: sessions, compare-and-swap keys, watches, queues. Reads are linearizable.
 *
 * Keys: 1 to 255 characters of [A-Za-z0-9._/-], no empty or dot-only segments, no leading or trailing slash; values: UTF-8, at most
 * 256 KiB. All keys live below the adapter's configured prefix.
 *
 * Keys do not depend on one another: a bound key may have others below it. Queues are apart from keys, also under the same name.
 *
 * Every call may throw COORD_UNREACHABLE (retryable: what was asked may or may not have happened, and each call here says how it then
 * stays safe), COORD_DENIED (authentication), COORD_BAD_KEY, COORD_BAD_VALUE, or the signal's reason.
 */
export interface CoordinationStore extends AsyncDisposable {
  readonly capabilities: StoreCapabilities;
  /** @throws COORD_TTL_TOO_SHORT when `ttlMs` is under the store's least and `allowShortTtl` is not set */
  openSession(options: SessionOptions & { signal?: AbortSignal }): Promise<Session>;
  /** Whether a session of any client still lives. Once false, false for ever. */
  isSessionAlive(sessionId: string, options?: { signal?: AbortSignal }): Promise<boolean>;
  get(key: string, options?: { signal?: AbortSignal }): Promise<Entry | undefined>;
  /** All entries whose key begins with `prefix` + '/', by key. */
  list(prefix: string, options?: { signal?: AbortSignal }): Promise<Entry[]>;
  /**
   * Writes if the expectation holds. After COORD_UNREACHABLE the caller reads again: a value that carries a unique mark tells whose it is.
   * @param options.session binds the key: it vanishes with the session. Each swap decides anew what the key is bound to; without a session it lasts. @throws COORD_SESSION_LOST
   */
  swap(key: string, value: string, expect: Expectation, options?: { session?: Session; signal?: AbortSignal }): Promise<SwapResult>;
  /** Deletes if the revision is still this one. True when it is gone by this call. */
  remove(key: string, expect: bigint, options?: { signal?: AbortSignal }): Promise<boolean>;
  /**
   * Survives reconnects and compaction; ends only with `signal` (quietly), with the client, or by throwing COORD_DENIED or COORD_UNSUITABLE. While the store is away it
   * waits. Watches `key` itself and everything below `key` + '/'.
   */
  watch(key: string, options: { signal: AbortSignal }): AsyncIterable<WatchEvent>;
  /**
   * Takes a place at the end of a queue. Safe when the reply is lost: it finds its own place again by a unique id and the session.
   * @throws COORD_SESSION_LOST
   */
  enqueue(queue: string, label: string, session: Session, options?: { signal?: AbortSignal }): Promise<OwnTicket>;
  /**
   * Opens a session and takes a place with it: `openSession` and `enqueue` in fewer round trips, on stores where that can be. When it fails,
   * the session ends, and what it has taken with it: soon, or with its TTL where the store can not be told.
   * @throws what those two throw
   */
  enter?(queue: string, label: string, options: SessionOptions & { signal?: AbortSignal }): Promise<Entrance>;
  /** The queue in order of arrival; places of ended sessions are not in it. */
  queue(queue: string, options?: { signal?: AbortSignal }): Promise<Ticket[]>;
  /** Leaves a queue; idempotent. Any client may clear away any place. */
  leave(ticket: Ticket, options?: { signal?: AbortSignal }): Promise<void>;
  /** Resolves once that ticket is gone (at once if it is). Only its own key is watched: no herd. */
  untilGone(ticket: Ticket, options: { signal: AbortSignal }): Promise<void>;
}

/** What each adapter's `index.ts` exports. */
export interface StoreAdapter<Config> {
  readonly kind: StoreCapabilities['kind'];
  /** @throws COORD_UNREACHABLE, COORD_DENIED, COORD_UNSUITABLE (for example a network file system) */
  open(config: Config, runtime: Runtime, options: { signal?: AbortSignal }): Promise<CoordinationStore>;
}

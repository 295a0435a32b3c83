import type { OwnTicket, Session } from './store.ts';

/**
 * What its holder alone holds: a lock, a permit, a leadership. Guarded work runs under `signal`, calls `assertValid` before each act, and
 * sends `token` to what it changes, which refuses a token lower than one it has seen: then not even a holder that stalled between
 * `assertValid` and the act can do harm.
 */
export interface Hold extends AsyncDisposable {
  readonly name: string;
  /** Fencing token: larger than that of every earlier holder of this name, for ever. */
  readonly token: bigint;
  /** Aborts before anyone else can hold. Reason: HoldfastError COORD_SESSION_LOST. Aborts on `release` too. */
  readonly signal: AbortSignal;
  /** Monotonic time until which it is safe to hold, moved on by renewals. `signal` aborts when it has passed. */
  readonly validUntilMs: number;
  /** @throws COORD_SESSION_LOST */
  assertValid(): void;
  /** Gives it up now; the next in line gets it. Idempotent. @throws COORD_UNREACHABLE when the store could not be told: it then ends with its TTL */
  release(): Promise<void>;
}

export interface AcquireOptions {
  /** How long the store waits for a holder that died. Longer: calmer; shorter: faster take-over. Default 10 s. */
  ttlMs?: number;
  /** Allows a TTL under the store's least. */
  allowShortTtl?: boolean;
  /** How long to wait in line, at most; 0: only if it is free now. Default: as long as `signal` allows. */
  waitMs?: number;
  signal?: AbortSignal;
  /** Who this is, for people who look into the store. Default: the name of what is acquired. */
  holder?: string;
}

/** A Hold by a place at the front of a queue, with a session of its own: releasing ends the session, and all bound to it vanishes at once. */
export class QueueHold implements Hold {
  readonly name: string;
  readonly token: bigint;
  readonly session: Session;

  constructor(name: string, ticket: OwnTicket, session: Session) {
    this.name = name;
    this.token = ticket.token;
    this.session = session;
  }

  get signal(): AbortSignal {
    return this.session.signal;
  }

  get validUntilMs(): number {
    return this.session.validUntilMs;
  }

  assertValid(): void {
    this.session.assertValid();
  }

  release(): Promise<void> {
    return this.session.close();
  }

  [Symbol.asyncDispose](): PromiseLike<void> {
    return this.session[Symbol.asyncDispose]();
  }
}

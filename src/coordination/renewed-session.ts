import type { Clock } from '../core/clock.ts';
import type { Session, SessionState } from './store.ts';
import { type Sent, sentNow, Validity } from './validity.ts';

/** How often a session is renewed, how long one attempt may take, and when it is repeated after a failure: shares of the TTL. */
const renewShare = 1 / 4;
const retryShare = 1 / 20;

/** A session's life in one store, as calls. */
export interface SessionLife {
  readonly id: string;
  readonly ttlMs: number;
  /** True: renewed. False: the store says that it is gone. Throws when the store could not be asked. */
  renew(options: { timeoutMs: number; signal: AbortSignal }): Promise<boolean>;
  /** Ends it in the store. */
  end(): Promise<void>;
}

/** A session that renews itself until it is closed or lost. For stores whose protocol does not bring its own keep-alive. */
export class RenewedSession implements Session {
  readonly id: string;
  readonly ttlMs: number;
  readonly #clock: Clock;
  readonly #life: SessionLife;
  readonly #validity: Validity;
  #reached = true;
  #end: Promise<void> | undefined;

  /** @param options.sent when the request that created it was sent */
  constructor(clock: Clock, life: SessionLife, options: { sent: Sent; name: string }) {
    this.id = life.id;
    this.ttlMs = life.ttlMs;
    this.#clock = clock;
    this.#life = life;
    this.#validity = new Validity(clock, { ttlMs: life.ttlMs, sent: options.sent, name: `${options.name} (${life.id})` });
    void this.#keepAlive();
  }

  get state(): SessionState {
    if (this.#validity.lost) return 'lost';
    return this.#reached ? 'live' : 'suspended';
  }

  get validUntilMs(): number {
    return this.#validity.validUntilMs;
  }

  get signal(): AbortSignal {
    return this.#validity.signal;
  }

  assertValid(): void {
    this.#validity.assertValid();
  }

  /** The store said that it is gone. */
  lose(why: string): void {
    this.#validity.lose(why);
  }

  /** @throws COORD_UNREACHABLE when the store could not be told; it then ends with its TTL. May be called again. */
  async close(): Promise<void> {
    this.#validity.lose('closed by its holder');
    this.#end ??= this.#life.end().catch((error: unknown) => {
      this.#end = undefined;
      throw error;
    });
    await this.#end;
  }

  abandon(): void {
    this.#end ??= Promise.resolve();
    this.#validity.lose('left by its holder to end with its TTL');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // Not renewed any more, it ends with its TTL in any case: nothing for the caller to do.
    await this.close().catch(() => {});
  }

  async #keepAlive(): Promise<void> {
    const { signal } = this;
    for (let waitMs = this.ttlMs * renewShare; ;) {
      try {
        await this.#clock.sleep(waitMs, signal);
        const sent = sentNow(this.#clock);
        const renewed = await this.#life.renew({ timeoutMs: this.ttlMs * renewShare, signal });
        if (!renewed) return this.lose('the store has ended it');
        this.#validity.renewed(sent);
        this.#reached = true;
        waitMs = this.ttlMs * renewShare;
      } catch {
        if (signal.aborted) return;
        this.#reached = false;
        waitMs = this.ttlMs * retryShare;
      }
    }
  }
}

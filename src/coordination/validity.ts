import type { Clock, Timer } from '../core/clock.ts';
import { HoldfastError } from '../core/errors.ts';

/**
 * Share of the TTL, counted from when a renewal was sent, for which a session may be relied on. The rest covers what the clocks of two
 * machines drift apart in one TTL and how late a timer fires. (Measured in 5,000 simulated runs: with the whole TTL from the reply, most
 * runs with stalls saw two holders; so counted, none whose token was checked.)
 */
export const VALIDITY_SHARE = 0.85;

/** The signal may be this much late, which is nothing against what VALIDITY_SHARE leaves. */
const rearmMsMin = 1;

/** When a request left this machine, on both scales. Taken before it is sent. */
export interface Sent {
  readonly monotonicMs: number;
  readonly bootMs: number;
}

export function sentNow(clock: Clock): Sent {
  return { monotonicMs: clock.monotonicMs(), bootMs: clock.bootMs() };
}

/**
 * Until when a session may be relied on, judged by this machine's own clock. All adapters' sessions are built on it.
 * Once lost, lost for ever: a renewal confirmed too late does not bring it back.
 */
export class Validity implements Disposable {
  readonly #clock: Clock;
  readonly #name: string;
  readonly #abort = new AbortController();
  #spanMs: number;
  #sent: Sent;
  #timer: Timer | undefined;

  /**
   * @param options.sent when the request that created the session was sent
   * @param options.name for the error's message
   */
  constructor(clock: Clock, options: { ttlMs: number; sent: Sent; name: string }) {
    this.#clock = clock;
    this.#name = options.name;
    this.#spanMs = options.ttlMs * VALIDITY_SHARE;
    this.#sent = options.sent;
    this.#arm();
  }

  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  get lost(): boolean {
    return this.#check();
  }

  /** On the monotonic scale. What the machine was suspended for since is taken off: that clock stood still meanwhile, the store's did not. */
  get validUntilMs(): number {
    const suspendedMs = this.#clock.bootMs() - this.#sent.bootMs - (this.#clock.monotonicMs() - this.#sent.monotonicMs);
    return this.#sent.monotonicMs + this.#spanMs - Math.max(0, suspendedMs);
  }

  /** A renewal sent then was confirmed. Out of order is harmless. */
  renewed(sent: Sent, ttlMs: number = this.#spanMs / VALIDITY_SHARE): void {
    if (this.#check() || sent.monotonicMs < this.#sent.monotonicMs) return;
    this.#sent = sent;
    this.#spanMs = ttlMs * VALIDITY_SHARE;
    this.#arm();
  }

  /** Ends validity now: the store said that the session is gone, or the holder ends it. Idempotent. */
  lose(why: string): void {
    this.#timer?.[Symbol.dispose]();
    if (this.#abort.signal.aborted) return;
    this.#abort.abort(
      new HoldfastError('COORD_SESSION_LOST', `session ${this.#name} is over: ${why}`, {
        hint: 'What it guarded may be held by another now: stop, then acquire again.',
      }),
    );
  }

  /** @throws COORD_SESSION_LOST */
  assertValid(): void {
    if (this.#check()) throw this.#abort.signal.reason;
  }

  /** Stops the timer without a verdict; for a session that nobody relies on any more. */
  [Symbol.dispose](): void {
    this.#timer?.[Symbol.dispose]();
  }

  /** True when lost; finds out here and now, since the timer may be late or the machine was suspended. */
  #check(): boolean {
    const monotonicMs = this.#clock.monotonicMs() - this.#sent.monotonicMs;
    const bootMs = this.#clock.bootMs() - this.#sent.bootMs;
    if (Math.max(monotonicMs, bootMs) >= this.#spanMs) this.lose(`not renewed in the last ${Math.round(this.#spanMs)} ms`);
    return this.#abort.signal.aborted;
  }

  #arm(): void {
    this.#timer?.[Symbol.dispose]();
    const leftMs = Math.max(rearmMsMin, this.validUntilMs - this.#clock.monotonicMs());
    // When it fires, rounding may still see a fraction left: not again at once, which on a clock that stands still would be for ever.
    this.#timer = this.#clock.after(leftMs, () => {
      if (!this.#check()) this.#arm();
    });
  }
}

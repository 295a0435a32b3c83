import type { Clock } from '../../core/clock.ts';

/** How much of the time in which nothing was taken counts later: a short pause is made up for, a long one is not. */
const burstMs = 1_000;

/**
 * Spreads bytes over time: whoever takes some may begin when all that was taken before is paid for. So one take may be larger than any
 * burst, takers come in their order, and over time the rate holds exactly. (A generic cell rate algorithm, ITU-T I.371, appendix A, that
 * lets the last cell overdraw.)
 */
export class TokenBucket {
  readonly #clock: Clock;
  readonly #bytesPerMs: number;
  /** When what has been taken is paid for; monotonic. */
  #paidAtMs = -Infinity;

  constructor(bytesPerSecond: number, clock: Clock) {
    if (!(bytesPerSecond > 0)) throw new RangeError(`a rate is above 0, not ${bytesPerSecond}`);
    this.#bytesPerMs = bytesPerSecond / 1000;
    this.#clock = clock;
  }

  /** Resolves when these bytes may go. Whoever gives up gives them back. @throws the signal's reason */
  async take(sizeBytes: number, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const nowMs = this.#clock.monotonicMs();
    const beginMs = Math.max(this.#paidAtMs, nowMs - burstMs);
    const costMs = sizeBytes / this.#bytesPerMs;
    this.#paidAtMs = beginMs + costMs;
    if (beginMs <= nowMs) return;
    try {
      await this.#clock.sleep(beginMs - nowMs, signal);
    } catch (error) {
      this.#paidAtMs -= costMs;
      throw error;
    }
  }
}

import { momentsOf, phi, type Moments } from './phi.ts';

export interface ArrivalOptions {
  /** Number of intervals kept. 200 heartbeats of 200 ms look back 40 s: long enough for a distribution, short enough to follow a load. */
  window: number;
  /** When the next heartbeat is due after one that does not say so itself; until the window has filled a little, as many were in time. */
  expectedMs: number;
  /** Least σ. 50 to 100 ms made no mistake where 1 ms made 11 in 1,504 on a saturated machine. */
  minimumDeviationMs: number;
}

export const defaultArrivalOptions: ArrivalOptions = { window: 200, expectedMs: 200, minimumDeviationMs: 60 };

/** As many in time stand in for what was not yet seen, so that the first few do not decide alone. */
const PADDING = 10;
/** An interval counts as at most so many expected ones: an outage says nothing about the rhythm, and would make this observer slow to see the next. */
const INTERVALS_MAX = 10;

/**
 * Heartbeats of one peer, as one observer saw them: how late each was by what the one before it had announced. So what was learned holds when a
 * peer begins to beat faster or slower; at an even pace φ is that of the intervals themselves. When the *reader* stalled (its event loop was blocked, the machine was suspended), the
 * silence says nothing about the peer: the stalled stretch is left out of the window and of the time waited, so φ starts over.
 */
export class Arrivals {
  readonly #options: ArrivalOptions;
  readonly #delays: number[] = [];
  #lastMs: number | undefined;
  /** Silence is counted from here: the last arrival, or the end of the observer's own stall. */
  #fromMs: number | undefined;
  /** When the next is due, after the last. */
  #dueMs: number;
  /** Of the delays as they are; undefined when they have changed since. */
  #moments: Moments | undefined;

  constructor(options: ArrivalOptions = defaultArrivalOptions) {
    this.#options = options;
    this.#dueMs = options.expectedMs;
  }

  get lastMs(): number | undefined {
    return this.#lastMs;
  }

  /** @param nextMs when this heartbeat says that the next one comes at the latest */
  arrived(nowMs: number, nextMs: number = this.#options.expectedMs): void {
    if (this.#lastMs !== undefined && this.#fromMs === this.#lastMs) this.#count(nowMs - this.#lastMs);
    this.#dueMs = nextMs;
    this.#lastMs = nowMs;
    this.#fromMs = nowMs;
  }

  /** The observer itself was stalled until now. */
  observerStalled(nowMs: number): void {
    if (this.#fromMs !== undefined) this.#fromMs = nowMs;
  }

  /** A fresh connection: what was learned about the rhythm stays, the silence does not. */
  reconnected(nowMs: number): void {
    this.#fromMs = nowMs;
  }

  /** φ now; 0 before the first heartbeat. */
  phi(nowMs: number): number {
    if (this.#fromMs === undefined) return 0;
    this.#moments ??= this.#momentsNow();
    return phi(nowMs - this.#fromMs, this.#dueMs + this.#moments.mean, Math.max(this.#moments.deviation, this.#options.minimumDeviationMs));
  }

  #momentsNow(): Moments {
    const padding = PADDING - this.#delays.length;
    if (padding <= 0) return momentsOf(this.#delays);
    return momentsOf([...this.#delays, ...Array.from({ length: padding }, () => 0)]);
  }

  #count(intervalMs: number): void {
    this.#delays.push(Math.min(Math.max(0, intervalMs), INTERVALS_MAX * this.#dueMs) - this.#dueMs);
    if (this.#delays.length > this.#options.window) this.#delays.shift();
    this.#moments = undefined;
  }
}

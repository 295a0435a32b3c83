import { momentsOf, phi, type Moments } from './phi.ts';

export interface ArrivalOptions {
  /** Number of intervals kept. 200 heartbeats of 200 ms look back 40 s: long enough for a distribution, short enough to follow a load. */
  window: number;
  /** Expected interval, used until the window has filled a little. */
  expectedMs: number;
  /** Least σ. 50 to 100 ms made no mistake where 1 ms made 11 in 1,504 on a saturated machine. */
  minimumDeviationMs: number;
}

export const defaultArrivalOptions: ArrivalOptions = { window: 200, expectedMs: 200, minimumDeviationMs: 60 };

/** As many intervals as expected stand in for what was not yet seen, so that the first few do not decide alone. */
const PADDING = 10;
/** An interval counts as at most so many expected ones: an outage says nothing about the rhythm, and would make this observer slow to see the next. */
const INTERVALS_MAX = 10;

/**
 * Heartbeats of one peer, as one observer saw them. When the *reader* stalled (its event loop was blocked, the machine was suspended), the
 * silence says nothing about the peer: the stalled stretch is left out of the window and of the time waited, so φ starts over.
 */
export class Arrivals {
  readonly #options: ArrivalOptions;
  readonly #intervals: number[] = [];
  #lastMs: number | undefined;
  /** Silence is counted from here: the last arrival, or the end of the observer's own stall. */
  #fromMs: number | undefined;
  /** Of the intervals as they are; undefined when they have changed since. */
  #moments: Moments | undefined;

  constructor(options: ArrivalOptions = defaultArrivalOptions) {
    this.#options = options;
  }

  get lastMs(): number | undefined {
    return this.#lastMs;
  }

  arrived(nowMs: number): void {
    if (this.#lastMs !== undefined && this.#fromMs === this.#lastMs) this.#count(nowMs - this.#lastMs);
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
    return phi(nowMs - this.#fromMs, this.#moments.mean, Math.max(this.#moments.deviation, this.#options.minimumDeviationMs));
  }

  #momentsNow(): Moments {
    const padding = PADDING - this.#intervals.length;
    if (padding <= 0) return momentsOf(this.#intervals);
    return momentsOf([...this.#intervals, ...Array.from({ length: padding }, () => this.#options.expectedMs)]);
  }

  #count(intervalMs: number): void {
    this.#intervals.push(Math.min(Math.max(0, intervalMs), INTERVALS_MAX * this.#options.expectedMs));
    if (this.#intervals.length > this.#options.window) this.#intervals.shift();
    this.#moments = undefined;
  }
}

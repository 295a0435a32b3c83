import type { Clock, Timer } from '../../../core/clock.ts';
import { untilCalled } from './until-called.ts';

/** Connections being opened to one server at a time: a thousand held clients let go at once would overrun its listen queue. */
const attemptsMax = 64;
/** Pause after the first failure in a row; it doubles with each one. A server that was just promoted needs about 50 ms. */
const pauseMsMin = 20;
const pauseMsMax = 250;

/**
 * The way to one server. While it answers, up to `attemptsMax` are let through at a time, in order of arrival. When it does not, one
 * client at a time tries again after a growing pause, on behalf of all that wait: the load of retrying does not grow with their number.
 */
export class Gate implements Disposable {
  readonly #clock: Clock;
  readonly #waiters = new Set<() => void>();
  #active = 0;
  #failuresInARow = 0;
  #pause: Timer | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Nobody is let through just now. */
  get closed(): boolean {
    return this.#pause !== undefined;
  }

  /** The last attempt failed. */
  get failing(): boolean {
    return this.#failuresInARow > 0;
  }

  /** Somebody waits here or is on the way. */
  get isWanted(): boolean {
    return this.#active + this.#waiters.size > 0;
  }

  /**
   * Waits for its turn. Whoever was let through must say how it went by `leave`.
   * @throws the signal's reason
   */
  async enter(signal: AbortSignal): Promise<void> {
    await untilCalled(signal, (admit) => {
      this.#waiters.add(admit);
      this.#admit();
      return () => this.#waiters.delete(admit);
    });
  }

  /** `abandoned`: the client left or the route changed before the server could show how it is. */
  leave(outcome: 'answered' | 'failed' | 'abandoned'): void {
    this.#active--;
    if (outcome === 'answered') this.open();
    else if (outcome === 'failed') this.#close();
    this.#admit();
  }

  /** Forgets failures: there is news of this server. */
  open(): void {
    this.#failuresInARow = 0;
    this.#pause?.[Symbol.dispose]();
    this.#pause = undefined;
    this.#admit();
  }

  [Symbol.dispose](): void {
    this.#pause?.[Symbol.dispose]();
  }

  #close(): void {
    // Attempts that were under way together fail together: one failure.
    if (this.#pause !== undefined) return;
    const pauseMs = Math.min(pauseMsMax, pauseMsMin * 2 ** this.#failuresInARow);
    this.#failuresInARow++;
    this.#pause = this.#clock.after(pauseMs, () => {
      this.#pause = undefined;
      this.#admit();
    });
  }

  #admit(): void {
    const limit = this.closed ? 0 : this.failing ? 1 : attemptsMax;
    for (const admit of this.#waiters) {
      if (this.#active >= limit) return;
      this.#waiters.delete(admit);
      this.#active++;
      admit();
    }
  }
}

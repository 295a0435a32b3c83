import { abortable } from '../core/abortable.ts';
import type { Clock } from '../core/clock.ts';
import { Health } from './health.ts';
import type { LocationStatus } from './location.ts';

/** How long what was given up is waited for: temporary files are removed meanwhile. */
const settleMsMax = 5_000;

/**
 * The calls on one store: each ends at once with its signal, though the store may still be at it; failures are explained in our own words;
 * the last one tells how the location is.
 */
export class Calls {
  readonly #clock: Clock;
  readonly #explain: (error: unknown) => unknown;
  readonly #health: Health;
  readonly #running = new Set<Promise<unknown>>();

  /** @param explain turns what the store's own library throws into a HoldfastError; gives back what it does not know */
  constructor(name: string, clock: Clock, explain: (error: unknown) => unknown) {
    this.#clock = clock;
    this.#explain = explain;
    this.#health = new Health(name);
  }

  /** @throws what `explain` makes of a failure; the signal's reason */
  async run<T>(signal: AbortSignal, call: () => Promise<T>): Promise<T> {
    signal.throwIfAborted();
    const work = call();
    void this.#track(work);
    try {
      const result = await abortable(work, signal);
      this.#health.succeeded();
      return result;
    } catch (error) {
      signal.throwIfAborted();
      const explained = this.#explain(error);
      this.#health.failed(explained);
      throw explained;
    }
  }

  status(): LocationStatus {
    return this.#health.status();
  }

  /** Tidies up behind a call; what fails of it is nobody's any more. It is waited for, but not for ever. */
  async tidy(work: () => Promise<void>): Promise<void> {
    await this.#wait(this.#track(work()));
  }

  /** Waits until nothing is under way any more, but not for ever. */
  async settle(): Promise<void> {
    await this.#wait(Promise.all(this.#running));
  }

  #track(work: Promise<unknown>): Promise<void> {
    const settled = work.then(
      () => {},
      () => {},
    );
    this.#running.add(settled);
    void settled.then(() => this.#running.delete(settled));
    return settled;
  }

  async #wait(settled: Promise<unknown>): Promise<void> {
    const done = new AbortController();
    const late = this.#clock.sleep(settleMsMax, done.signal).catch(() => {});
    await Promise.race([settled, late]);
    done.abort();
  }
}

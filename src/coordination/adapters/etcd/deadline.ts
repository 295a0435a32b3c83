import type { Clock, Timer } from '../../../core/clock.ts';
import { CallFailure } from './failure.ts';

/** A time limit as a signal. It aborts after `limitMs` with a CallFailure `timeout`, or with the reason of a parent when that aborts first. */
export class Deadline implements Disposable {
  readonly #abort = new AbortController();
  readonly #parents: readonly AbortSignal[];
  readonly #timer: Timer;
  readonly #follow = (event: Event): void => this.#abort.abort((event.target as AbortSignal).reason);

  /** @throws the reason of a parent that is aborted already */
  constructor(clock: Clock, limitMs: number, what: string, parents: readonly (AbortSignal | undefined)[]) {
    this.#parents = parents.filter((parent) => parent !== undefined);
    for (const parent of this.#parents) parent.throwIfAborted();
    for (const parent of this.#parents) parent.addEventListener('abort', this.#follow, { once: true });
    this.#timer = clock.after(limitMs, () => this.#abort.abort(new CallFailure('timeout', `${what} within ${Math.round(limitMs)} ms`)));
  }

  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  [Symbol.dispose](): void {
    this.#timer[Symbol.dispose]();
    for (const parent of this.#parents) parent.removeEventListener('abort', this.#follow);
  }
}

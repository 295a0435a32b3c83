import type { Clock, Timer } from '../../../core/clock.ts';

/**
 * Tells of servers that have been missing for some time, once for each absence. Short gaps, as a slow agent makes them, do not count.
 */
export class Absence implements Disposable {
  readonly #clock: Clock;
  readonly #toleranceMs: number;
  readonly #onAbsent: (node: string) => void;
  readonly #timers = new Map<string, Timer>();
  #present: ReadonlySet<string> = new Set();

  constructor(clock: Clock, toleranceMs: number, onAbsent: (node: string) => void) {
    this.#clock = clock;
    this.#toleranceMs = toleranceMs;
    this.#onAbsent = onAbsent;
  }

  update(present: ReadonlySet<string>): void {
    for (const node of present) {
      this.#timers.get(node)?.[Symbol.dispose]();
      this.#timers.delete(node);
    }
    for (const node of this.#present) {
      if (present.has(node)) continue;
      const timer = this.#clock.after(this.#toleranceMs, () => {
        this.#timers.delete(node);
        this.#onAbsent(node);
      });
      this.#timers.set(node, timer);
    }
    this.#present = present;
  }

  [Symbol.dispose](): void {
    for (const timer of this.#timers.values()) timer[Symbol.dispose]();
    this.#timers.clear();
  }
}

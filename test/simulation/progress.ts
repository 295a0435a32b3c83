import { createClock } from '../../src/runtime/index.ts';
import type { Tally } from './tally.ts';

const progressEveryMs = 500;

/** One line on a terminal, rewritten as it goes on. */
export class Progress {
  readonly #clock = createClock();
  readonly #seeds: number;
  readonly #beganMs = this.#clock.monotonicMs();
  #shownMs = this.#beganMs;

  constructor(seeds: number) {
    this.#seeds = seeds;
  }

  show(tally: Tally): void {
    const now = this.#clock.monotonicMs();
    if (!process.stderr.isTTY || now - this.#shownMs < progressEveryMs) return;
    this.#shownMs = now;
    const perSecond = (tally.seeds / (now - this.#beganMs)) * 1_000;
    const leftS = Math.ceil((this.#seeds - tally.seeds) / perSecond);
    process.stderr.write(
      `\r\x1b[K${tally.seeds} of ${this.#seeds} seeds, ${tally.clusterHours.toFixed(1)} cluster-hours, ${tally.violationCount} violations, ${perSecond.toFixed(0)} seeds/s, ${leftS} s left`,
    );
  }

  clear(): void {
    if (process.stderr.isTTY) process.stderr.write('\r\x1b[K');
  }
}

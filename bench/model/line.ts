import type { Random } from '../../src/core/random.ts';

/** One thing that is measured. */
export interface Line {
  /** What is solved, with its size. */
  readonly title: string;
  /** Done once for each round, with numbers that differ from round to round; says what came out, in a few words. */
  readonly run: (random: Random) => Promise<string> | string;
}

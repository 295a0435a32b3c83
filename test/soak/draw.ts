import type { SeededRandom } from '../../src/sim/random.ts';
import { catalogue, type Where } from './catalogue.ts';

/** How often a second fault comes while the first lasts. */
const OVERLAPPING = 0.4;
/** Tries to find one that fits. */
const DRAWS_MAX = 100;
const DELAY_MS_MAX = 3_000;

/** One fault of a round. Times in milliseconds. */
export interface Drawn {
  readonly kind: string;
  readonly where: Where;
  /** After the round has begun. */
  readonly delayMs: number;
  readonly lastsMs: number;
}

/** One fault, or two that overlap as it comes. Pure. */
export function drawRound(random: SeededRandom): readonly Drawn[] {
  const first = draw(random, 0);
  if (catalogue[first.kind]!.alone === true || !random.chance(OVERLAPPING)) return [first];
  for (let draws = 0; draws < DRAWS_MAX; draws++) {
    const second = draw(random, random.integer(DELAY_MS_MAX));
    if (fits(first, second)) return [first, second];
  }
  return [first];
}

function draw(random: SeededRandom, delayMs: number): Drawn {
  const kind = random.pick(Object.keys(catalogue));
  const { where, lastsMs } = catalogue[kind]!;
  const [min, max] = lastsMs;
  return { kind, where: random.pick(where), delayMs, lastsMs: min + random.integer(max - min) };
}

function fits(first: Drawn, second: Drawn): boolean {
  const other = catalogue[second.kind]!;
  return other.alone !== true && (other.family !== catalogue[first.kind]!.family || second.where !== first.where);
}

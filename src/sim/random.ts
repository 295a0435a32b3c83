import type { Random } from '../core/random.ts';

/** Chance that repeats itself exactly for the same seed, on every machine. */
export interface SeededRandom extends Random {
  /** Uniform in [0, exclusiveMax), whole. */
  integer(exclusiveMax: number): number;
  /** True with this probability. */
  chance(probability: number): boolean;
  pick<T>(items: readonly T[]): T;
  /** An own stream for a part of the simulation, so that one part drawing more does not change what another one sees. */
  fork(label: string): SeededRandom;
}

/**
 * sfc32, "small fast counting" by Chris Doty-Humphrey (PractRand 0.93, 2013; passes PractRand and BigCrush), state filled from the seed by
 * FNV-1a (Fowler, Noll, Vo, RFC 9923) and 12 rounds discarded, as its author's seeding does. 53 bits per number, from two outputs.
 */
export function seededRandom(seed: number | string): SeededRandom {
  const text = String(seed);
  let a = fnv1a(`a:${text}`);
  let b = fnv1a(`b:${text}`);
  let c = fnv1a(`c:${text}`);
  let counter = 1;
  const word = (): number => {
    const result = (a + b + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (((c << 21) | (c >>> 11)) + result) | 0;
    return result >>> 0;
  };
  for (let round = 0; round < 12; round += 1) word();

  const next = (): number => ((word() >>> 5) * 2 ** 26 + (word() >>> 6)) / 2 ** 53;
  const integer = (exclusiveMax: number): number => Math.floor(next() * exclusiveMax);
  return {
    next,
    integer,
    chance: (probability) => next() < probability,
    pick: <T>(items: readonly T[]): T => {
      if (items.length === 0) throw new RangeError('nothing to pick from');
      return items[integer(items.length)]!;
    },
    fork: (label) => seededRandom(`${text}/${label}`),
  };
}

function fnv1a(text: string): number {
  let hash = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(text)) hash = Math.imul(hash ^ byte, 0x01000193);
  return hash >>> 0;
}

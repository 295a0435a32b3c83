import type { Random } from '../core/random.ts';

/** This process's chance. */
export function createRandom(): Random {
  return { next: Math.random };
}

import { expect, test } from 'vitest';
import { type Setup, type Tally, World } from './testing/world.ts';

const seeds = 3;
const events = 120;

const setups: readonly (readonly [string, Setup])[] = [
  ['a mirror of 3', { kind: 'mirror', data: 2, parity: 1 }],
  ['parity of 2 + 1', { kind: 'parity', data: 2, parity: 1 }],
  ['parity of 2 + 2', { kind: 'parity', data: 2, parity: 2 }],
  ['parity of 4 + 2', { kind: 'parity', data: 4, parity: 2 }],
];

// Safety: what was acknowledged is read while enough parts have it, what was removed does not come back, a replaced object is never mixed, an
// object is created once; and when all parts are back, catch-up and one scrub leave every part whole and no note. Method: histories of two
// processes by seed, with parts that go away, connections that break before and after a call, flipped bits, and crashes between any two calls.
test.each(setups)('%s keeps its word in every history', { timeout: 120_000 }, async (_, setup) => {
  const sum: Record<string, number> = {};
  for (let seed = 0; seed < seeds; seed += 1) {
    const tally = await new World(String(seed), setup, { events }).run().catch((error: unknown) => {
      throw new Error(`seed ${seed}`, { cause: error });
    });
    for (const [name, count] of Object.entries(tally)) sum[name] = (sum[name] ?? 0) + count;
  }
  // A history in which nothing happens proves nothing.
  const kinds: readonly (keyof Tally)[] = ['acknowledged', 'refused', 'reads', 'certainReads', 'crashes', 'absences', 'notesSeen'];
  for (const kind of kinds) expect(sum[kind], kind).toBeGreaterThan(seeds / 2);
});

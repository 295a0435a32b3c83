import { expect, test } from 'vitest';
import type { CombinedLocation } from './combined.ts';
import { type Setup, World } from './testing/world.ts';

const events = 120;
const seedsMax = 40;
const mirror: Setup = { kind: 'mirror', data: 2, parity: 1 };
const parity: Setup = { kind: 'parity', data: 2, parity: 2 };

/** Bugs as somebody might make them; each must be found within some seeds. */
const bugs: readonly [string, Setup, (location: CombinedLocation) => void][] = [
  ['what a part misses is not noted', mirror, ({ inside: { ensemble } }) => (ensemble.pending.add = async () => {})],
  ['what a part misses is noted in memory alone', parity, ({ inside: { ensemble } }) => (ensemble.pending.load = async () => {})],
  ['a change is called done whatever became of it', parity, ({ inside: { ensemble } }) => (ensemble.conclude = async () => {})],
  ['nobody finds what waits beside an object', parity, ({ inside: { ensemble } }) => (ensemble.pending.staged = () => [])],
  ['later changes do not outrank earlier ones', mirror, ({ inside: { ensemble } }) => (ensemble.stamps.next = () => `${'f'.repeat(31)}0`)],
  ['damaged copies are taken for good', mirror, ({ inside: { scheme } }) => takeAllForGood(scheme)],
];

function takeAllForGood(scheme: CombinedLocation['inside']['scheme']): void {
  const observe = scheme.observe.bind(scheme);
  scheme.observe = (key, part, options) => observe(key, part, { ...options, deep: false });
}

// Safety: the simulation notices what it is for. Method: locations are broken as they are opened.
test.each(bugs)('finds that %s', { timeout: 120_000 }, async (_, setup, sabotage) => {
  for (let seed = 0; seed < seedsMax; seed += 1) {
    const failure: unknown = await new World(`planted-${seed}`, setup, { events, sabotage }).run().then(
      () => undefined,
      (error: unknown) => error,
    );
    if (failure !== undefined) return;
  }
  expect.unreachable(`${seedsMax} histories did not show it`);
});

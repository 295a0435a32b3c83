import { expect, test } from 'vitest';
import { runSeed } from './run.ts';

/*
 * Whole clusters of the real member, election, requests, lease, peers and stores over a simulated machine room, each seed another world.
 * Safety and liveness: see invariants.ts and run.ts. A failure prints the seed and the end of its trace; `runSeed(seed)` replays it exactly.
 */

const seeds = 100;
const perTest = 10;
const traceLines = 250;

test.each(Array.from({ length: seeds / perTest }, (_, part) => part * perTest + 1))(
  `seeds from %d: what was acknowledged stays, and service comes back`,
  async (first) => {
    for (let seed = first; seed < first + perTest; seed++) {
      const { violation, world, acknowledged } = await runSeed(seed);
      if (violation !== undefined) expect.fail(`seed ${seed}: ${violation.message}\n${world.trace.text(traceLines)}`);
      expect(acknowledged, `seed ${seed} wrote something`).toBeGreaterThan(0);
    }
  },
  120_000,
);

test('a seed replays exactly, and another one goes another way', async () => {
  const [first, again, other] = [await runSeed(42), await runSeed(42), await runSeed(43)];
  expect(again.digest).toBe(first.digest);
  expect(again.world.trace.text()).toBe(first.world.trace.text());
  expect(other.digest).not.toBe(first.digest);
});

test('the seeds do exercise what they are to prove', async () => {
  let reigns = 0;
  const struck = new Set<string>();
  for (let seed = 1; seed <= 12; seed++) {
    const run = await runSeed(seed);
    reigns += run.reigns;
    for (const kind of run.faults.keys()) struck.add(kind);
  }
  expect(reigns).toBeGreaterThan(12 * 3);
  expect(struck.size).toBeGreaterThan(15);
});

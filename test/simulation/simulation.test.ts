import { expect, test } from 'vitest';
import { runSeed, type RunResult } from './run.ts';
import { count, emptyTally, reportOf, tallyText } from './tally.ts';
import { faithful } from './variation.ts';

test('a seed replays exactly, and another one goes another way', async () => {
  const [first, again, other] = [await runSeed(42), await runSeed(42), await runSeed(43)];
  expect(again.digest).toBe(first.digest);
  expect(again.world.trace.text()).toBe(first.world.trace.text());
  expect(other.digest).not.toBe(first.digest);
});

test('whatever else the process does meanwhile, a seed goes the same way, kept whole or not', async () => {
  const [whole, beside] = await Promise.all([runSeed(42, { traceLinesMax: Infinity }), runSeed(43)]);
  expect(whole.digest).toBe((await runSeed(42, { traceLinesMax: 1 })).digest);
  expect(beside.digest).toBe((await runSeed(43)).digest);
});

test('the seeds do exercise what they are to prove', async () => {
  const tally = emptyTally();
  const runs: RunResult[] = [];
  for (let seed = 1; seed <= 40; seed++) {
    const run = await runSeed(seed, { traceLinesMax: 1 });
    runs.push(run);
    count(tally, reportOf(run));
  }
  expect(Object.keys(tally.members)).toEqual(['2', '3', '4', '5', '6', '7']);
  expect(Object.keys(tally.faults).length).toBeGreaterThan(28);
  expect(tally.changes['failover']).toBeGreaterThan(40);
  expect(tally.changes['switchover']).toBeGreaterThan(3);
  expect(tally.acknowledged).toBeGreaterThan(40 * 100);
  expect(tally.reads).toBeGreaterThan(40 * 30);
  expect(new Set(runs.map((run) => run.world.policy.acknowledge)).size).toBe(3);
  expect(tally.violations).toEqual([]);
  expect(tallyText(tally)).toMatch(/^seeds +40\ncluster-hours +0\.\d\d\n/);
}, 60_000);

test('what is thrown is a violation, not the end of the simulation', async () => {
  const { violation } = await runSeed(1, {
    variation: {
      ...faithful,
      fence: () => {
        throw new Error('planted where nobody catches it');
      },
    },
  });
  expect(violation?.message).toMatch(/^thrown and not caught: Error: planted where nobody catches it\n +at/);
});

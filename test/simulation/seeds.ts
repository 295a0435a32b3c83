import { expect, test } from 'vitest';
import { runSeed } from './run.ts';

/*
 * Whole clusters of the real member, election, requests, lease, peers and stores over a simulated machine room, each seed another world.
 * Safety and liveness: see invariants.ts and run.ts. A failure shows the end of its trace; `npm run sim -- --seed S` replays it exactly.
 */

const perTest = 10;
const traceLines = 250;

/** Tests that nothing is violated in `count` seeds; in several files, so that they share the threads of the test runner. */
export function testSeeds(from: number, count: number): void {
  test.each(Array.from({ length: count / perTest }, (_, part) => from + part * perTest))(
    `seeds from %d: what was acknowledged stays, and service comes back`,
    async (first) => {
      for (let seed = first; seed < first + perTest; seed++) {
        const { violation, world, acknowledged } = await runSeed(seed, { traceLinesMax: traceLines });
        if (violation !== undefined) expect.fail(`seed ${seed}: ${violation.message}\n${world.trace.text()}`);
        expect(acknowledged, `seed ${seed} wrote something`).toBeGreaterThan(0);
      }
    },
    120_000,
  );
}

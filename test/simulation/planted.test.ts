import { describe, expect, test } from 'vitest';
import { planted } from './planted.ts';
import { runSeed } from './run.ts';

/* The test of the test: bugs put between the failover code and its ports, each of which the simulation must notice soon. */
describe('a planted bug is found', () => {
  test.each(planted.map((one) => [one.variation.name, one.seedsMax, one] as const))(
    '%s, within %d seeds',
    async (_, seedsMax, { variation, options, tells }) => {
      for (let seed = 1; seed <= seedsMax; seed++) {
        const { violation } = await runSeed(seed, { ...options, variation });
        if (violation === undefined) continue;
        return expect(violation.message).toMatch(tells ?? /./);
      }
      expect.fail(`none of ${seedsMax} seeds noticed it`);
    },
    120_000,
  );

  test('and there are enough of them, each with a name of its own', () => {
    expect(new Set(planted.map((one) => one.variation.name)).size).toBe(planted.length);
    expect(planted.length).toBeGreaterThanOrEqual(12);
  });

  test.each(planted.map((one) => [one.variation.name, one] as const))('and without it nothing is: %s', async (_, { options }) => {
    for (let seed = 1; seed <= 2; seed++) expect((await runSeed(seed, options)).violation?.message).toBeUndefined();
  });
});

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { expandGroup, type CommonCauseModel } from './common-cause.ts';
import { cutSets } from './cut-sets.ts';
import { failureFrequency } from './failures.ts';
import { evaluate, solveStructure } from './solve.ts';
import type { BasicEvent } from './event.ts';
import type { Structure } from './structure.ts';

/** Three trains of a pump and a valve, all needed to fail; Q = 0.1 for each part. */
function trains(model: CommonCauseModel): Structure {
  const part: BasicEvent = { kind: 'probability', probability: 0.1 };
  return {
    top: { op: 'and', of: [1, 2, 3].map((train) => ({ op: 'or' as const, of: [`v${train}`, `p${train}`] })) },
    events: Object.fromEntries(['v1', 'v2', 'v3', 'p1', 'p2', 'p3'].map((name) => [name, part])),
    groups: { valves: { ...model, members: ['v1', 'v2', 'v3'] }, pumps: { ...model, members: ['p1', 'p2', 'p3'] } },
  };
}

describe('three trains with two groups', () => {
  // Source: the tests of SCRAM 0.16 (beta_factor_ccf … phi_factor_ccf), which follow Open-PSA; to the digits that are published there.
  const published: { model: CommonCauseModel; exact: number; rare: number; sets: bigint }[] = [
    { model: { model: 'beta', beta: 0.2 }, exact: 0.04308, rare: 0.044096, sets: 10n },
    { model: { model: 'mgl', factors: [0.2, 0.1] }, exact: 0.0163, rare: 0.01771, sets: 34n },
    { model: { model: 'alpha', factors: [0.7, 0.2, 0.1], testing: 'simultaneous' }, exact: 0.05298, rare: 0.05488, sets: 34n },
    { model: { model: 'phi', factors: [0.7, 0.2, 0.1] }, exact: 0.04104, rare: 0.04434, sets: 34n },
  ];
  test.each(published)('$model.model', ({ model, exact, rare, sets }) => {
    const solved = solveStructure(trains(model));
    expect(Math.abs(evaluate(solved, 'steady').top.q - exact)).toBeLessThan(1e-5);
    const cuts = cutSets(solved);
    expect(Math.abs(cuts.rareEvent('steady') - rare)).toBeLessThan(1e-5);
    expect(cuts.count()).toBe(sets);
  });
});

describe('shares', () => {
  const members = ['a', 'b', 'c', 'd'];
  const shares = (model: CommonCauseModel): number[] => {
    const events = expandGroup({ ...model, members });
    return [1, 2, 3, 4].map((size) => {
      const share = events.find((event) => event.members.length === size)?.share;
      return share === undefined ? 0 : 'factor' in share ? share.factor : share.fixed;
    });
  };

  test('MGL of four, as in Open-PSA: Q₂ = β(1−γ)/3, Q₃ = βγ(1−δ)/3, Q₄ = βγδ', () => {
    const [beta, gamma, delta] = [0.1, 0.5, 0.8] as const;
    const expected = [1 - beta, (beta * (1 - gamma)) / 3, (beta * gamma * (1 - delta)) / 3, beta * gamma * delta];
    for (const [index, share] of shares({ model: 'mgl', factors: [beta, gamma, delta] }).entries())
      expect(share).toBeCloseTo(expected[index]!, 15);
  });

  test('alpha of four with staggered tests: αₖ/C(3, k−1)', () => {
    const expected = [0.9, 0.05 / 3, 0.03 / 3, 0.02];
    for (const [index, share] of shares({ model: 'alpha', factors: [0.9, 0.05, 0.03, 0.02], testing: 'staggered' }).entries())
      expect(share).toBeCloseTo(expected[index]!, 15);
  });

  test('those of beta, MGL and alpha that take one member sum to 1', () => {
    const factor = fc.double({ min: 0, max: 1, noNaN: true });
    fc.assert(
      fc.property(fc.tuple(factor, factor, factor), ([x, y, z]) => {
        const alphas = [1 + x, y, z, x * y].map((value, _, all) => value / all.reduce((sum, each) => sum + each, 0));
        const models: CommonCauseModel[] = [
          { model: 'beta', beta: x },
          { model: 'mgl', factors: [x, y, z] },
          { model: 'alpha', factors: alphas, testing: 'staggered' },
          { model: 'alpha', factors: alphas, testing: 'simultaneous' },
        ];
        for (const model of models) {
          const [one, two, three, four] = shares(model) as [number, number, number, number];
          expect(one + 3 * two + 3 * three + four).toBeCloseTo(1, 12);
        }
      }),
    );
  });
});

test('a group of repairable parts: the common cause bounds what redundancy brings', () => {
  const part: BasicEvent = { kind: 'repairable', rate: 1e-4, repairTime: 10 };
  const pair: Structure = {
    top: { op: 'parallel', of: ['a', 'b'] },
    events: { a: part, b: part },
    groups: { both: { model: 'beta', beta: 0.1, members: ['a', 'b'] } },
  };
  const solved = solveStructure(pair);
  const q = 1e-3 / 1.001;
  // β·Q + (1 − β·Q)·((1 − β)·Q)².
  const { top } = evaluate(solved, 'steady');
  expect(Math.abs(top.q / (0.1 * q + (1 - 0.1 * q) * (0.9 * q) ** 2) - 1)).toBeLessThan(1e-13);
  expect(failureFrequency(solved, 'steady').frequency).toBeGreaterThan(0.1 * (1e-4 / 1.001) * (1 - q));
});

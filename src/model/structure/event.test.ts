import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { stateOf, type BasicEvent, type When } from './event.ts';
import { testedAt, testedOnAverage, testedRoughly, type PeriodicTest } from './tested.ts';

function state(event: BasicEvent, when: When): { q: number; a: number; intensity: number | undefined } {
  return stateOf(event, when)!;
}

function near(value: number, expected: number, digits = 12): void {
  expect(Math.abs(value / expected - 1)).toBeLessThan(10 ** -digits);
}

describe('events', () => {
  test('a tiny rate keeps its digits', () => {
    near(state({ kind: 'rate', rate: 1e-18 }, 100).q, 1e-16, 15);
    near(state({ kind: 'repairable', rate: 1e-12, repairTime: 1e-3 }, 'steady').q, 1e-15, 14);
  });

  test('a repairable part settles at λ/(λ+μ), from e^(−λt) at first', () => {
    const part: BasicEvent = { kind: 'repairable', rate: 0.01, repairTime: 10 };
    near(state(part, 'steady').q, 1 / 11);
    // NUREG-0492, eq. X-21: q(t) = λ/(λ+μ)·(1 − e^(−(λ+μ)t)).
    near(state(part, 5).q, (0.01 / 0.11) * (1 - Math.exp(-0.55)), 14);
    near(state(part, 1e4).q, 1 / 11);
    near(state(part, 1e-9).q, 1e-11, 8);
    expect(state({ kind: 'repairable', rate: 0.01, repairTime: 0 }, 5).q).toBe(0);
  });

  test('a Weibull life with shape 1 is a rate', () => {
    const weibull = state({ kind: 'weibull', scale: 100, shape: 1, delay: 10 }, 60);
    near(weibull.q, state({ kind: 'rate', rate: 0.01 }, 50).q, 14);
    near(weibull.intensity!, 0.01 * Math.exp(-0.5), 14);
    expect(state({ kind: 'weibull', scale: 100, shape: 3, delay: 10 }, 5)).toMatchObject({ q: 0, a: 1 });
  });

  test('a life is what its distribution says', () => {
    const life = { failure: (time: number) => ({ q: time / 100, a: 1 - time / 100 }), density: () => 0.01 };
    expect(stateOf({ kind: 'life', life }, 25)).toEqual({ q: 0.25, a: 0.75, intensity: 0.01, repairs: 0 });
    expect(stateOf({ kind: 'life', life }, 'steady')).toBeUndefined();
  });

  test('no event but with repair, tests or a fixed probability has a steady state', () => {
    expect(stateOf({ kind: 'rate', rate: 1 }, 'steady')).toBeUndefined();
    expect(stateOf({ kind: 'weibull', scale: 1, shape: 1 }, 'steady')).toBeUndefined();
    expect(stateOf({ kind: 'mission', rate: 0.001, time: 24 }, 'steady')?.q).toBeCloseTo(0.0237142, 6);
  });
});

describe('periodic tests', () => {
  test('without test and repair time: 1 − (1 − e^(−λτ))/(λτ), near λτ/2', () => {
    const part: PeriodicTest = { rate: 1e-4, interval: 720 };
    near(testedOnAverage(part).q, 1 - (1 - Math.exp(-0.072)) / 0.072);
    near(testedRoughly(part), 0.036, 14);
    near(testedOnAverage({ rate: 1e-15, interval: 1 }).q, 5e-16, 14);
  });

  test('with them, near λτ/2 + π/τ + λ/μ', () => {
    const part: PeriodicTest = { rate: 1e-6, interval: 1_000, testTime: 2, repairTime: 10 };
    near(testedOnAverage(part).q, testedRoughly(part), 2.3);
  });

  const parts = fc.record({
    rate: fc.double({ min: 1e-5, max: 0.02, noNaN: true }),
    interval: fc.double({ min: 50, max: 400, noNaN: true }),
    testTime: fc.double({ min: 0, max: 20, noNaN: true }),
    repairTime: fc.oneof(fc.constant(0), fc.double({ min: 5, max: 200, noNaN: true })),
  });

  test('the mean over an interval, long after the beginning, is the long-run mean', () => {
    fc.assert(
      fc.property(parts, (part) => {
        const { q, a } = testedOnAverage(part);
        expect(Math.abs(q + a - 1)).toBeLessThan(1e-12);
        // Midpoints of the smooth stretches of an interval after 200 tests.
        const from = 200 * part.interval;
        const sum = [
          [from, part.testTime],
          [from + part.testTime, part.interval - part.testTime],
        ].reduce((total, [start, length]) => total + integral((time) => testedAt(part, time).q, start!, length!), 0);
        expect(Math.abs(sum / part.interval / q - 1)).toBeLessThan(1e-4);
      }),
      { numRuns: 60 },
    );
  });

  test('at any time both sides sum to 1, and the curve is what it was in the interval before, in the end', () => {
    fc.assert(
      fc.property(parts, fc.double({ min: 0, max: 1, noNaN: true }), (part, share) => {
        const time = part.interval * (300 + share);
        const { q, a } = testedAt(part, time);
        expect(Math.abs(q + a - 1)).toBeLessThan(1e-12);
        expect(q).toBeGreaterThanOrEqual(0);
        expect(a).toBeGreaterThanOrEqual(0);
      }),
    );
  });

  test('until the first test it is an unrepaired part; at a test it is as the test finds it, then as new', () => {
    const part: PeriodicTest = { rate: 0.001, interval: 100, first: 30 };
    near(testedAt(part, 30).q, -Math.expm1(-0.03), 14);
    near(testedAt(part, 130).q, -Math.expm1(-0.1), 14);
    near(testedAt(part, 131).q, -Math.expm1(-0.001), 12);
    expect(testedAt({ ...part, testTime: 2 }, 131)).toEqual({ q: 1, a: 0 });
  });
});

/** By midpoints: what happens at the very moment of a test is beside the point. */
function integral(f: (time: number) => number, from: number, length: number): number {
  const steps = 400;
  let sum = 0;
  for (let step = 0; step < steps; step++) sum += f(from + ((step + 0.5) / steps) * length);
  return (sum / steps) * length;
}

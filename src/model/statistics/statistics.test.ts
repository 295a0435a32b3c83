import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { unavailabilityInParallel, unavailabilityInSeries, unavailabilityKOfN } from './composite.ts';
import { budgetLeft, budgetShare, burnRateFor, detectionMs, exhaustionMs, firing, resetMs, workbookAlerts } from './error-budget.ts';
import {
  clopperPearson,
  confidenceProven,
  drillsToProve,
  mtbfBounds,
  mttrBounds,
  reliabilityProven,
  timeToProveMtbf,
  zeroFailureMtbf,
} from './intervals.ts';
import { downtimeOf, ninesOf, periodsThatFit, unavailabilityOf } from './nines.ts';
import { rankDrills, readiness, riskPerYear } from './readiness.ts';
import { ageCostRate, bestAge, bestBlock, bestPeriodWithRepairs, blockCostRate, expectedRenewals } from './replacement.ts';

const hour = 3_600_000;
const day = 24 * hour;

describe('confidence bounds', () => {
  test('truncated by the failure itself there are two degrees of freedom less', () => {
    const time = mtbfBounds(1000, 3, { confidence: 0.9 });
    const failure = mtbfBounds(1000, 3, { confidence: 0.9, truncation: 'failure' });
    expect(failure.low).toBeGreaterThan(time.low);
    expect(failure.high).toBe(time.high);
    expect(mtbfBounds(1000, 3, { confidence: 0.95, sides: 'lower' })).toEqual({ low: time.low, high: Infinity });
  });

  test('no failure in T proves T / −ln(1−C), and that is the case of 0 failures', () => {
    expect(zeroFailureMtbf(1000, 0.6)).toBeCloseTo(mtbfBounds(1000, 0, { confidence: 0.6, sides: 'lower' }).low, 9);
    expect(timeToProveMtbf(zeroFailureMtbf(1000, 0.6), 0, 0.6)).toBeCloseTo(1000, 9);
  });

  test('were the MTBF at a bound, what was seen would have had just the odds that were accepted', () => {
    // A Poisson count with mean T/MTBF: at the lower bound 5 or fewer failures have 5 %, at the upper one 5 or more.
    const { low, high } = mtbfBounds(1000, 5);
    const atMost = (count: number, mean: number) => {
      let [term, sum] = [Math.exp(-mean), 0];
      for (let k = 0; k <= count; term *= mean / ++k) sum += term;
      return sum;
    };
    expect(atMost(5, 1000 / low)).toBeCloseTo(0.05, 12);
    expect(1 - atMost(4, 1000 / high)).toBeCloseTo(0.05, 12);
  });

  test('of repair times, exponential and lognormal', () => {
    const times = [1, 2, 3, 4];
    // 2·10/χ²(0.95; 8) = 20/15.507, 20/χ²(0.05; 8) = 20/2.733
    expect(mttrBounds(times).low).toBeCloseTo(20 / 15.507, 3);
    expect(mttrBounds(times).high).toBeCloseTo(20 / 2.733, 2);
    const { low, high } = mttrBounds(times, { law: 'lognormal' });
    expect(low).toBeLessThan(2.5);
    expect(high).toBeGreaterThan(2.5);
    expect(() => mttrBounds([0, 1], { law: 'lognormal' })).toThrow(/above 0/);
  });

  test('Clopper–Pearson: each end is just not rejected', () => {
    expect(clopperPearson(10, 10)).toEqual({ low: expect.closeTo(0.025 ** 0.1, 14), high: 1 });
    expect(clopperPearson(0, 10)).toEqual({ low: 0, high: expect.closeTo(1 - 0.025 ** 0.1, 14) });
    const { low, high } = clopperPearson(4, 20);
    // Binomial tails at the ends are 2.5 %.
    const tail = (from: number, to: number, p: number) =>
      Array.from({ length: to - from + 1 }, (_, i) => choose(20, from + i) * p ** (from + i) * (1 - p) ** (20 - from - i)).reduce(
        (a, b) => a + b,
        0,
      );
    expect(tail(4, 20, low)).toBeCloseTo(0.025, 12);
    expect(tail(0, 4, high)).toBeCloseTo(0.025, 12);
    expect(() => clopperPearson(3, 2)).toThrow(/from 0 to 2, not 3/);
  });

  test('drills: with n of them clean, R is proven with C, and one less does not prove it', () => {
    expect(drillsToProve(0.99, 0.99)).toBe(459);
    expect(drillsToProve(0.5, 0.5)).toBe(1);
    fc.assert(
      fc.property(fc.double({ min: 0.5, max: 0.999, noNaN: true }), fc.double({ min: 0.5, max: 0.999, noNaN: true }), (r, c) => {
        const n = drillsToProve(r, c);
        expect(confidenceProven(n, r)).toBeGreaterThanOrEqual(c - 1e-12);
        if (n > 1) expect(confidenceProven(n - 1, r)).toBeLessThan(c);
        expect(reliabilityProven(n, c)).toBeGreaterThanOrEqual(r - 1e-12);
        expect(drillsToProve(r, c, 1)).toBeGreaterThan(n);
      }),
    );
  });
});

describe('nines and downtime', () => {
  test('an availability is read to its last digit', () => {
    expect(unavailabilityOf('99.999%')).toBe(1e-5);
    expect(unavailabilityOf('99.95%')).toBe(5e-4);
    expect(unavailabilityOf('0.9995')).toBe(5e-4);
    expect(unavailabilityOf('100%')).toBe(0);
    expect(unavailabilityOf('99.9999999999999999%')).toBe(1e-18);
    for (const wrong of ['101%', '2', 'three nines', '99,9%', '-1'])
      expect(() => unavailabilityOf(wrong)).toThrow(/an availability is a percentage/);
  });

  test('downtime of three nines', () => {
    expect(downtimeOf(unavailabilityOf('99.9%'))).toEqual({ day: 86_400, week: 604_800, month30: 2_592_000, year365: 31_536_000 });
    expect(ninesOf(1e-3)).toBe(3);
  });

  test('tells which year or month a published downtime was made of', () => {
    expect(periodsThatFit(8.76 * hour, 1e-3, 1e-6)).toEqual(['year365']);
    expect(periodsThatFit(8.766 * hour, 1e-3, 1e-6)).toEqual(['year36525']);
    expect(periodsThatFit(43.2 * 60_000, 1e-3, 1e-6)).toEqual(['month30']);
    expect(periodsThatFit(43.8 * 60_000, 1e-3, 1e-6)).toEqual(['month365']);
  });

  test('put together without losing digits', () => {
    expect(unavailabilityInSeries([1e-15, 2e-15])).toBeCloseTo(3e-15, 28);
    expect(unavailabilityInSeries([0.1, 0.2])).toBeCloseTo(0.28, 15);
    expect(unavailabilityInSeries([0.1, 1])).toBe(1);
    expect(unavailabilityInParallel([1e-3, 1e-4])).toBeCloseTo(1e-7, 20);
    expect(unavailabilityKOfN(2, 3, 1e-5) / (3e-10 - 2e-15)).toBeCloseTo(1, 13);
    expect(unavailabilityKOfN(1, 3, 1e-5) / 1e-15).toBeCloseTo(1, 13);
  });
});

describe('error budgets', () => {
  const objective = { budget: 0.001, periodMs: 30 * day };

  test('burn rates of the workbook are what their shares make them', () => {
    expect(burnRateFor(0.02, hour, objective)).toBeCloseTo(14.4, 12);
    expect(burnRateFor(0.05, 6 * hour, objective)).toBeCloseTo(6, 12);
    expect(burnRateFor(0.1, 3 * day, objective)).toBeCloseTo(1, 12);
    expect(exhaustionMs(14.4, objective) / hour).toBe(50);
    expect(budgetShare(14.4, 2 * hour, objective)).toBeCloseTo(0.04, 12);
    expect(budgetLeft(5, 10_000, objective)).toBeCloseTo(0.5, 12);
  });

  test('an alert fires as soon as said, and is over as soon as said', () => {
    // Errors of 5 % from time 0 on; windows average what was before and since.
    const page = workbookAlerts[0]!;
    const after = (ms: number) => (windowMs: number) => 0.05 * Math.min(1, ms / windowMs);
    const detected = detectionMs(0.05, page, objective);
    expect(firing(after(detected * 1.001), objective)).toContain(page);
    expect(firing(after(detected * 0.999), objective)).not.toContain(page);
    const since = (ms: number) => (windowMs: number) => 0.05 * Math.max(0, 1 - ms / windowMs);
    const reset = resetMs(0.05, page, objective);
    expect(firing(since(reset * 0.999), objective)).toContain(page);
    expect(firing(since(reset * 1.001), objective)).not.toContain(page);
    expect(detectionMs(0.01, page, objective)).toBe(Infinity);
  });
});

describe('readiness', () => {
  const options = { halfLifeMs: 90 * day };
  const clean = (ageMs: number) => ({ passed: true, ageMs });

  test('is unknown without proof, and goes back there as proofs age', () => {
    expect(readiness([], options)).toEqual({ expected: 0.5, proven: 0, worth: 0 });
    const fresh = readiness([clean(0), clean(0)], options);
    expect(fresh.expected).toBeCloseTo(2.5 / 3, 15);
    expect(fresh.proven).toBeCloseTo(0.1 ** 0.5, 14);
    const old = readiness([clean(90 * day), clean(90 * day)], options);
    expect(old.worth).toBeCloseTo(1, 15);
    expect(readiness([clean(9000 * day)], options).expected).toBeCloseTo(0.5, 9);
  });

  test('never rises with age, and falls with a failure', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 0, max: 900 }), { minLength: 1, maxLength: 12 }),
        fc.integer({ min: 1, max: 400 }),
        (ages, more) => {
          const now = readiness(
            ages.map((age) => clean(age * day)),
            options,
          );
          const later = readiness(
            ages.map((age) => clean((age + more) * day)),
            options,
          );
          expect(later.expected).toBeLessThanOrEqual(now.expected);
          expect(later.proven).toBeLessThanOrEqual(now.proven + 1e-12);
          expect(readiness([...ages.map((age) => clean(age * day)), { passed: false, ageMs: 0 }], options).expected).toBeLessThan(
            now.expected,
          );
        },
      ),
    );
  });

  test('the next best drill removes most risk per cost', () => {
    const scenarios = [
      { name: 'restore', perYear: 0.1, loss: 100_000, proofs: [clean(0), clean(7 * day)], drill: { cost: 10 } },
      { name: 'site', perYear: 0.02, loss: 1_000_000, proofs: [], drill: { cost: 200 } },
      { name: 'failover', perYear: 4, loss: 500, proofs: [clean(400 * day)], drill: { cost: 1 } },
    ];
    const ranked = rankDrills(scenarios, options);
    expect(ranked.map(({ name }) => name)).toEqual(['failover', 'restore', 'site']);
    const before = riskPerYear(scenarios, options);
    const done = scenarios.map((each) => (each.name === 'failover' ? { ...each, proofs: [...each.proofs, clean(0)] } : each));
    expect(before - riskPerYear(done, options)).toBeCloseTo(ranked[0]!.riskRemoved, 9);
  });
});

describe('replacement', () => {
  const life = { shape: 2, scale: 100 };
  const costs = { planned: 1, failure: 5 };

  test('at the best age the cost rate is least', () => {
    const { interval, costRate, costRateUntilFailure } = bestAge(life, costs);
    expect(costRate).toBeLessThan(costRateUntilFailure);
    for (const factor of [0.9, 0.99, 1.01, 1.1]) expect(ageCostRate(interval * factor, life, costs)).toBeGreaterThan(costRate);
    // In the long run: (c_f F + c_p R) / ∫R, with ∫R by the trapezoidal rule.
    const steps = 20_000;
    let area = 0;
    for (let i = 0; i <= steps; i++) area += Math.exp(-((((i / steps) * interval) / 100) ** 2)) * (i === 0 || i === steps ? 0.5 : 1);
    const survive = Math.exp(-((interval / 100) ** 2));
    expect(costRate).toBeCloseTo((5 * (1 - survive) + survive) / ((area * interval) / steps), 8);
  });

  test('what does not wear out is not replaced', () => {
    expect(bestAge({ shape: 1, scale: 100 }, costs)).toMatchObject({ interval: Infinity, costRate: 0.05 });
    expect(bestAge(life, { planned: 5, failure: 5 }).interval).toBe(Infinity);
    expect(() => bestPeriodWithRepairs({ shape: 1, scale: 100 }, costs)).toThrow(/do not wear out/);
  });

  test('with minimal repairs', () => {
    // c_p/(c_r(β−1)) = 1/5: 100/√5.
    const { interval, costRate } = bestPeriodWithRepairs(life, costs);
    expect(interval).toBeCloseTo(100 / Math.sqrt(5), 10);
    expect(costRate).toBeCloseTo((2 * Math.sqrt(5)) / 100, 12);
  });

  test('renewals of an exponential life are a Poisson process; of any life they tend to t/μ + …', () => {
    expect(expectedRenewals(250, { shape: 1, scale: 100 })).toBeCloseTo(2.5, 4);
    // t/μ + (σ²−μ²)/(2μ²) (Smith's asymptote), shape 2: σ²/μ² = 4/π − 1.
    const mean = (100 * Math.sqrt(Math.PI)) / 2;
    expect(expectedRenewals(800, life)).toBeCloseTo(800 / mean + (4 / Math.PI - 2) / 2, 3);
  });

  test('replacing blocks costs more than by age, and both less than waiting', () => {
    const age = bestAge(life, costs);
    const block = bestBlock(life, costs);
    expect(block.costRate).toBeGreaterThan(age.costRate);
    expect(block.costRate).toBeLessThan(block.costRateUntilFailure);
    for (const factor of [0.9, 1.1]) expect(blockCostRate(block.interval * factor, life, costs)).toBeGreaterThan(block.costRate);
    expect(bestBlock({ shape: 1, scale: 100 }, costs).interval).toBe(Infinity);
  });
});

function choose(n: number, k: number): number {
  let product = 1;
  for (let i = 1; i <= k; i++) product = (product * (n - k + i)) / i;
  return product;
}

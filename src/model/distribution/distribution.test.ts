import { describe, expect, test } from 'vitest';
import { seededRandom } from '../../sim/random.ts';
import { assertDistribution, exponential, lognormalOf, sample, type Distribution } from './distribution.ts';
import { cdf, mean, quantile, survival, variance, type Closed } from './moments.ts';

const closed: Closed[] = [
  { kind: 'exponential', rate: 0.2 },
  { kind: 'weibull', shape: 0.7, scale: 3 },
  { kind: 'weibull', shape: 2.5, scale: 3 },
  { kind: 'lognormal', mu: 1, sigma: 0.6 },
  { kind: 'gamma', shape: 0.4, scale: 2 },
  { kind: 'gamma', shape: 3.5, scale: 2 },
  { kind: 'uniform', low: 1, high: 4 },
  { kind: 'triangular', least: 1, likeliest: 2, most: 6 },
  { kind: 'triangular', least: 0, likeliest: 3, most: 3 },
  { kind: 'empirical', values: [1, 2, 2, 7] },
  { kind: 'deterministic', value: 2 },
];
const draws = 40_000;

describe.each(closed.map((distribution) => [JSON.stringify(distribution), distribution] as const))('%s', (_, distribution) => {
  const random = seededRandom('draws');
  const drawn = Array.from({ length: draws }, () => sample(distribution, random));

  test('samples have its mean and its variance', () => {
    const average = drawn.reduce((sum, value) => sum + value, 0) / draws;
    const deviation = Math.sqrt(variance(distribution) / draws);
    expect(Math.abs(average - mean(distribution))).toBeLessThanOrEqual(4 * deviation + 1e-12);
    const spread = drawn.reduce((sum, value) => sum + (value - average) ** 2, 0) / draws;
    expect(Math.abs(spread - variance(distribution))).toBeLessThanOrEqual(0.12 * variance(distribution));
  });

  test('samples have its distribution function', () => {
    for (const p of [0.05, 0.3, 0.5, 0.9, 0.99]) {
      const at = quantile(distribution, p);
      const share = drawn.filter((value) => value <= at).length / draws;
      expect(Math.abs(share - cdf(distribution, at))).toBeLessThan(4.5 * Math.sqrt(0.25 / draws));
    }
  });

  test('the quantile is the inverse, and survival the rest', () => {
    for (const p of [0.001, 0.2, 0.5, 0.75, 0.999]) {
      const at = quantile(distribution, p);
      expect(cdf(distribution, at)).toBeGreaterThanOrEqual(p - 1e-12);
      expect(cdf(distribution, at * (1 - 1e-9) - 1e-12)).toBeLessThan(p + 1e-9);
      expect(cdf(distribution, at) + survival(distribution, at)).toBeCloseTo(1, 14);
    }
  });
});

test('survival keeps its digits in the tail', () => {
  expect(survival({ kind: 'exponential', rate: 1 }, 100)).toBe(Math.exp(-100));
  expect(survival({ kind: 'lognormal', mu: 0, sigma: 1 }, Math.exp(9)) / 1.128_588_405_953_841e-19).toBeCloseTo(1, 10);
});

test('stages add up', () => {
  const repair: Distribution = {
    kind: 'stages',
    stages: [{ kind: 'deterministic', value: 1 }, exponential(2), { kind: 'uniform', low: 0, high: 6 }],
  };
  expect([mean(repair), variance(repair)]).toEqual([6, 7]);
});

test('an error factor is the 95th percentile over the median', () => {
  const distribution = lognormalOf(4, 3) as Closed;
  expect(quantile(distribution, 0.95)).toBeCloseTo(12, 10);
});

test.each<[Distribution, string]>([
  [{ kind: 'exponential', rate: 0 }, 'disk: the rate of exponential must be a finite number above 0, but is 0'],
  [{ kind: 'weibull', shape: -1, scale: 1 }, 'shape of weibull'],
  [{ kind: 'uniform', low: 3, high: 3 }, 'must be above the lower one, 3'],
  [{ kind: 'triangular', least: 1, likeliest: 0, most: 2 }, 'in order, not 1, 0, 2'],
  [{ kind: 'empirical', values: [] }, 'at least one value'],
  [{ kind: 'empirical', values: [1, Number.NaN] }, 'the value of empirical must be a finite time'],
  [{ kind: 'stages', stages: [{ kind: 'lognormal', mu: 0, sigma: 0 }] }, 'sigma of lognormal'],
])('%j is refused', (distribution, message) => {
  expect(() => assertDistribution(distribution, 'disk')).toThrow(message);
});

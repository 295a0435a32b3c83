import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { seededRandom } from '../../sim/random.ts';
import { chainOfEdges, pointMass, type Chain } from './chain.ts';
import { poissonWeights } from './poisson.ts';
import { advanceBySquaring } from './squaring.ts';
import { transient } from './transient.ts';
import { Uniformized } from './uniformized.ts';
import { availabilityOverTime, longRunMeasures, meanTimeToFailure, survivalOverTime } from './up-down.ts';
import { sumOf } from './vectors.ts';

const relative = (actual: number, expected: number): number => Math.abs(actual - expected) / Math.abs(expected);

/** One unit that fails at λ and is repaired at μ. */
const single = (lambda: number, mu: number): Chain => chainOfEdges(2, [0, 1], [1, 0], [lambda, mu]);
const isUp = (state: number): boolean => state === 0;

describe('one unit, against its closed form', () => {
  // A(t) = μ/(λ+μ) + λ/(λ+μ)·e^(−(λ+μ)t), and its integral (Trivedi, Probability and Statistics, 8.3.1).
  test.each([
    [1e-3, 0.1, 0],
    [1e-3, 0.1, 5],
    [1e-3, 0.1, 1e3],
    [1e-9, 3_600, 1e-6],
    [1e-9, 3_600, 8_760],
    [1e-12, 1e4, 1e7],
    [5, 5, 0.3],
  ])('λ = %d, μ = %d, t = %d', (lambda, mu, t) => {
    const [point] = availabilityOverTime(single(lambda, mu), isUp, pointMass(2, 0), [t]);
    const s = lambda + mu;
    const unavailability = (lambda / s) * -Math.expm1(-s * t);
    expect(Math.abs(point!.unavailability - unavailability)).toBeLessThanOrEqual(1e-10 * unavailability);
    if (s * t > 1e-2) expect(relative(point!.downTime, (lambda / s) * (t + Math.expm1(-s * t) / s))).toBeLessThan(1e-9);
    expect(relative(point!.availability, 1 - unavailability)).toBeLessThan(1e-12);
    const [{ failureProbability } = { failureProbability: Number.NaN }] = survivalOverTime(single(lambda, mu), isUp, pointMass(2, 0), [t]);
    expect(Math.abs(failureProbability + Math.expm1(-lambda * t))).toBeLessThanOrEqual(1e-10 * -Math.expm1(-lambda * t));
  });

  test('the long run', () => {
    const measures = longRunMeasures(single(1e-16, 1), isUp);
    expect(relative(measures.unavailability, 1e-16)).toBeLessThan(1e-14);
    expect([measures.availability, measures.meanUpTime, measures.meanDownTime]).toEqual([1, 1e16, 1]);
  });
});

/** Two units, one crew: 0, 1, 2 units down; down when both are. */
const pair = (lambda: number, mu: number): Chain => chainOfEdges(3, [0, 1, 1, 2], [1, 2, 0, 1], [2 * lambda, lambda, mu, mu]);

test('two units and one crew: MTTF = (3λ + μ) / 2λ², and R(t) by its two exponents', () => {
  for (const [lambda, mu] of [
    [1, 2],
    [1e-3, 1],
    [1e-6, 3_600],
  ] as const) {
    const chain = pair(lambda, mu);
    const up = (state: number): boolean => state < 2;
    expect(relative(meanTimeToFailure(chain, up, pointMass(3, 0)), (3 * lambda + mu) / (2 * lambda ** 2))).toBeLessThan(1e-14);
    // Roots of s² + (3λ+μ)s + 2λ²; the small one without cancellation.
    const a = (3 * lambda + mu + Math.sqrt(lambda ** 2 + 6 * lambda * mu + mu ** 2)) / 2;
    const b = (2 * lambda ** 2) / a;
    const times = [0.1 / lambda, 3 / lambda, 1e3 / mu];
    survivalOverTime(chain, up, pointMass(3, 0), times).forEach(({ survival, time }) => {
      expect(relative(survival, (a * Math.exp(-b * time) - b * Math.exp(-a * time)) / (a - b))).toBeLessThan(1e-9);
    });
  }
});

/** Four units of their own crews: every unit is by itself, so the probability of a set is a product. */
function independent(rates: readonly (readonly [number, number])[]): Chain {
  const [from, to, rate] = [[], [], []] as [number[], number[], number[]];
  for (let state = 0; state < 2 ** rates.length; state++) {
    rates.forEach(([lambda, mu], bit) => {
      from.push(state);
      to.push(state ^ (1 << bit));
      rate.push((state >> bit) % 2 === 0 ? lambda : mu);
    });
  }
  return chainOfEdges(2 ** rates.length, from, to, rate);
}

test('independent units multiply, stiff or not, by every method', () => {
  fc.assert(
    fc.property(fc.nat(), fc.double({ min: -3, max: 4, noNaN: true }), (seed, exponent) => {
      const random = seededRandom(seed);
      const rates = Array.from({ length: 4 }, () => [10 ** (random.next() * 4 - 4), 10 ** (random.next() * 2)] as const);
      const chain = independent(rates);
      const time = 10 ** exponent;
      const down = rates.map(([lambda, mu]) => (lambda / (lambda + mu)) * -Math.expm1(-(lambda + mu) * time));
      const expected = Array.from({ length: 16 }, (_, state) =>
        down.reduce((product, p, bit) => product * ((state >> bit) % 2 === 0 ? 1 - p : p), 1),
      );
      const answers = [transient(chain, pointMass(16, 0), [time]).points[0]!.probabilities];
      const speed = new Uniformized(chain).speed;
      if (speed * time < 1e5) {
        const progress = { probabilities: pointMass(16, 0), occupancy: undefined };
        new Uniformized(chain).advance(progress, time);
        answers.push(progress.probabilities);
      }
      if (speed * time > 1e3) {
        const progress = { probabilities: pointMass(16, 0), occupancy: undefined };
        advanceBySquaring(chain, progress, time, speed);
        answers.push(progress.probabilities);
      }
      for (const answer of answers) expected.forEach((value, state) => expect(relative(answer[state]!, value)).toBeLessThan(1e-9));
    }),
    { numRuns: 25, seed: 8 },
  );
});

test('a chain too large to square is followed to its long run, and no further', () => {
  const size = 1_000;
  const up = Array.from({ length: size - 1 }, (_, state) => state);
  const birthDeath = chainOfEdges(
    size,
    [...up, ...up.map((state) => state + 1)],
    [...up.map((state) => state + 1), ...up],
    [...up.map(() => 1), ...up.map(() => 3)],
  );
  const { methods, steps, points } = transient(birthDeath, pointMass(size, 0), [1e9], { occupancy: true });
  expect(methods).toContain('long-run');
  expect(steps).toBeLessThan(1e6);
  expect(relative(points[0]!.probabilities[0]!, 2 / 3)).toBeLessThan(1e-10);
  expect(relative(sumOf(points[0]!.occupancy!), 1e9)).toBeLessThan(1e-9);
});

test('a large absorbing chain shrinks evenly: its survival is one exponential then', () => {
  const size = 600;
  // A ring that is run through fast, with the same slow leak everywhere.
  const ring = Array.from({ length: size }, (_, state) => state);
  const chord = ring.filter((state) => (state * 7 + 3) % size !== state);
  const chain = chainOfEdges(
    size + 1,
    [...ring, ...chord, ...ring],
    [...ring.map((state) => (state + 1) % size), ...chord.map((state) => (state * 7 + 3) % size), ...ring.map(() => size)],
    [...ring.map(() => 50), ...chord.map((state) => 100 + (state % 3)), ...ring.map(() => 1e-7)],
  );
  const { points, methods } = transient(chain, pointMass(size + 1, 0), [1e5, 1e7], { occupancy: true, accuracy: 1e-8 });
  expect(methods).toContain('long-run');
  for (const { time, probabilities, occupancy } of points) {
    expect(relative(probabilities[size]!, -Math.expm1(-1e-7 * time))).toBeLessThan(1e-8);
    expect(relative(occupancy![size]!, time + Math.expm1(-1e-7 * time) / 1e-7)).toBeLessThan(1e-6);
  }
});

test('a stiff absorbing chain of thousands of states: twelve units, mended in a second, over ten years', () => {
  const units = 12;
  const [from, to, rate] = [[], [], []] as [number[], number[], number[]];
  const down = (state: number): number => state.toString(2).replaceAll('0', '').length;
  for (let state = 0; state < 2 ** units; state++) {
    // Three down are the end.
    if (down(state) > 2) continue;
    for (let unit = 0; unit < units; unit++) {
      from.push(state);
      to.push(state ^ (1 << unit));
      rate.push((state >> unit) % 2 === 0 ? 1e-2 * (1 + unit) : 3_600);
    }
  }
  const chain = chainOfEdges(2 ** units, from, to, rate);
  const { points, methods, steps } = transient(chain, pointMass(chain.size, 0), [87_600]);
  const mean = meanTimeToFailure(chain, (state) => down(state) < 3, pointMass(chain.size, 0));
  const lost = sumOf(points[0]!.probabilities.filter((_, state) => down(state) > 2));
  expect(methods).toEqual(['uniformisation', 'long-run']);
  // A curve costs no more than its last point.
  const curve = transient(
    chain,
    pointMass(chain.size, 0),
    Array.from({ length: 200 }, (_, at) => 438 * (at + 1)),
  );
  expect(curve.steps).toBeLessThan(200_000);
  expect(relative(sumOf(curve.points[199]!.probabilities.filter((_, state) => down(state) > 2)), lost)).toBeLessThan(1e-9);
  expect(steps).toBeLessThan(100_000);
  // Repairs are so fast that the time to absorption is exponential to about λ/μ.
  expect(relative(lost, -Math.expm1(-87_600 / mean))).toBeLessThan(1e-4);
});

test('weights of a Poisson distribution, far out and for large means', () => {
  const small = poissonWeights(0.01);
  expect(relative(small.weights[10]!, (Math.exp(-0.01) * 1e-20) / 3_628_800)).toBeLessThan(1e-14);
  const { left, weights } = poissonWeights(1e8);
  const mean = sumOf(weights.map((weight, at) => weight * (left + at)));
  expect(relative(mean, 1e8)).toBeLessThan(1e-12);
  expect(relative(sumOf(weights), 1)).toBeLessThan(1e-12);
});

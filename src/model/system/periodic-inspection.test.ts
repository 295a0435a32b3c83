import { expect, test } from 'vitest';
import { seededRandom } from '../../sim/random.ts';
import { longRunMeasures } from '../chain/up-down.ts';
import type { Distribution } from '../distribution/distribution.ts';
import { simulate } from '../simulation/simulate.ts';
import { testedOnAverage } from '../structure/tested.ts';
import { inspectedSystem } from './periodic-inspection.ts';
import { systemChain } from './system-chain.ts';
import type { SystemDescription, UnitGroup } from './system.ts';

const relative = (actual: number, expected: number): number => Math.abs(actual - expected) / Math.abs(expected);
const rate = (value: number): Distribution => ({ kind: 'exponential', rate: value });
const tested = (count: number, lambda: number, mu: number, interval: number): UnitGroup => ({
  name: 'valve',
  count,
  failure: rate(lambda),
  repair: rate(mu),
  inspection: { interval },
});

test.each([
  [1e-4, 0.5, 100],
  [1e-2, 0.05, 300],
  [1e-9, 0.1, 4_380],
])('one valve, λ = %d, μ = %d, τ = %d: as its formula', (lambda, mu, interval) => {
  const { unavailability } = inspectedSystem({ groups: [tested(1, lambda, mu, interval)] });
  expect(relative(unavailability, testedOnAverage({ rate: lambda, interval, repairTime: 1 / mu }).q)).toBeLessThan(1e-9);
});

test('one of two, inspected together: about (λτ)²/3, where inspections at random would make λ²τ²/2', () => {
  const description: SystemDescription = { groups: [tested(2, 1e-5, 1e6, 1_000)] };
  const x = 1e-2;
  const exact = 1 + (2 * Math.expm1(-x)) / x - Math.expm1(-2 * x) / (2 * x);
  const { unavailability, unavailabilityBefore } = inspectedSystem(description);
  expect(relative(unavailability, exact)).toBeLessThan(1e-5);
  expect(relative(unavailability, x ** 2 / 3)).toBeLessThan(0.01);
  expect(relative(unavailabilityBefore, (-Math.expm1(-x)) ** 2)).toBeLessThan(1e-5);
  const chain = systemChain(description);
  const random = longRunMeasures(chain, (state) => chain.up[state] === 1).unavailability;
  expect(relative(random, x ** 2 / 2)).toBeLessThan(0.02);
});

test('with a crew and a part whose failure shows at once, as it is simulated', () => {
  const description: SystemDescription = {
    groups: [tested(2, 0.02, 0.5, 20), { name: 'pump', count: 1, failure: rate(0.01), repair: rate(0.2) }],
    crews: [{ name: 'crew', size: 1, groups: ['pump', 'valve'] }],
  };
  const { unavailability, failureFrequency } = inspectedSystem(description);
  const options = { times: [600], warmUp: 200, confidence: 0.999, relativeHalfWidth: 0.02, replicationsMax: 4_000 };
  const { intervalUnavailability, failures } = simulate(description, options, seededRandom('valves')).points[0]!;
  expect([intervalUnavailability.low <= unavailability, unavailability <= intervalUnavailability.high]).toEqual([true, true]);
  expect([failures.low <= failureFrequency * 400, failureFrequency * 400 <= failures.high]).toEqual([true, true]);
});

test('several intervals are left to the simulation', () => {
  const groups = [tested(1, 1, 1, 10), { ...tested(1, 1, 1, 20), name: 'other' }];
  expect(() => inspectedSystem({ groups })).toThrow('but there are intervals of 10, 20');
  expect(() => inspectedSystem({ groups: [{ name: 'a', count: 1, failure: rate(1), repair: rate(1) }] })).toThrow('nothing is inspected');
});

import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { describedChain } from '../chain/chain.ts';
import { longRunMeasures, meanTimeToFailure, survivalOverTime, type LongRunMeasures } from '../chain/up-down.ts';
import { exponential, type Distribution } from '../distribution/distribution.ts';
import { systemChain } from './system-chain.ts';
import type { SystemDescription, UnitGroup } from './system.ts';

const relative = (actual: number, expected: number): number => Math.abs(actual - expected) / Math.abs(expected);
const rate = (value: number): Distribution => ({ kind: 'exponential', rate: value });
const group = (name: string, count: number, lambda: number, mu?: number): UnitGroup => ({
  name,
  count,
  failure: rate(lambda),
  ...(mu === undefined ? {} : { repair: rate(mu) }),
});

function longRun(description: SystemDescription): LongRunMeasures {
  const chain = systemChain(description);
  return longRunMeasures(chain, (state) => chain.up[state] === 1);
}

function mttf(description: SystemDescription): number {
  const chain = systemChain(description);
  return meanTimeToFailure(chain, (state) => chain.up[state] === 1, chain.initial);
}

/** Long-run probabilities of k units down among n, c crews: the machine repair model (Trivedi, Probability and Statistics, 8.2.2). */
function machineRepair(n: number, crews: number, load: number): number[] {
  const weights = [1];
  for (let down = 1; down <= n; down++) weights.push((weights[down - 1]! * (n - down + 1) * load) / Math.min(down, crews));
  const sum = weights.reduce((total, weight) => total + weight, 0);
  return weights.map((weight) => weight / sum);
}

describe('k of n', () => {
  test('alike, with any number of crews, is the machine repair model', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 12 }),
        fc.integer({ min: 1, max: 12 }),
        fc.nat(),
        fc.double({ min: -5, max: 0, noNaN: true }),
        (n, crews, pick, exponent) => {
          const k = 1 + (pick % n);
          const load = 10 ** exponent;
          const { unavailability } = longRun({
            groups: [group('disk', n, load, 1)],
            crews: [{ name: 'crew', size: crews, groups: ['disk'] }],
            up: { working: ['disk'], atLeast: k },
          });
          const expected = machineRepair(n, crews, load).reduce((sum, p, down) => (n - down < k ? sum + p : sum), 0);
          expect(relative(unavailability, expected)).toBeLessThan(1e-12);
        },
      ),
      { numRuns: 60, seed: 1 },
    );
  });

  test('unlike, each with its own crew, multiplies', () => {
    const parts = [group('a', 1, 1e-3, 0.1), group('b', 1, 2e-4, 0.05), group('c', 2, 1e-2, 1)];
    const { unavailability, failureFrequency } = longRun({
      groups: parts,
      up: {
        any: [
          {
            all: [
              { working: ['a'], atLeast: 1 },
              { working: ['b'], atLeast: 1 },
            ],
          },
          { working: ['c'], atLeast: 2 },
        ],
      },
    });
    const [a, b, c] = [1e-3 / 0.101, 2e-4 / 0.0502, 1e-2 / 1.01] as const;
    const pair = a + b - a * b;
    const both = 2 * c - c * c;
    expect(relative(unavailability, pair * both)).toBeLessThan(1e-12);
    // Each side fails while the other is down.
    const frequency = (1e-3 + 2e-4) * (1 - a) * (1 - b) * both + 2 * 1e-2 * (1 - c) ** 2 * pair;
    expect(relative(failureFrequency, frequency)).toBeLessThan(1e-12);
  });

  test('without repair: R(t) and MTTF of 2 of 3', () => {
    const description: SystemDescription = { groups: [group('unit', 3, 0.01)], up: { working: ['unit'], atLeast: 2 } };
    expect(mttf(description)).toBeCloseTo(100 * (1 / 3 + 1 / 2), 10);
    const chain = systemChain(description);
    const [point] = survivalOverTime(chain, (state) => chain.up[state] === 1, chain.initial, [50]);
    const r = Math.exp(-0.5);
    expect(relative(point!.survival, 3 * r ** 2 - 2 * r ** 3)).toBeLessThan(1e-12);
  });

  test('counts units, so that forty are forty-one states', () => {
    expect(systemChain({ groups: [group('unit', 40, 1, 1)] }).size).toBe(41);
  });
});

describe('standby', () => {
  const set = (dormancy: number, more: object = {}): SystemDescription => ({
    groups: [group('pump', 2, 0.1, 1)],
    standby: [{ name: 'pumps', groups: ['pump'], working: 1, dormancy, ...more }],
    crews: [{ name: 'crew', size: 1, groups: ['pump'] }],
  });

  test.each([0, 0.3, 1])('dormancy %d, one crew: a birth–death chain', (dormancy) => {
    const first = 0.1 * (1 + dormancy);
    const { unavailability } = longRun(set(dormancy));
    expect(relative(unavailability, (first * 0.1) / (1 + first + first * 0.1))).toBeLessThan(1e-13);
  });

  test('cold, not repaired: lives add up; with imperfect switching the second counts as often as it comes', () => {
    const cold = (switching: number): SystemDescription => ({
      groups: [group('unit', 3, 0.01)],
      standby: [{ name: 'set', groups: ['unit'], working: 1, dormancy: 0, switching }],
    });
    expect(mttf(cold(1))).toBeCloseTo(300, 9);
    expect(mttf(cold(0.9))).toBeCloseTo(100 * (1 + 0.9 + 0.81), 9);
  });

  test('a take-over lasts, by hand', () => {
    const { unavailability } = longRun(set(1, { takeover: rate(1000) }));
    // By hand: 0 both up; s one failed and the other taking over; 1 one failed; 2 both failed.
    const chain = describedChain({
      states: [
        { name: 'both' },
        { name: 'both, taking over', up: false },
        { name: 'taking over', up: false },
        { name: 'one' },
        { name: 'none', up: false },
      ],
      transitions: [
        { from: 'both', to: 'taking over', rate: 0.1 },
        { from: 'both', to: 'one', rate: 0.1 },
        { from: 'taking over', to: 'one', rate: 1000 },
        { from: 'taking over', to: 'none', rate: 0.1 },
        { from: 'taking over', to: 'both, taking over', rate: 1 },
        { from: 'both, taking over', to: 'both', rate: 1000 },
        { from: 'both, taking over', to: 'taking over', rate: 0.2 },
        { from: 'one', to: 'none', rate: 0.1 },
        { from: 'one', to: 'both', rate: 1 },
        { from: 'none', to: 'one', rate: 1 },
      ],
    });
    const expected = longRunMeasures(chain, (state) => chain.up[state] === 1).unavailability;
    expect(relative(unavailability, expected)).toBeLessThan(1e-12);
  });

  test('spares that two sets share are spares of one larger set', () => {
    const crews = [{ name: 'crew', size: 1, groups: ['a', 'b', 'spare'] }];
    const split = longRun({
      groups: [group('a', 1, 0.1, 1), group('b', 1, 0.1, 1), group('spare', 2, 0.1, 1)],
      standby: [
        { name: 'first', groups: ['a', 'spare'], working: 1, dormancy: 0 },
        { name: 'second', groups: ['b', 'spare'], working: 1, dormancy: 0 },
      ],
      crews,
    });
    const whole = longRun({
      groups: [group('a', 4, 0.1, 1)],
      standby: [{ name: 'both', groups: ['a'], working: 2, dormancy: 0 }],
      crews: [{ name: 'crew', size: 1, groups: ['a'] }],
    });
    expect(relative(split.unavailability, whole.unavailability)).toBeLessThan(1e-12);
  });
});

describe('crews', () => {
  const system = (discipline: 'fifo' | 'priority' | 'preemptive', up: string): SystemDescription => ({
    groups: [group('a', 1, 0.2, 1), group('b', 1, 0.5, 0.7)],
    crews: [{ name: 'crew', size: 1, groups: ['a', 'b'], discipline }],
    up: { working: [up], atLeast: 1 },
  });

  test('what comes first preemptively does not know of the others', () => {
    expect(relative(longRun(system('preemptive', 'a')).unavailability, 0.2 / 1.2)).toBeLessThan(1e-13);
  });

  test('as they failed, by hand', () => {
    const chain = describedChain({
      states: [{ name: 'ok' }, { name: 'a', up: false }, { name: 'b' }, { name: 'ab', up: false }, { name: 'ba', up: false }],
      transitions: [
        { from: 'ok', to: 'a', rate: 0.2 },
        { from: 'ok', to: 'b', rate: 0.5 },
        { from: 'a', to: 'ok', rate: 1 },
        { from: 'a', to: 'ab', rate: 0.5 },
        { from: 'b', to: 'ok', rate: 0.7 },
        { from: 'b', to: 'ba', rate: 0.2 },
        { from: 'ab', to: 'b', rate: 1 },
        { from: 'ba', to: 'a', rate: 0.7 },
      ],
    });
    const expected = longRunMeasures(chain, (state) => chain.up[state] === 1);
    expect(relative(longRun(system('fifo', 'a')).unavailability, expected.unavailability)).toBeLessThan(1e-13);
    // With one of each, finishing what was begun is the same as the order of failure.
    expect(relative(longRun(system('priority', 'a')).unavailability, expected.unavailability)).toBeLessThan(1e-13);
  });

  test('only the mean of a repair of one unit counts, whatever its stages', () => {
    const repair: Distribution = { kind: 'stages', stages: [exponential(1), { kind: 'gamma', shape: 3, scale: 0.5 }] };
    expect(relative(longRun({ groups: [{ name: 'a', count: 1, failure: exponential(97.5), repair }] }).availability, 0.975)).toBeLessThan(
      1e-14,
    );
  });
});

describe('imperfections', () => {
  test('coverage of two processors that are not mended: MTTF = 1/2λ + c/λ', () => {
    const [lambda, c] = [0.01, 0.95];
    const description: SystemDescription = {
      groups: [{ name: 'cpu', count: 2, failure: rate(lambda), coverage: { probability: c, recovery: rate(5) } }],
    };
    expect(relative(mttf(description), 1 / (2 * lambda) + c / lambda)).toBeLessThan(1e-13);
  });

  test('a failure that only an inspection shows waits half an interval', () => {
    const { unavailability } = longRun({ groups: [{ ...group('valve', 1, 1e-4, 0.5), inspection: { interval: 100 } }] });
    expect(relative(unavailability, (1e-4 * 52) / (1 + 1e-4 * 52))).toBeLessThan(1e-13);
  });

  test('a site multiplies', () => {
    const { unavailability } = longRun({
      groups: [group('a', 1, 0.01, 1), group('b', 1, 0.02, 1)],
      sites: [{ name: 'north', groups: ['a', 'b'], failure: rate(0.001), repair: rate(0.1) }],
    });
    const available = (1 / 1.01) * (1 / 1.02) * (0.1 / 0.101);
    expect(relative(unavailability, 1 - available)).toBeLessThan(1e-13);
  });

  test('a lethal shock takes both, a weak one by chance', () => {
    const pair = (probability: number): SystemDescription => ({
      groups: [group('unit', 2, 0.01)],
      commonCauses: [{ name: 'surge', time: rate(0.004), groups: [{ group: 'unit', probability }] }],
    });
    expect(relative(mttf(pair(1)), (1 + (0.02 / 0.01) * (0.01 / 0.014)) / 0.024)).toBeLessThan(1e-13);
    const one = 2 * 0.01 + 0.004 * 2 * 0.3 * 0.7;
    const both = 0.004 * 0.09;
    expect(relative(mttf(pair(0.3)), (1 + one / (0.01 + 0.004 * 0.3)) / (one + both))).toBeLessThan(1e-13);
  });

  test('units that rest while the system is down do not fail then', () => {
    const pair: SystemDescription = { groups: [group('a', 1, 0.1, 1), group('b', 1, 0.2, 1)], whenDown: 'rests' };
    // Series, never two down: A = 1 / (1 + Σ λ/μ) (Barlow, Proschan: Statistical Theory of Reliability, 1975, 7.3).
    expect(relative(longRun(pair).availability, 1 / 1.3)).toBeLessThan(1e-13);
  });

  test('maintenance waits until it costs nothing', () => {
    const kept = { ...group('node', 2, 1e-3, 1), maintenance: { interval: 100, duration: exponential(2) } };
    const chain = systemChain({ groups: [kept] });
    const away = [...chain.up.keys()].filter((state) => chain.nameOf(state).includes('maintenance'));
    expect(away.map((state) => chain.nameOf(state))).toEqual(['node: 1 in maintenance', 'node: 1 failed, node: 1 in maintenance']);
    expect(longRun({ groups: [kept] }).unavailability).toBeGreaterThan(longRun({ groups: [group('node', 2, 1e-3, 1)] }).unavailability);
  });
});

test('more failures and slower repairs never help', () => {
  const availability = (lambdas: readonly number[], mu: number): number =>
    longRun({
      groups: lambdas.map((lambda, at) => group(`g${at}`, 2, lambda, mu)),
      crews: [{ name: 'crew', size: 2, groups: ['g0'] }],
      up: { of: lambdas.map((_, at) => ({ working: [`g${at}`], atLeast: 1 })), atLeast: 2 },
    }).availability;
  const some = fc.double({ min: 1e-4, max: 1, noNaN: true });
  fc.assert(
    fc.property(some, some, some, some, fc.nat(2), (a, b, c, mu, which) => {
      const worse = [a, b, c].map((lambda, at) => (at === which ? lambda * 1.1 : lambda));
      const now = availability([a, b, c], mu);
      expect(availability(worse, mu)).toBeLessThanOrEqual(now);
      expect(availability([a, b, c], mu * 1.1)).toBeGreaterThanOrEqual(now);
    }),
    { numRuns: 40, seed: 4 },
  );
});

test.each<[Partial<SystemDescription>, string]>([
  [{ groups: [] }, 'at least one group'],
  [{ groups: [{ ...group('a', 1, 1), count: 0 }] }, "the count of 'a' must be a whole number from 1 to 50000, but is 0"],
  [{ groups: [group('a', 1, 0)] }, "failure of 'a': the rate of exponential must be a finite number above 0, but is 0"],
  [{ crews: [{ name: 'c', size: 1, groups: ['pmup'] }] }, "no group is named 'pmup'; did you mean 'pump'?"],
  [{ standby: [{ name: 's', groups: ['pump', 'pump'], working: 1 }] }, "standby set 's' names a group twice"],
  [{ crews: [{ name: 'c', size: 1, groups: [] }] }, "crew 'c' has no groups"],
  [{ up: { of: [{ working: ['pump'], atLeast: 1 }], atLeast: 2 } }, 'a condition asks for 2 of 1'],
  [
    { groups: [{ ...group('pump', 1, 1), failure: { kind: 'weibull', shape: 2, scale: 1 } }] },
    "the life of 'pump' is weibull: a Markov chain knows exponential times",
  ],
  [{ groups: [group('pump', 1, 1, 1), group('pump', 1, 1, 1)] }, "two of the kind group named 'pump'"],
])('%j is refused', (change, message) => {
  expect(() => systemChain({ groups: [group('pump', 1, 1, 1)], ...change })).toThrow(message);
});

test('what explodes says so', () => {
  const groups = Array.from({ length: 12 }, (_, at) => group(`g${at}`, 3, 0.1, 1));
  expect(() => systemChain({ groups }, { statesMax: 10_000 })).toThrow('36 units in 12 groups make more than 10000 states');
});

import { describe, expect, test } from 'vitest';
import { seededRandom } from '../../sim/random.ts';
import { availabilityOverTime, longRunMeasures, meanTimeToFailure, survivalOverTime } from '../chain/up-down.ts';
import { exponential, type Distribution } from '../distribution/distribution.ts';
import { systemChain } from '../system/system-chain.ts';
import type { SystemDescription } from '../system/system.ts';
import { simulate } from './simulate.ts';
import { Stream, streamKey } from './stream.ts';

const rate = (value: number): Distribution => ({ kind: 'exponential', rate: value });

/** Systems that use every feature that a chain has too; names tell which. */
const systems: Record<string, SystemDescription> = {
  'k of n with two crews': {
    groups: [{ name: 'disk', count: 5, failure: rate(0.1), repair: rate(0.5) }],
    crews: [{ name: 'crew', size: 2, groups: ['disk'] }],
    up: { working: ['disk'], atLeast: 4 },
  },
  'one crew as they failed': {
    groups: [
      { name: 'a', count: 2, failure: rate(0.2), repair: rate(1) },
      { name: 'b', count: 1, failure: rate(0.4), repair: rate(0.6) },
    ],
    crews: [{ name: 'crew', size: 1, groups: ['a', 'b'] }],
  },
  'one crew by rank, stages interrupted and resumed': {
    groups: [
      { name: 'a', count: 2, failure: rate(0.3), repair: rate(1) },
      { name: 'b', count: 2, failure: rate(0.2), repair: { kind: 'gamma', shape: 3, scale: 0.4 } },
    ],
    crews: [{ name: 'crew', size: 1, groups: ['a', 'b'], discipline: 'preemptive' }],
    up: {
      any: [
        { working: ['b'], atLeast: 2 },
        { working: ['a', 'b'], atLeast: 4 },
      ],
    },
  },
  'one crew by rank, uninterrupted': {
    groups: [
      { name: 'a', count: 2, failure: rate(0.3), repair: rate(1) },
      { name: 'b', count: 3, failure: rate(0.2), repair: rate(0.7) },
    ],
    crews: [{ name: 'crew', size: 1, groups: ['a', 'b'], discipline: 'priority' }],
    up: { working: ['b'], atLeast: 2 },
  },
  'warm standby, imperfect switching, slow take-over': {
    groups: [{ name: 'node', count: 3, failure: rate(0.2), repair: rate(1) }],
    standby: [{ name: 'service', groups: ['node'], working: 2, dormancy: 0.4, switching: 0.8, recovery: rate(2), takeover: rate(8) }],
    crews: [{ name: 'crew', size: 1, groups: ['node'] }],
  },
  'cold spares that two sets share': {
    groups: [
      { name: 'a', count: 2, failure: rate(0.2), repair: rate(1) },
      { name: 'b', count: 1, failure: rate(0.5), repair: rate(1) },
      { name: 'spare', count: 1, failure: rate(0.3), repair: rate(0.8) },
    ],
    standby: [
      { name: 'first', groups: ['a', 'spare'], working: 2, dormancy: 0 },
      { name: 'second', groups: ['b', 'spare'], working: 1, dormancy: 0 },
    ],
    up: { working: ['second'], atLeast: 1 },
  },
  'coverage, and rest while down': {
    groups: [
      { name: 'cpu', count: 3, failure: rate(0.2), repair: rate(1), coverage: { probability: 0.8, recovery: rate(3) } },
      { name: 'bus', count: 1, failure: rate(0.1), repair: rate(1) },
    ],
    commonCauses: [{ name: 'surge', time: rate(0.05), groups: [{ group: 'cpu', probability: 0.5 }] }],
    whenDown: 'rests',
  },
  'coverage of a group that works in two sets': {
    groups: [{ name: 'node', count: 4, failure: rate(0.2), repair: rate(0.7), coverage: { probability: 0.1, recovery: rate(1.3) } }],
    standby: [
      { name: 'first', groups: ['node'], working: 1 },
      { name: 'second', groups: ['node'], working: 1, switching: 0.7, takeover: rate(3) },
    ],
  },
  'sites and shocks': {
    groups: [
      { name: 'north', count: 2, failure: rate(0.1), repair: rate(1) },
      { name: 'south', count: 2, failure: rate(0.1), repair: rate(1) },
    ],
    standby: [{ name: 'service', groups: ['north', 'south'], working: 2, dormancy: 0.5, switching: 0.9, takeover: rate(5) }],
    sites: [
      { name: 'n', groups: ['north'], failure: rate(0.05), repair: rate(0.5) },
      { name: 's', groups: ['south'], failure: rate(0.05), repair: rate(0.5) },
    ],
    commonCauses: [
      {
        name: 'bad release',
        time: rate(0.03),
        groups: [
          { group: 'north', probability: 0.7 },
          { group: 'south', probability: 0.4 },
        ],
      },
    ],
  },
};

/** With 99.99 % confidence, one of 10⁴ intervals misses; there are some 50 here, and the seed is fixed. */
const confidence = 0.9999;

describe.each(Object.entries(systems))('%s', (name, description) => {
  test('simulated and solved agree', () => {
    const chain = systemChain(description);
    const isUp = (state: number): boolean => chain.up[state] === 1;
    const times = [0.5, 4, 20];
    const { points } = simulate(description, { times, confidence, relativeHalfWidth: 0.04, replicationsMax: 15_000 }, seededRandom(name));
    const exact = availabilityOverTime(chain, isUp, chain.initial, times);
    const survival = survivalOverTime(chain, isUp, chain.initial, times);
    points.forEach((point, at) => {
      const within = ({ low, high }: { low: number; high: number }, value: number, what: string): void => {
        expect(value, `${what} at ${point.time}`).toBeGreaterThanOrEqual(low);
        expect(value, `${what} at ${point.time}`).toBeLessThanOrEqual(high);
      };
      within(point.unavailability, exact[at]!.unavailability, 'unavailability');
      within(point.downTime, exact[at]!.downTime, 'time down');
      within(point.failures, exact[at]!.failures, 'failures');
      within(point.failureProbability, survival[at]!.failureProbability, 'failure probability');
    });
  });
});

const pair: SystemDescription = {
  groups: [{ name: 'disk', count: 2, failure: rate(0.2), repair: rate(1) }],
  crews: [{ name: 'crew', size: 1, groups: ['disk'] }],
};

test('intervals hold the true value as often as they say', () => {
  const chain = systemChain(pair);
  const [exact] = availabilityOverTime(chain, (state) => chain.up[state] === 1, chain.initial, [10]);
  let held = 0;
  const tries = 400;
  for (let seed = 0; seed < tries; seed++) {
    const options = { times: [10], confidence: 0.9, replicationsMin: 300, replicationsMax: 300 };
    const { low, high } = simulate(pair, options, seededRandom(seed)).points[0]!.downTime;
    if (low <= exact!.downTime && exact!.downTime <= high) held++;
  }
  // Binomial(400, 0.9): 3.5 deviations are 21.
  expect(Math.abs(held - 0.9 * tries)).toBeLessThanOrEqual(21);
});

test('the mean time to the first failure', () => {
  const chain = systemChain(pair);
  const exact = meanTimeToFailure(chain, (state) => chain.up[state] === 1, chain.initial);
  const { meanTimeToFailure: found } = simulate(pair, { times: [], confidence, relativeHalfWidth: 0.03 }, seededRandom(1));
  expect(found!.low).toBeLessThanOrEqual(exact);
  expect(found!.high).toBeGreaterThanOrEqual(exact);
});

test('the long run after a warm-up', () => {
  const chain = systemChain(pair);
  const { unavailability } = longRunMeasures(chain, (state) => chain.up[state] === 1);
  const { points } = simulate(pair, { times: [60], warmUp: 20, confidence, relativeHalfWidth: 0.02 }, seededRandom(2));
  expect(points[0]!.intervalUnavailability.low).toBeLessThanOrEqual(unavailability);
  expect(points[0]!.intervalUnavailability.high).toBeGreaterThanOrEqual(unavailability);
});

describe('times that no chain has', () => {
  const single = (failure: Distribution, repair?: Distribution, more: object = {}): SystemDescription => ({
    groups: [{ name: 'unit', count: 1, failure, ...(repair === undefined ? {} : { repair }), ...more }],
  });

  test('a Weibull life: F(t)', () => {
    const description = single({ kind: 'weibull', shape: 2.5, scale: 10 });
    const { points } = simulate(description, { times: [5, 10], confidence, aim: 'failureProbability' }, seededRandom(3));
    points.forEach(({ time, failureProbability: { low, high } }) => {
      const exact = -Math.expm1(-((time / 10) ** 2.5));
      expect([low <= exact, exact <= high]).toEqual([true, true]);
    });
  });

  test('fixed times alternate exactly', () => {
    const description = single({ kind: 'deterministic', value: 3 }, { kind: 'deterministic', value: 1 });
    const [point] = simulate(description, { times: [11.5], replicationsMin: 60 }, seededRandom(4)).points;
    expect([point!.downTime.mean, point!.failures.mean, point!.unavailability.mean]).toEqual([2.5, 3, 1]);
  });

  test('a failure that only the periodic test shows: 1 − (1 − e^(−λτ)) / λτ', () => {
    const description = single(rate(0.02), { kind: 'deterministic', value: 0 }, { inspection: { interval: 20 } });
    const { points } = simulate(description, { times: [400], confidence, relativeHalfWidth: 0.02 }, seededRandom(5));
    const exact = 1 - -Math.expm1(-0.4) / 0.4;
    expect(points[0]!.intervalUnavailability.low).toBeLessThanOrEqual(exact);
    expect(points[0]!.intervalUnavailability.high).toBeGreaterThanOrEqual(exact);
  });

  test('maintenance on schedule, one after the other, costs nothing where there is a second', () => {
    const kept = { maintenance: { interval: 10, duration: { kind: 'deterministic', value: 2 } as const } };
    const [point] = simulate(
      { groups: [{ name: 'node', count: 2, failure: exponential(1e9), ...kept }] },
      { times: [100], replicationsMax: 100 },
      seededRandom(6),
    ).points;
    expect(point!.downTime.mean).toBe(0);
    expect(point!.downTime.useful).toBe(false);
    expect(point!.downTime.remark).toContain('seen in 0 of 100 replications');
  });

  test('what uses up its life only at work lives longer waiting', () => {
    const description: SystemDescription = {
      groups: [{ name: 'unit', count: 2, failure: { kind: 'deterministic', value: 10 } }],
      standby: [{ name: 'set', groups: ['unit'], working: 1, dormancy: 0.25 }],
    };
    // The second has used 2.5 of its life when it begins.
    const { meanTimeToFailure: found } = simulate(description, { times: [], replicationsMin: 50, replicationsMax: 50 }, seededRandom(7));
    expect(found!.mean).toBeCloseTo(17.5, 12);
  });
});

test('a replication draws the same whatever ran before it', () => {
  const key = streamKey(seededRandom(8));
  const [one, other] = [new Stream(), new Stream()];
  one.begin(key, 5);
  other.begin(key, 4);
  for (let draw = 0; draw < 100; draw++) other.exponential();
  other.begin(key, 5);
  for (let draw = 0; draw < 1_000; draw++) expect(other.exponential()).toBe(one.exponential());
});

test('the ziggurat has the exponential distribution, tail and all', () => {
  const stream = new Stream();
  stream.begin(streamKey(seededRandom(9)), 0);
  const draws = 1_000_000;
  const bounds = [0.01, 0.1, 0.5, 1, 2, 4, 7.6, 7.8, 9];
  const counts = bounds.map(() => 0);
  let sum = 0;
  for (let draw = 0; draw < draws; draw++) {
    const value = stream.exponential();
    sum += value;
    bounds.forEach((bound, at) => (counts[at]! += value > bound ? 1 : 0));
  }
  expect(Math.abs(sum / draws - 1)).toBeLessThan(4e-3);
  bounds.forEach((bound, at) => {
    const p = Math.exp(-bound);
    expect(Math.abs(counts[at]! / draws - p), `beyond ${bound}`).toBeLessThan(4 * Math.sqrt((p * (1 - p)) / draws));
  });
});

test.each([
  [{ times: [0] }, 'a time must be finite and above 0, but is 0'],
  [{ times: [1], confidence: 1 }, 'the confidence must be between 0 and 1, but is 1'],
  [{ times: [5], warmUp: 5 }, 'above 5, but is 5'],
])('%j is refused', (options, message) => {
  expect(() => simulate(pair, options, seededRandom(0))).toThrow(message);
});

test('what can not fail has no time of a first failure', () => {
  const description: SystemDescription = { groups: [{ name: 'a', count: 1, failure: rate(1) }], up: { working: ['a'], atLeast: 0 } };
  expect(() => simulate(description, { times: [] }, seededRandom(0))).toThrow('can come to rest without ever failing');
});

test('what never gets on in time is ended', () => {
  const nothing: Distribution = { kind: 'deterministic', value: 0 };
  const description: SystemDescription = { groups: [{ name: 'a', count: 1, failure: nothing, repair: nothing }] };
  expect(() => simulate(description, { times: [1], replicationEventsMax: 1_000 }, seededRandom(0))).toThrow(
    'a replication had 1000 events',
  );
});

import { expect, test } from 'vitest';
import { seededRandom, type SeededRandom } from '../../sim/random.ts';
import { availabilityOverTime, survivalOverTime } from '../chain/up-down.ts';
import type { Distribution } from '../distribution/distribution.ts';
import { systemChain } from '../system/system-chain.ts';
import type { Condition, StandbySet, SystemDescription, UnitGroup } from '../system/system.ts';
import type { Estimate } from './estimate.ts';
import { simulate } from './simulate.ts';

/** Some system that a chain can have, with features by chance, all at once if chance will. */
function someSystem(random: SeededRandom): SystemDescription {
  const rate = (low: number, high: number): Distribution => ({ kind: 'exponential', rate: low + (high - low) * random.next() });
  const maybe = <T extends object>(probability: number, make: () => T): Partial<T> => (random.chance(probability) ? make() : {});
  const groups = Array.from({ length: 1 + random.integer(3) }, (_, at): UnitGroup => ({
    name: `g${at}`,
    count: 1 + random.integer(3),
    failure: rate(0.05, 0.5),
    ...maybe(0.9, () => ({ repair: random.chance(0.3) ? { kind: 'gamma', shape: 2, scale: 0.3 } : rate(0.5, 2) })),
    ...maybe(0.25, () => ({ coverage: { probability: random.next(), recovery: rate(1, 4) } })),
  }));
  const names = groups.map(({ name }) => name);
  const some = (probability: number): string[] => names.filter((_, at) => at === 0 || random.chance(probability));
  const dormancy = random.pick([0, 0.5, 1]);
  const sets = Array.from({ length: random.integer(3) }, (_, at): StandbySet => ({
    name: `s${at}`,
    groups: some(0.7),
    working: 1 + random.integer(2),
    dormancy,
    ...maybe(0.5, () => ({ switching: random.next() })),
    ...maybe(0.5, () => ({ takeover: rate(1, 6) })),
    ...maybe(0.4, () => ({ recovery: rate(1, 6) })),
  }));
  const mended = groups.filter(({ repair }) => repair !== undefined && random.chance(0.8)).map(({ name }) => name);
  const conditions = [...names, ...sets.map(({ name }) => name)].map((name): Condition => ({
    working: [name],
    atLeast: 1 + random.integer(2),
  }));
  return {
    groups,
    standby: sets,
    crews:
      mended.length === 0
        ? []
        : [{ name: 'c', size: 1 + random.integer(2), groups: mended, discipline: random.pick(['fifo', 'priority', 'preemptive']) }],
    sites: random.chance(0.3) ? [{ name: 'x', groups: some(0.3), failure: rate(0.05, 0.2), repair: rate(0.5, 2) }] : [],
    commonCauses: random.chance(0.3)
      ? [{ name: 'k', time: rate(0.05, 0.3), groups: some(0.5).map((group) => ({ group, probability: random.pick([1, 0.5]) })) }]
      : [],
    ...maybe(0.25, () => ({ whenDown: 'rests' })),
    ...maybe(0.5, () => ({
      up: random.pick<Condition>([{ any: conditions }, { all: conditions.slice(0, 2) }, conditions[conditions.length - 1]!]),
    })),
  };
}

/** Deviations of the simulation's mean from the exact value. */
function deviations({ mean, low, high }: Estimate, exact: number): number {
  return Math.abs(mean - exact) < 1e-9 ? 0 : Math.abs(mean - exact) / ((high - low) / 2 / NORMAL_999);
}
/** Half a 99.9 % interval in deviations. */
const NORMAL_999 = 3.2905;

test('random systems: what is simulated is what is solved', () => {
  const replications = 4_000;
  let compared = 0;
  let beyond2 = 0;
  for (let seed = 0; seed < 25; seed++) {
    const description = someSystem(seededRandom(`system ${seed}`));
    const chain = systemChain(description);
    const isUp = (state: number): boolean => chain.up[state] === 1;
    const exact = availabilityOverTime(chain, isUp, chain.initial, [6])[0]!;
    const { failureProbability } = survivalOverTime(chain, isUp, chain.initial, [6])[0]!;
    const options = { times: [6], confidence: 0.999, replicationsMin: replications, replicationsMax: replications };
    const point = simulate(description, options, seededRandom(seed)).points[0]!;
    const found = [
      deviations(point.unavailability, exact.unavailability),
      deviations(point.downTime, exact.downTime),
      deviations(point.failures, exact.failures),
      deviations(point.failureProbability, failureProbability),
    ];
    expect(Math.max(...found), `seed ${seed}: ${JSON.stringify(description)}`).toBeLessThan(4.5);
    compared += found.length;
    beyond2 += found.filter((value) => value > 2).length;
  }
  // 4.6 % of honest deviations are beyond 2; of 100 that depend on each other in fours, more than 16 would be a sign.
  expect(compared).toBe(100);
  expect(beyond2).toBeLessThanOrEqual(16);
});

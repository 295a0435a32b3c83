import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { evaluateModel, parseModel } from '../file/evaluate.ts';
import type { Advice } from './advise.ts';
import { advise, parseRequirements, sourceOf } from './advise.ts';
import { shippedCatalogue } from './catalogue.ts';
import { configurationsOf } from './configuration.ts';
import { designsOf, idOf } from './design.ts';
import { Evaluator } from './evaluate.ts';
import type { Judged } from './front.ts';
import { dominates, paretoFront } from './front.ts';
import { scaledInput } from './inputs.ts';
import { needsOf } from './needs.ts';
import type { RequirementsInput } from './schema.ts';
import { topologyModel } from './topology.ts';

const basic: RequirementsInput = {
  data: { size: '200GiB', change: '20GiB/day' },
  worth: { downtime: '2000/h', history: '3000/h', data: 2_000_000 },
  team: { hour: 90 },
};
/** Few designs, of every kind. */
const small = {
  ...basic,
  search: {
    members: [1, 2, 3],
    stores: ['etcd'],
    copies: ['disk', 'cloud', 'disk-cloud'],
    backup: ['1d'],
    journal: ['1s', '1min'],
    drills: ['none', '30d'],
  },
} satisfies RequirementsInput;
const relative = (actual: number, expected: number) => Math.abs(actual - expected) / Math.abs(expected);

describe('by hand', () => {
  /** Nothing fails but machines: the rest is switched off as far as it can be. */
  const quiet = {
    machine: { mtbf: '1000h', mttr: '10h', crash: '1e-30/h', upkeep: '1e-30/h', mistakes: '1e-30/h', disk: { afr: 0 } },
    site: { mtbf: '1e30h', destroyed: '1e-30/h', mistakes: '1e-30/h' },
    stores: { etcd: { mistakes: '1e-30/h' } },
    failover: { quorum: '1e-30s', switchover: '1e-30s', voterLoss: '1e-30s' },
    disasters: { error: '1e-30/h', intruder: '1e-30/h' },
  };
  const q = 10 / 1010;
  const unavailabilityOf = (members: number) => {
    const search = {
      members: [members],
      sites: [1],
      acknowledge: [members === 1 ? 0 : 1],
      stores: ['etcd'],
      copies: ['cloud'],
      backup: ['1d'],
      journal: ['10s'],
      drills: ['30d'],
    };
    const input = parseRequirements({ ...basic, catalogue: quiet, search });
    return new Evaluator(input).evaluate(designsOf(input)[0]!).unavailability;
  };

  test('one machine: MTTR / (MTBF + MTTR)', () => expect(relative(unavailabilityOf(1), q)).toBeLessThan(1e-12));

  test('three, of which a leader and a voter have to work, as the store has: 3q²(1 − q) + q³', () => {
    expect(relative(unavailabilityOf(3), 3 * q ** 2 * (1 - q) + q ** 3)).toBeLessThan(1e-12);
  });

  test('two and a witness: both are away; or one and the witness, where the member is needed to lead or to acknowledge', () => {
    // Of the pair: q². With exactly one of them away, the store is gone when the witness is: 2q(1 − q)·q.
    expect(relative(unavailabilityOf(2), q ** 2 + 2 * q * (1 - q) * q)).toBeLessThan(1e-12);
  });

  test('commits stall where all replicas are waited for, and one is lost', () => {
    const stallOf = (members: number, acknowledge: number) =>
      topologyModel(parseRequirements(basic), { members, sites: 1, acknowledge, store: 'etcd' }).components!['stall']?.rate;
    const failing = 1 / (129 * 24) + 1 / 8760;
    expect(stallOf(3, 2)).toBeCloseTo(2 * failing, 15);
    expect(stallOf(2, 1)).toBeCloseTo(failing, 15);
    expect([stallOf(3, 1), stallOf(3, 0), stallOf(1, 0)]).toEqual([undefined, undefined, undefined]);
  });

  test('two locations that mirror each other are lost as a mirror is, when members are gone at once', () => {
    // An error takes the member at once and for long; what is left are two copies that nothing fills anew: p = ∫ of both being lost.
    const search = { members: [1], sites: [1], acknowledge: [0], copies: ['pair'], backup: ['1d'], journal: ['10s'], drills: ['30d'] };
    const location = { ...shippedCatalogue.locations['cloud']!, loss: '10%' };
    const written = parseRequirements({
      ...basic,
      catalogue: {
        ...quiet,
        disasters: { error: '1/day', intruder: '1e-30/h' },
        restore: { decide: '1e12h', lost: 0 },
        locations: { one: location, two: location },
        copies: { pair: { mirror: ['one', 'two'] } },
      },
      search,
    });
    // More often than a file may say: at once.
    const input = scaledInput(written, ['catalogue', 'disasters', 'error'], 1e9);
    // Each location is lost within the year with 10 %, independently.
    expect(relative(new Evaluator(input).evaluate(designsOf(input)[0]!).lossProbability, 0.01)).toBeLessThan(1e-6);
  });

  test('yearly cost is what the parts cost', () => {
    const search = {
      members: [2],
      sites: [1],
      acknowledge: [1],
      stores: ['etcd'],
      copies: ['disk'],
      backup: ['1d'],
      journal: ['1h'],
      drills: ['none'],
    };
    const input = parseRequirements({ ...basic, data: { size: '100GB', change: '1GB/day' }, search });
    const { costs, cost } = new Evaluator(input).evaluate(designsOf(input)[0]!);
    expect(costs.machines).toBeCloseTo((2 * 0.192 + 0.0208) * 8760, 6);
    expect(costs.disks).toBeCloseTo(2 * 100 * 0.08 * 12, 6);
    expect(costs.copies).toBeCloseTo(0.5 * 160 * 0.045 * 12, 6);
    expect(costs.work).toBeCloseTo(90 * (2 * 12 + 12 + 4), 6);
    expect([costs.traffic, costs.requests, costs.drills]).toEqual([0, 0, 0]);
    expect(cost).toBeCloseTo(costs.machines + costs.disks + costs.copies + costs.work, 6);
  });
});

describe('the front', () => {
  const judged = fc.record<Judged>({
    cost: fc.nat(4),
    unavailability: fc.nat(4),
    recoveryHours: fc.nat(4),
    expectedLoss: fc.nat(4),
    lossProbability: fc.nat(2),
  });

  test('holds all that no other dominates, and nothing else', () => {
    fc.assert(
      fc.property(fc.array(judged, { maxLength: 40 }), (designs) => {
        const front = paretoFront(designs);
        expect(front).toEqual(designs.filter((each) => !designs.some((other) => dominates(other, each))));
      }),
    );
  });

  test('does not depend on the order', () => {
    fc.assert(
      fc.property(
        fc
          .array(judged, { minLength: 1, maxLength: 30 })
          .chain((list) => fc.tuple(fc.constant(list), fc.shuffledSubarray(list, { minLength: list.length }))),
        ([designs, shuffled]) => {
          expect(new Set(paretoFront(shuffled))).toEqual(new Set(paretoFront(designs)));
        },
      ),
    );
  });
});

describe('advice', () => {
  const advice = advise(parseRequirements(small));

  test('each design says of itself what holdfast model says of its model', () => {
    expect(advice.front.length).toBeGreaterThan(5);
    for (const { model, unavailability, design, lossProbability, readiness, expectedRtaMs } of advice.front) {
      const { structure, chains, recovery } = evaluateModel(parseModel(model));
      expect(relative(structure!.longRun!.unavailability, unavailability)).toBeLessThan(1e-9);
      const lost = chains!['copies']!.at[0]!.probabilities['lost']!;
      expect(lost).toBeLessThanOrEqual(lossProbability);
      // What a retry adds to each recovery is not part of the steps.
      const retry = (1 - readiness) * 8 * 3_600_000;
      const times = Object.values(recovery!).map(({ expectedMs }) => expectedMs + retry);
      expect(expectedRtaMs).toBeGreaterThanOrEqual(Math.min(...times) * (1 - 1e-9));
      expect(expectedRtaMs, idOf(design)).toBeLessThanOrEqual(Math.max(...times) * (1 + 1e-9));
    }
  });

  test('is ranked by cost and expected loss', () => {
    const totals = advice.front.map(({ total }) => total);
    expect(totals).toEqual(totals.toSorted((a, b) => a - b));
    for (const { cost, costs, expectedLoss, losses, total } of advice.front) {
      expect(relative(total, cost + expectedLoss)).toBeLessThan(1e-12);
      expect(
        relative(
          cost,
          Object.values(costs).reduce((sum, value) => sum + value, 0),
        ),
      ).toBeLessThan(1e-12);
      expect(
        relative(
          expectedLoss,
          Object.values(losses).reduce((sum, value) => sum + value, 0),
        ),
      ).toBeLessThan(1e-12);
    }
  });

  test('a flip does what it says', () => {
    const input = parseRequirements(small);
    const best = advice.front[0]!;
    const flipping = advice.front.slice(1).filter(({ flip }) => flip !== undefined);
    expect(flipping.length).toBeGreaterThan(0);
    for (const { flip, design } of flipping) {
      const totalAt = (factor: number) => {
        const evaluator = new Evaluator(scaledInput(input, flip!.input.split('.'), factor));
        return evaluator.evaluate(design).total - evaluator.evaluate(best.design).total;
      };
      expect(totalAt(flip!.factor)).toBeLessThanOrEqual(1e-6);
      // A twentieth of the way back, the order is as it was.
      expect(totalAt(flip!.factor ** 0.95)).toBeGreaterThan(0);
    }
    const nearest = Math.min(...flipping.map(({ flip }) => Math.abs(Math.log(flip!.factor))));
    expect(Math.abs(Math.log(best.flip!.factor))).toBeCloseTo(nearest, 12);
  });

  test('needs leave out what misses them; where all do, it says what they miss', () => {
    const strict = advise(parseRequirements({ ...small, needs: { rto: '1s', rpo: '0s', restore: { rpo: '10s' } } }));
    expect(strict.meeting).toBeGreaterThan(0);
    expect(
      strict.front.every(
        ({ failoverMs, failoverLossMs, recoveryLossMs }) => failoverMs <= 1000 && failoverLossMs === 0 && recoveryLossMs <= 10_001,
      ),
    ).toBe(true);
    expect(strict.needs.map(({ need }) => need)).toEqual(['needs.rto', 'needs.rpo', 'needs.restore.rpo']);
    const impossible = advise(parseRequirements({ ...small, needs: { budget: '1/year', availability: '99.9999999%' } }));
    expect(impossible.meeting).toBe(0);
    expect(impossible.front.every(({ misses }) => misses.includes('needs.budget'))).toBe(true);
    expect(impossible.front.length).toBeGreaterThan(5);
  });

  test('every figure that ships has its source, and one that is given is told as such', () => {
    const walk = (value: unknown, path: string[]): string[] =>
      typeof value === 'object' && value !== null
        ? Object.entries(value).flatMap(([key, each]) => walk(each, [...path, key]))
        : [path.join('.')];
    const unsourced = walk({ ...shippedCatalogue, copies: {} }, []).filter(
      (path) => !/\.(kind|place|locked)$/.test(path) && sourceOf(path) === undefined,
    );
    expect(unsourced).toEqual([]);
    const { figures } = advise(parseRequirements({ ...small, catalogue: { machine: { mtbf: '1y' } } }));
    expect(figures.find(({ figure }) => figure === 'machine.mtbf')).toMatchObject({ source: 'the file of needs' });
    expect(figures.find(({ figure }) => figure === 'machine.mttr')).toMatchObject({ value: '15min' });
  });

  test('is plain data', () => {
    const parsed: Advice = JSON.parse(JSON.stringify(advice));
    expect(parsed.front.map(({ id }) => id)).toEqual(advice.front.map(({ id }) => id));
    expect(configurationsOf(parseRequirements(small), advice.front[0]!.design)).toEqual(parsed.front[0]!.configurations);
  });
});

describe('what changes, changes the right way', () => {
  const least = (written: unknown) => {
    const input = parseRequirements(written);
    const evaluator = new Evaluator(input);
    const meeting = designsOf(input)
      .map((design) => evaluator.evaluate(design))
      .filter((each) => needsOf(input).every(({ holds }) => holds(each)));
    return Math.min(...meeting.map(({ total }) => total));
  };

  test('more budget, and weaker needs, never make the best worse', () => {
    const budgets = [3000, 5000, 8000, 11_000, 15_000, 30_000].map((budget) =>
      least({ ...small, needs: { budget: `${budget}/year`, rto: '1s' } }),
    );
    expect(budgets).toEqual(budgets.toSorted((a, b) => b - a));
    expect(new Set(budgets).size).toBeGreaterThan(1);
    const needs = ['99.995%', '99.99%', '99.9%', '99%'].map((availability) => least({ ...small, needs: { availability } }));
    expect(needs).toEqual(needs.toSorted((a, b) => b - a));
  });

  test('a better team makes no design dearer, nor less available', () => {
    const skilled = ['novice', 'practised', 'expert'].map((skill) => {
      const input = parseRequirements({ ...small, team: { hour: 90, skill } });
      const evaluator = new Evaluator(input);
      return designsOf(input).map((design) => evaluator.evaluate(design));
    });
    for (const [index, better] of [...skilled.entries()].slice(1)) {
      for (const [at, each] of better.entries()) {
        const worse = skilled[index - 1]![at]!;
        expect(each.cost).toBeLessThan(worse.cost);
        expect(each.unavailability).toBeLessThan(worse.unavailability);
        expect(each.recoveryHours).toBeLessThan(worse.recoveryHours);
      }
    }
  });

  test.each([
    [['catalogue', 'machine', 'mtbf'], 2, 'unavailability'],
    [['catalogue', 'disasters', 'error'], 0.5, 'unavailability'],
    [['catalogue', 'disasters', 'error'], 0.5, 'lossProbability'],
    [['catalogue', 'locations', 'cloud', 'loss'], 0.5, 'lossProbability'],
    [['catalogue', 'machine', 'price'], 0.5, 'cost'],
    [['data', 'rampup'], 0.5, 'recoveryHours'],
    [['worth', 'downtime'], 0.5, 'expectedLoss'],
  ] as const)('%j × %d is never worse for %s', (path, factor, judged) => {
    const input = parseRequirements(small);
    const [before, after] = [new Evaluator(input), new Evaluator(scaledInput(input, path, factor))];
    const pairs = designsOf(input).map((design) => [before.evaluate(design)[judged], after.evaluate(design)[judged]] as const);
    expect(pairs.filter(([was, is]) => is > was * (1 + 1e-9))).toEqual([]);
    expect(pairs.some(([was, is]) => is < was)).toBe(true);
  });
});

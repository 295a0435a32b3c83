import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { evaluateModel, parseModel } from './evaluate.ts';
import { decideMethod } from './method.ts';
import { systemOf } from './to-system.ts';

/** λ = 0.01, μ = 0.5. */
const pair = { components: { node: { mtbf: '100h', mttr: '2h', count: 2 } }, structure: { parallel: ['node.*'] } };

describe('systems of crews and spares', () => {
  test('one crew for two nodes: 2ρ²/(1 + 2ρ + 2ρ²), first failure after (3λ + μ)/2λ²', () => {
    const { structure } = evaluateModel(parseModel({ ...pair, repair: { crews: 1 }, at: ['10h'] }));
    expect(structure!.method).toBe('markov');
    expect(structure!.because).toContain('1 repair crew serves 2 parts');
    const load = 0.02;
    expect(structure!.longRun!.unavailability / ((2 * load ** 2) / (1 + 2 * load + 2 * load ** 2)) - 1).toBeCloseTo(0, 12);
    expect(structure!.mttf! / ((0.03 + 0.5) / 2e-4) - 1).toBeCloseTo(0, 11);
    expect(structure!.at[0]!.survival).toBeLessThan(1);
  });

  test('as many crews as nodes are as good as independent', () => {
    expect(decideMethod(parseModel({ ...pair, repair: { crews: 2 } })).method).toBe('closed-form');
  });

  test('cold, warm and hot spares, and take-overs that fail', () => {
    const standby = (set: Record<string, unknown>) =>
      evaluateModel(
        parseModel({
          components: { main: { rate: '0.001/h' }, spare: { rate: '0.001/h' } },
          standby: { both: { active: ['main'], spares: ['spare'], ...set } },
          structure: 'both',
        }),
      ).structure!.mttf!;
    expect(standby({ dormancy: 0 })).toBeCloseTo(2000, 8);
    expect(standby({ dormancy: 1 })).toBeCloseTo(1500, 8);
    // 1/(λ + αλ) until the first failure of either, then 1/λ.
    expect(standby({ dormancy: 0.5 })).toBeCloseTo(1000 / 1.5 + 1000, 8);
    expect(standby({ dormancy: 0, switching: 0.9 })).toBeCloseTo(1000 + 0.9 * 1000, 8);
  });

  test('copies that are only named together are counted, others are told apart', () => {
    const together = systemOf(parseModel({ ...pair, repair: { crews: 1 } }));
    expect(together.groups.map(({ name, count }) => [name, count])).toEqual([['node', 2]]);
    const apart = systemOf(parseModel({ ...pair, repair: { crews: 1, priority: ['node.2'] } }));
    expect(apart.groups.map(({ name }) => name)).toEqual(['node.1', 'node.2']);
    expect(apart.crews).toEqual([{ name: 'crew', size: 1, groups: ['node.2', 'node.1'], discipline: 'priority' }]);
  });

  test('who is mended first is down less', () => {
    const shop = (priority: string[]) =>
      evaluateModel(
        parseModel({
          components: { db: { mtbf: '50h', mttr: '5h' }, web: { mtbf: '50h', mttr: '5h' } },
          structure: 'db',
          repair: { crews: 1, priority, discipline: 'preemptive' },
        }),
      ).structure!.longRun!.unavailability;
    expect(shop(['db'])).toBeLessThan(shop(['web']));
    // What is always mended at once knows nothing of the other.
    expect(shop(['db'])).toBeCloseTo(5 / 55, 12);
  });

  test('the chain of independent parts = the closed form. Method: random block diagrams', () => {
    const part = fc.record({ mtbf: fc.integer({ min: 10, max: 9999 }), mttr: fc.integer({ min: 1, max: 99 }) });
    const gate = fc.constantFrom('series', 'parallel', 'or', 'and');
    fc.assert(
      fc.property(fc.array(part, { minLength: 4, maxLength: 5 }), gate, gate, fc.integer({ min: 1, max: 3 }), (parts, first, second, k) => {
        const components = Object.fromEntries(parts.map(({ mtbf, mttr }, i) => [`p${i}`, { mtbf: `${mtbf}h`, mttr: `${mttr}h` }]));
        const names = Object.keys(components);
        const structure = { [first]: [names[0], { [second]: [{ 'k-of-n': k, of: names.slice(1, 4) }, ...names.slice(4)] }] };
        const { longRun, comparison } = evaluateModel(parseModel({ components, structure }), { compare: true }).structure!;
        const chain = comparison!.find(({ method }) => method === 'markov')!;
        expect(Math.abs(chain.unavailability / longRun!.unavailability - 1)).toBeLessThan(1e-9);
      }),
      { numRuns: 40 },
    );
  });

  test.each([
    [
      { components: { a: { probability: 0.1 }, b: { mtbf: '1h', mttr: '1h', count: 2 } }, structure: { series: ['a', 'b.*'] } },
      "'a' is given by a probability",
    ],
    [
      { components: { a: { weibull: { shape: 2, scale: '9h' }, mttr: '1h', count: 2 } }, structure: { parallel: ['a.*'] } },
      "the life of 'a' is Weibull, not exponential",
    ],
    [{ components: { a: { mtbf: '9h', mttr: '1h', count: 2 } }, structure: { xor: ['a.*'] } }, "a gate 'xor' is for structures alone"],
  ])('what has no chain is told: %j', (input, message) => {
    expect(() => decideMethod(parseModel({ ...input, repair: { crews: 1 } }), 'markov')).toThrow(message);
  });

  test('rates that grow make nothing better. Method: pairs of models', () => {
    const unavailability = (mtbf: number, mttr: number, crews: number) =>
      evaluateModel(
        parseModel({
          components: { n: { mtbf: `${mtbf}h`, mttr: `${mttr}h`, count: 4 } },
          structure: { 'k-of-n': 2, of: ['n.*'] },
          repair: { crews },
        }),
      ).structure!.longRun!.unavailability;
    fc.assert(
      fc.property(
        fc.integer({ min: 10, max: 1000 }),
        fc.integer({ min: 1, max: 50 }),
        fc.integer({ min: 1, max: 3 }),
        (mtbf, mttr, crews) => {
          const now = unavailability(mtbf, mttr, crews);
          expect(unavailability(mtbf * 1.1, mttr, crews)).toBeLessThan(now);
          expect(unavailability(mtbf, mttr * 1.1, crews)).toBeGreaterThan(now);
          expect(unavailability(mtbf, mttr, crews + 1)).toBeLessThan(now);
        },
      ),
      { numRuns: 30 },
    );
  });
});

describe('simulation', () => {
  const shop = (more: Record<string, unknown>) =>
    parseModel({
      components: { node: { mtbf: '100h', mttr: '5h', count: 3 } },
      structure: { 'k-of-n': 2, of: ['node.*'] },
      repair: { crews: 1 },
      at: ['500h'],
      ...more,
    });

  test('is chosen where times are not exponential and parts wait for each other', () => {
    const model = parseModel({
      components: { node: { weibull: { shape: 2, scale: '100h' }, mttr: { uniform: ['1h', '9h'] }, count: 2 } },
      structure: { parallel: ['node.*'] },
      repair: { crews: 1 },
      simulation: { runs: 1200, precision: 0.0001 },
    });
    expect(decideMethod(model)).toMatchObject({ method: 'simulation', because: expect.stringContaining('is Weibull, not exponential') });
    const { simulation, at } = evaluateModel(model).structure!;
    expect(simulation!.replications).toBe(1200);
    expect(simulation!.stoppedBy).toBe('replications');
    expect(at[0]!.hours).toBe(8760);
    expect(simulation!.points[0]!.meanUnavailability.useful).toBe(true);
  });

  test('agrees with the chain where both apply, and repeats itself by its seed', () => {
    const exact = evaluateModel(shop({})).structure!;
    const played = (seed: number) =>
      evaluateModel(shop({ simulation: { seed, precision: 0.03 } }), { method: 'simulation' }).structure!.simulation!;
    const inside = [1, 2, 3, 4, 5].filter((seed) => {
      const { low, high } = played(seed).points[0]!.failureProbability;
      return low <= 1 - exact.at[0]!.survival! && 1 - exact.at[0]!.survival! <= high;
    });
    // Of five intervals of 95 % two or more miss once in 44 sets of seeds; these are fixed.
    expect(inside.length).toBeGreaterThanOrEqual(4);
    expect(played(1)).toEqual(played(1));
    expect(played(1)).not.toEqual(played(2));
  });

  test('says why it can not be', () => {
    expect(() => decideMethod(parseModel({ components: { a: { probability: 0.1 } }, structure: 'a' }), 'simulation')).toThrow(
      /'a' is given by a probability/,
    );
  });
});

describe('storage and recovery', () => {
  test('a mirror loses by (λ + …): mean time of two copies, (3λ + μ)/2λ²', () => {
    const { storage } = evaluateModel(parseModel({ storage: { pair: { mirror: 2, mtbf: '1000h', repair: '10h' } }, at: ['1y'] }));
    expect(storage!['pair']!.mttdl.group / ((0.003 + 0.1) / 2e-6) - 1).toBeCloseTo(0, 11);
    expect(storage!['pair']!.fragments).toBe(2);
  });

  test('codes say what does not fit', () => {
    const wrong = (code: Record<string, unknown>) => () => parseModel({ storage: { it: { mtbf: '1h', repair: '1h', ...code } } });
    expect(wrong({ data: 4 })).toThrow(/data and parity belong together/);
    expect(wrong({})).toThrow(/must be either mirror: COPIES, or data: K with parity: M/);
    expect(wrong({ mirror: 3, afr: '1%' })).toThrow(/by one of rate, mtbf, afr/);
    expect(wrong({ data: 4, parity: 2, sites: { fragments: [3, 2], rate: '1/y' } })).toThrow(
      /must add up to the 6 fragments of a set, not 5/,
    );
  });

  test('terms of a recovery that need each other say so', () => {
    const wrong = (it: Record<string, unknown>) => () => parseModel({ recovery: { it } });
    expect(wrong({ bytes: '1GiB' })).toThrow(/bytes: need a rate/);
    expect(wrong({ rate: '1GiB/s' })).toThrow(/rate: has no meaning without bytes/);
    expect(wrong({ rampup: 0.2 })).toThrow(/rampup: has no meaning without the history/);
    expect(wrong({ history: '1h' })).toThrow(/history: needs a rampup/);
    expect(wrong({ detect: '1GiB' })).toThrow(/detect/);
    expect(() => parseModel({ ...pair, repair: { priority: ['node.1'] } })).toThrow(/priority: has no meaning without crews/);
  });

  test('quantiles of a recovery: two uniform steps make a triangle', () => {
    const recovery = { it: { detect: { uniform: ['0h', '1h'] }, decide: { uniform: ['0h', '1h'] }, verify: '1h', objective: '2h' } };
    const { it } = evaluateModel(parseModel({ recovery })).recovery!;
    const hour = 3_600_000;
    expect(it!.expectedMs).toBe(2 * hour);
    expect(it!.quantilesMs.p50 / hour).toBeCloseTo(2, 3);
    expect(it!.quantilesMs.p95 / hour).toBeCloseTo(3 - Math.sqrt(0.1), 3);
    expect(it!.quantilesMs.p99 / hour).toBeCloseTo(3 - Math.sqrt(0.02), 3);
    expect(it!.withinObjective).toBeCloseTo(0.5, 3);
  });

  test('of exponential steps: Erlang; of fixed ones: their sum', () => {
    const steps = {
      it: { detect: { exponential: '1h' }, decide: { exponential: '1h' }, objective: '3h' },
      fixed: { detect: '10s', cutover: '20s' },
    };
    const { it, fixed } = evaluateModel(parseModel({ recovery: steps })).recovery!;
    expect(it!.withinObjective).toBeCloseTo(1 - 4 * Math.exp(-3), 3);
    expect(fixed!.quantilesMs).toEqual({ p50: 30_000, p90: 30_000, p95: 30_000, p99: 30_000 });
  });

  test('replay is history times rampup, with its law', () => {
    const { it } = evaluateModel(parseModel({ recovery: { it: { rampup: 0.5, history: { uniform: ['0h', '24h'] } } } })).recovery!;
    expect(it!.expectedMs).toBe(6 * 3_600_000);
    expect(it!.quantilesMs.p90 / 3_600_000).toBeCloseTo(10.8, 2);
    expect(it!.catchUpMs).toBe(12 * 3_600_000);
  });

  test('a triangular step keeps its quantiles', () => {
    const { it } = evaluateModel(
      parseModel({ recovery: { it: { decide: { triangular: ['0h', '1h', '4h'] }, objective: '1h' } } }),
    ).recovery!;
    expect(it!.withinObjective).toBeCloseTo(0.25, 3);
    expect(it!.quantilesMs.p90 / 3_600_000).toBeCloseTo(4 - Math.sqrt(0.1 * 12), 2);
    expect(it!.expectedMs / 3_600_000).toBeCloseTo(5 / 3, 12);
  });

  test('triangular repairs wait for a crew, too', () => {
    const node = { mtbf: '100h', mttr: { triangular: ['1h', '2h', '9h'] }, count: 2 };
    const model = {
      components: { node },
      structure: { series: ['node.*'] },
      repair: { crews: 1 },
      at: ['5000h'],
      simulation: { runs: 300 },
    };
    const { method, simulation } = evaluateModel(parseModel(model)).structure!;
    expect(method).toBe('simulation');
    // M/G/1 with two sources: the longer they take, the longer they wait; between no waiting and exponential repairs.
    const { low, high } = simulation!.points[0]!.meanUnavailability;
    expect(low).toBeLessThan(1 - 1 / 1.0832);
    expect(high).toBeGreaterThan(1 - 1 / 1.04 ** 2);
  });
});

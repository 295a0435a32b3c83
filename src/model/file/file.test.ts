import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { stateOf } from '../structure/event.ts';
import { evaluate, solveStructure } from '../structure/solve.ts';
import type { Expression, Structure } from '../structure/structure.ts';
import { closedForm, withoutClosedForm } from './closed-form.ts';
import { evaluateModel, parseModel } from './evaluate.ts';
import { decideMethod } from './method.ts';
import { parseHours } from './quantities.ts';
import { integrateToInfinity } from './quadrature.ts';
import type { Model } from './schema.ts';
import { modelJsonSchema, modelSchema, writeModel } from './schema.ts';

describe('quantities', () => {
  test.each([
    ['8h', 8],
    ['30min', 0.5],
    ['30m', 0.5],
    ['1h30min', 1.5],
    ['1 year', 8760],
    ['2.5y', 21_900],
    ['150 days', 3600],
    ['36s', 0.01],
    ['1e6h', 1e6],
    ['3600000ms', 1],
    ['month', undefined],
    ['8', undefined],
    ['8 hh', undefined],
    ['', undefined],
  ])('%s is %d hours', (text, hours) => expect(parseHours(text)).toBe(hours));

  test.each([
    ['2/year', 2 / 8760],
    ['0.001/h', 0.001],
    ['1/1000h', 0.001],
    ['100FIT', 1e-7],
    ['3 per day', 0.125],
  ])('%s is %d per hour', (text, rate) => expect(component({ rate: text }).rate).toBe(rate));

  test('what is of another kind is told as such', () => {
    const told = (input: Record<string, unknown>) =>
      modelSchema.safeParse({ components: { a: input } }).error!.issues.map(({ message }) => message);
    expect(told({ probability: '8h' })).toEqual([
      "must be a probability from 0 to 1, such as 0.001 or 0.1%, not '8h', which is a duration",
    ]);
    expect(told({ mtbf: '2/year' })[0]).toMatch(/must be a duration above 0 .* not '2\/year', which is a rate/);
    expect(told({ mtbf: 1000 })[0]).toMatch(/not '1000', which is a number without a unit/);
    expect(told({ rate: '0.1' })[0]).toMatch(/must be a rate above 0.*which is a number without a unit/);
    expect(told({ rate: '0/h' })[0]).toMatch(/must be a rate above 0.*not '0\/h'$/);
    expect(told({ probability: '130%' })[0]).toMatch(/from 0 to 1.*not '130%'$/);
    expect(told({ availability: -0.1 })[0]).toMatch(/not '-0.1'$/);
    expect(told({ rate: '100MiB/s' })[0]).toMatch(/which is a transfer rate/);
    expect(told({ mtbf: ['1h'] })[0]).toMatch(/must be a duration/);
  });
});

describe('components', () => {
  test.each([
    [{ mttr: '8h' }, 'must say how it fails'],
    [{ rate: '1/h', mtbf: '1h' }, 'says twice how it fails: rate and mtbf'],
    [{ probability: 0.1, mttr: '1h' }, 'has no meaning beside probability'],
    [{ rate: '1/h', frequency: '1/h' }, 'is for probabilities'],
    [{ weibull: { shape: 2, scale: '1h' }, test: { every: '1h' } }, 'needs a rate, mtbf or afr, not weibull'],
    [{ rate: '1/h', mission: '1h', mttr: '1h' }, 'can not stand beside mttr'],
    [{ afr: 1 }, 'must be below 1'],
    [{ mtbf: '1h', mttr: { lognormal: { median: '1h' }, fixed: '1h' } }, 'it names fixed and lognormal'],
    [{ mtbf: '1h', mttr: { triangular: ['3h', '2h', '4h'] } }, 'three times in order'],
  ])('%j is refused', (input, message) => {
    const { error } = modelSchema.safeParse({ components: { a: input } });
    expect(error!.issues.map((issue) => issue.message).join()).toContain(message);
  });

  test('a failure probability per year is no rate', () => {
    const answer = evaluateModel(parseModel({ components: { disk: { afr: '50%' } }, structure: 'disk', at: ['1y'] }));
    expect(answer.structure!.at[0]!.unavailability).toBeCloseTo(0.5, 12);
    expect(answer.structure!.mttf! / (8760 / Math.LN2)).toBeCloseTo(1, 10);
  });
});

describe('structures', () => {
  const parts = { a: { probability: 0.1 }, b: { probability: 0.2 }, c: { probability: 0.3 } };
  const unavailability = (structure: unknown, more: Record<string, unknown> = {}) =>
    evaluateModel(parseModel({ components: parts, structure, ...more })).structure!.longRun!.unavailability;

  test('by their gates', () => {
    expect(unavailability({ series: ['a', 'b', 'c'] })).toBeCloseTo(1 - 0.9 * 0.8 * 0.7, 14);
    expect(unavailability({ parallel: ['a', 'b', 'c'] })).toBeCloseTo(0.006, 15);
    expect(unavailability({ 'k-of-n': 2, of: ['a', 'b', 'c'] })).toBeCloseTo(0.1 * 0.2 + 0.1 * 0.3 + 0.2 * 0.3 - 2 * 0.006, 14);
    expect(unavailability({ atleast: 1, of: ['a', 'b'] })).toBeCloseTo(0.28, 14);
    expect(unavailability({ not: 'a' })).toBeCloseTo(0.9, 14);
    expect(unavailability({ xor: ['a', 'b'] })).toBeCloseTo(0.1 * 0.8 + 0.9 * 0.2, 14);
    expect(unavailability({ and: ['a', true] })).toBeCloseTo(0.1, 15);
    expect(unavailability({ parallel: ['x', 'y'] }, { parts: { x: { series: ['a', 'b'] }, y: { series: ['a', 'c'] } } })).toBeCloseTo(
      0.1 + 0.9 * 0.06,
      14,
    );
  });

  test('with copies, sites and common causes', () => {
    const counted = { components: { node: { probability: 0.01, count: 3 } }, structure: { 'k-of-n': 2, of: ['node.*'] } };
    expect(evaluateModel(parseModel(counted)).structure!.longRun!.unavailability).toBeCloseTo(3 * 1e-4 - 2e-6, 15);
    const site = { ...counted, sites: { hall: { members: ['node.1', 'node.2'], probability: 0.001 } } };
    // The hall takes two of three: the system is down with it.
    expect(evaluateModel(parseModel(site)).structure!.longRun!.unavailability).toBeCloseTo(0.001 + 0.999 * (3e-4 - 2e-6), 14);
    const common = { ...counted, commonCause: { nodes: { members: ['node.*'], beta: '10%' } } };
    const [own, all] = [0.009, 0.001];
    expect(evaluateModel(parseModel(common)).structure!.longRun!.unavailability).toBeCloseTo(
      all + (1 - all) * (3 * own ** 2 - 2 * own ** 3),
      12,
    );
  });

  test('an availability of many nines is taken from its decimals', () => {
    const answer = evaluateModel(
      parseModel({ components: { a: { availability: '99.999%' }, b: { availability: 0.99999 } }, structure: { parallel: ['a', 'b'] } }),
    );
    expect(answer.structure!.longRun!.unavailability / 1e-10 - 1).toBeCloseTo(0, 14);
  });

  test('what is not repaired has a mean life: 1/λ₁ + 1/λ₂ − 1/(λ₁+λ₂) of two in parallel', () => {
    const model = parseModel({
      components: { a: { mtbf: '100h' }, b: { mtbf: '300h' } },
      structure: { parallel: ['a', 'b'] },
      at: ['50h'],
    });
    const { mttf, at, noLongRun, longRun } = evaluateModel(model).structure!;
    expect(mttf! / (100 + 300 - 75)).toBeCloseTo(1, 11);
    expect(at[0]!.survival).toBeCloseTo(1 - (1 - Math.exp(-0.5)) * (1 - Math.exp(-1 / 6)), 14);
    expect(longRun).toBeUndefined();
    expect(noLongRun).toMatch(/steady|repair/i);
  });

  test('laws of repair do not matter in the long run, and single times are not made up', () => {
    const model = parseModel({
      components: { a: { weibull: { shape: 2, scale: '100h' }, mttr: { uniform: ['1h', '3h'] } } },
      structure: 'a',
      at: ['10h'],
    });
    const { longRun, at, assumptions } = evaluateModel(model).structure!;
    const mean = 100 * (Math.sqrt(Math.PI) / 2);
    expect(longRun!.unavailability).toBeCloseTo(2 / (mean + 2), 13);
    expect(longRun!.failuresPerYear).toBeCloseTo(8760 / (mean + 2), 9);
    expect(at).toEqual([]);
    expect(assumptions.join()).toContain("nothing is said of single times: 'a' has lives or repairs");
  });
});

describe('large structures', () => {
  test('many alike are products; cut sets and importance only when asked for', () => {
    const many = parseModel({ components: { n: { probability: 0.4, count: 1000 } }, structure: { 'k-of-n': 600, of: ['n.*'] } });
    const { longRun, cutSets, importance, assumptions } = evaluateModel(many).structure!;
    // Half of a symmetric distribution, and half of the middle.
    expect(longRun!.unavailability).toBeGreaterThan(0.48);
    expect(longRun!.unavailability).toBeLessThan(0.5);
    expect([cutSets, importance]).toEqual([undefined, undefined]);
    expect(assumptions.join()).toContain('compute: [cut-sets, importance]');
    const asked = parseModel({
      components: { n: { probability: 0.4, count: 300 } },
      structure: { parallel: ['n.*'] },
      compute: ['importance'],
    });
    expect(evaluateModel(asked).structure!.importance).toHaveLength(300);
  });

  test('what is too large to be solved has bounds, and they hold the true value', () => {
    const components = Object.fromEntries(Array.from({ length: 40 }, (_, i) => [`e${i}`, { probability: 0.05 }]));
    const far = (i: number, step: number) => `e${(i * step) % 40}`;
    const or = Array.from({ length: 40 }, (_, i) => ({ and: [`e${i}`, far(i, 7), far(i, 13), far(i, 29)] }));
    const model = parseModel({ components, structure: { or }, compute: ['availability'] });
    const { bounds, longRun } = evaluateModel(model, { nodesMax: 50 }).structure!;
    expect(longRun).toBeUndefined();
    const exact = evaluateModel(model).structure!.longRun!.unavailability;
    expect(bounds!.unavailability.low).toBeLessThanOrEqual(exact * (1 + 1e-12));
    expect(bounds!.unavailability.high).toBeGreaterThanOrEqual(exact * (1 - 1e-12));
    expect(bounds!.unavailability.high).toBeLessThan(1);
  });

  test('parts within parts have a limit', () => {
    const parts = Object.fromEntries(Array.from({ length: 3000 }, (_, i) => [`p${i}`, { series: [i < 2999 ? `p${i + 1}` : 'a', 'a'] }]));
    expect(() => parseModel({ components: { a: { probability: 0.5 } }, parts, structure: 'p0' })).toThrow(
      /is nested more than 500 parts deep/,
    );
  });
});

describe('the method', () => {
  const model = (structure: unknown) =>
    parseModel({ components: { a: { mtbf: '10h', mttr: '1h' }, b: { mtbf: '20h', mttr: '1h' } }, structure });

  test('is chosen by the model, with its reason', () => {
    expect(decideMethod(model({ series: ['a', 'b'] }))).toMatchObject({ method: 'closed-form' });
    expect(decideMethod(model({ series: ['a', { parallel: ['a', 'b'] }] }))).toMatchObject({
      method: 'bdd',
      because: "'a' stands in several places",
    });
    expect(decideMethod(model('a'), 'bdd').because).toBe('it was asked for');
  });

  test('can be forced only where it is right', () => {
    expect(() => decideMethod(model({ series: ['a', { parallel: ['a', 'b'] }] }), 'closed-form')).toThrow(
      /closed-form can not solve this model: 'a' stands in several places/,
    );
  });

  test('closed form and decision diagram agree, in unavailability and frequency: Safety of all products. Method: random trees', () => {
    fc.assert(
      fc.property(tree(), fc.array(fc.integer({ min: 1, max: 99 }), { minLength: 24, maxLength: 24 }), (top, percents) => {
        const events = Object.fromEntries(
          percents.map((each, i) => [`e${i}`, { kind: 'repairable', rate: each / 100, repairTime: 1 / (i + 1) } as const]),
        );
        const structure: Structure = { top: numbered(top), events };
        if (withoutClosedForm(structure) !== undefined) return;
        const { q, a } = closedForm(structure, (event) => stateOf(events[event]!, 'steady')!);
        const exact = evaluate(solveStructure(structure), 'steady').top;
        expect(Math.abs(q / exact.q - 1)).toBeLessThan(1e-11);
        expect(Math.abs(a / exact.a - 1)).toBeLessThan(1e-11);
      }),
      { numRuns: 200 },
    );
  });

  test('--compare sets the others beside it', () => {
    const { comparison } = evaluateModel(model({ parallel: ['a', 'b'] }), { compare: true }).structure!;
    expect(comparison!.map(({ method }) => method)).toEqual(['bdd', 'markov']);
    for (const { relativeDifference } of comparison!) expect(relativeDifference).toBeLessThan(1e-12);
  });
});

describe('chains', () => {
  test('in the long run, over time, and to their end', () => {
    const chains = {
      pair: {
        states: { both: 'up', one: 'up', none: { up: false } },
        transitions: { 'both -> one': '2/100h', 'one -> both': '1/2h', 'one -> none': '1/100h', 'none -> one': '1/2h' },
      },
    };
    const { pair } = evaluateModel(parseModel({ chains, at: ['1000h'] })).chains!;
    // One crew: 2ρ² / (1 + 2ρ + 2ρ²), ρ = λ/μ = 0.02.
    expect(pair!.longRun!.unavailability / ((2 * 0.02 ** 2) / (1 + 0.04 + 2 * 0.02 ** 2))).toBeCloseTo(1, 13);
    // Mean time to the first failure: (3λ + μ) / 2λ².
    expect(pair!.mttf! / ((0.03 + 0.5) / (2 * 0.01 ** 2))).toBeCloseTo(1, 12);
    expect(pair!.at[0]!.unavailability / pair!.longRun!.unavailability).toBeCloseTo(1, 9);
    expect(pair!.at[0]!.survival).toBeLessThan(1);
  });

  test('what ends has its ends', () => {
    const states = { a: 'up', win: 'up', lose: 'down' };
    const { race } = evaluateModel(
      parseModel({ chains: { race: { states, transitions: { 'a -> win': '3/h', 'a -> lose': '1/h' } } } }),
    ).chains!;
    expect(race!.absorption).toEqual({ meanTime: 0.25, probabilities: { win: 0.75, lose: 0.25 } });
    expect(race!.mttf, 'it may never fail').toBeUndefined();
    expect(race!.noLongRun).toMatch(/'win', 'lose' are never left/);
  });
});

describe('files', () => {
  test('are written back without loss. Method: random models', () => {
    fc.assert(
      fc.property(
        fc.array(component_(), { minLength: 1, maxLength: 6 }),
        fc.double({ min: 1e-6, max: 1e6, noNaN: true }),
        (list, horizon) => {
          const model: Model = {
            horizon,
            components: Object.fromEntries(list.map((each, i) => [`c${i}`, each])),
            structure: { series: list.map((_, i) => `c${i}`) },
          };
          expect(modelSchema.parse(JSON.parse(JSON.stringify(writeModel(model))))).toEqual(model);
        },
      ),
    );
  });

  test('have a JSON Schema', () => {
    const schema = modelJsonSchema();
    expect(schema['title']).toBe('Holdfast model');
    expect(JSON.stringify(schema)).not.toContain('"kind"');
  });
});

test('mean of a life by quadrature', () => {
  expect(integrateToInfinity((t) => Math.exp(-t / 500), 10)).toBeCloseTo(500, 8);
  expect(integrateToInfinity((t) => Math.exp(-((t / 3) ** 2)), 1) / ((3 * Math.sqrt(Math.PI)) / 2)).toBeCloseTo(1, 11);
});

function component(input: Record<string, unknown>): NonNullable<Model['components']>[string] {
  return modelSchema.parse({ components: { a: input } }).components!['a']!;
}

function component_(): fc.Arbitrary<NonNullable<Model['components']>[string]> {
  const hours = fc.double({ min: 1e-9, max: 1e9, noNaN: true });
  const share = fc.double({ min: 0, max: 1, noNaN: true });
  return fc.oneof(
    hours.map((mtbf) => ({ mtbf })),
    fc.record({ rate: hours, mttr: hours }),
    share.map((probability) => ({ probability })),
    fc.record({ rate: hours, test: fc.record({ every: hours, takes: hours }) }),
    fc.record({
      weibull: fc.record({ shape: hours, scale: hours }),
      mttr: fc.record({ lognormal: fc.record({ median: hours, sigma: hours }) }),
    }),
    fc.record({ afr: fc.double({ min: 0, max: 0.999, noNaN: true }), count: fc.integer({ min: 1, max: 9 }) }),
  );
}

/** Trees of gates whose leaves are to be numbered. */
function tree(): fc.Arbitrary<Expression> {
  return fc.letrec<{ tree: Expression; gate: Expression }>((tie) => ({
    tree: fc.oneof({ depthSize: 'small', withCrossShrink: true }, fc.constant('leaf'), tie('gate')),
    gate: fc.oneof(
      fc.record({
        op: fc.constantFrom('series', 'parallel', 'or', 'and'),
        of: fc.array(tie('tree'), { minLength: 1, maxLength: 4 }),
      }) as fc.Arbitrary<Expression>,
      fc
        .tuple(fc.constantFrom('k-of-n' as const, 'atleast' as const), fc.array(tie('tree'), { minLength: 1, maxLength: 4 }), fc.nat(3))
        .map(([op, of, k]): Expression => ({ op, of, k: (k % of.length) + 1 })),
    ),
  })).gate;
}

function numbered(expression: Expression): Expression {
  let next = 0;
  const visit = (each: Expression): Expression =>
    typeof each === 'string' ? `e${next++ % 24}` : typeof each === 'boolean' ? each : { ...each, of: each.of.map(visit) };
  return visit(expression);
}

import { describe, expect, test } from 'vitest';
import { cutSets, pathSets } from './cut-sets.ts';
import type { BasicEvent } from './event.ts';
import { failureFrequency } from './failures.ts';
import { importance } from './importance.ts';
import { evaluate, solveStructure } from './solve.ts';
import type { Expression, Structure } from './structure.ts';

/** A structure whose events are named in it and have these failure probabilities. */
function structure(top: Expression, probabilities: Readonly<Record<string, number>>, gates: Record<string, Expression> = {}): Structure {
  const events: Record<string, BasicEvent> = {};
  for (const [name, probability] of Object.entries(probabilities)) events[name] = { kind: 'probability', probability };
  return { top, gates, events };
}

function names(count: number): string[] {
  return Array.from({ length: count }, (_, index) => `p${index}`);
}

function alike(count: number, probability: number): Record<string, number> {
  return Object.fromEntries(names(count).map((name) => [name, probability]));
}

/** Equal in all but the last digit or two. */
function near(value: number, expected: number, digits = 13): void {
  expect(Math.abs(value / expected - 1)).toBeLessThan(10 ** -digits);
}

describe('digits', () => {
  test('an unavailability of 10⁻¹⁵ and less keeps them, on either side', () => {
    const pair = solveStructure(structure({ op: 'parallel', of: ['p0', 'p1', 'p2', 'p3'] }, alike(4, 1.1e-5)));
    near(evaluate(pair, 'steady').top.q, 1.4641e-20, 14);
    const chain = solveStructure(structure({ op: 'series', of: names(3) }, alike(3, 1e-17)));
    near(evaluate(chain, 'steady').top.q, 3e-17, 14);
    const hopeless: Structure = {
      top: { op: 'series', of: names(4) },
      events: Object.fromEntries(names(4).map((name) => [name, { kind: 'rate', rate: 10 }])),
    };
    near(evaluate(solveStructure(hopeless), 1).top.a, Math.exp(-40), 13);
  });

  test('a part of next to no influence beside a likely single failure has its Birnbaum measure exactly', () => {
    // s or (x and y): of x it is (1 − s)·y, while Q is 0.5.
    const solved = solveStructure(
      structure({ op: 'or', of: [{ op: 'and', of: ['x', 'y'] }, { op: 'and', of: ['x', 's'] }, 's'] }, { s: 0.5, x: 0.3, y: 1e-15 }),
    );
    const x = importance(solved, 'steady').find(({ event }) => event === 'x')!;
    near(x.birnbaum, 0.5 * 1e-15);
  });

  test('k of 1,000 alike, as the binomial distribution has it', () => {
    const solved = solveStructure(structure({ op: 'atleast', k: 20, of: names(1_000) }, alike(1_000, 0.001)));
    // P(X ≥ 20) for X ~ Binomial(1000, 0.001): summed in rational arithmetic.
    let term = 1;
    let tail = 0;
    for (let i = 0; i < 1_000; i++) term *= 0.999;
    for (let i = 0; i <= 60; i++) {
      if (i >= 20) tail += term;
      term *= ((1_000 - i) / (i + 1)) * (0.001 / 0.999);
    }
    near(evaluate(solved, 'steady').top.q, tail, 11);
  });

  test('parts that stand twice in a vote count twice, many of them too', () => {
    const twice = names(40).flatMap((name) => [name, name]);
    const solved = solveStructure(structure({ op: 'atleast', k: 40, of: twice }, alike(40, 0.5)));
    const once = solveStructure(structure({ op: 'atleast', k: 20, of: names(40) }, alike(40, 0.5)));
    near(evaluate(solved, 'steady').top.q, evaluate(once, 'steady').top.q);
  });

  test('a chain of 8,000 gates and one of 8,000 parts need no deep stack', () => {
    const gates: Record<string, Expression> = { g0: 'p0' };
    for (let i = 1; i < 8_000; i++) gates[`g${i}`] = { op: i % 2 === 0 ? 'and' : 'or', of: [`g${i - 1}`, `p${i % 2}`] };
    near(evaluate(solveStructure(structure('g7999', alike(2, 0.25), gates)), 'steady').top.q, 0.4375, 12);
    const long = solveStructure(structure({ op: 'series', of: names(8_000) }, alike(8_000, 1e-9)));
    near(evaluate(long, 'steady').top.q, -Math.expm1(8_000 * Math.log1p(-1e-9)), 11);
    expect(cutSets(long).count()).toBe(8_000n);
    expect(pathSets(long).list('steady')[0]!.events).toHaveLength(8_000);
  });
});

describe('published examples', () => {
  test('2-of-3, and k-of-n with unlike parts', () => {
    near(
      evaluate(solveStructure(structure({ op: 'k-of-n', k: 2, of: ['a', 'b', 'c'] }, { a: 0.1, b: 0.1, c: 0.1 })), 'steady').top.a,
      0.972,
    );
    // Open-PSA test model "atleast" of SCRAM: 2 of (0.1, 0.2, 0.3).
    near(
      evaluate(solveStructure(structure({ op: 'atleast', k: 2, of: ['a', 'b', 'c'] }, { a: 0.1, b: 0.2, c: 0.3 })), 'steady').top.q,
      0.098,
    );
  });

  test('the bridge network: 0.97848 for parts of 0.9, four path sets, four cut sets', () => {
    // Source: Kuo, Zuo: Optimal Reliability Modeling (2003), ch. 5; R = 2p² + 2p³ − 5p⁴ + 2p⁵.
    const solved = solveStructure(
      structure(
        {
          op: 'and',
          of: [
            { op: 'or', of: ['a', 'c'] },
            { op: 'or', of: ['b', 'd'] },
            { op: 'or', of: ['a', 'e', 'd'] },
            { op: 'or', of: ['b', 'e', 'c'] },
          ],
        },
        { a: 0.1, b: 0.1, c: 0.1, d: 0.1, e: 0.1 },
      ),
    );
    near(evaluate(solved, 'steady').top.a, 0.97848);
    expect(cutSets(solved).countByOrder()).toEqual([0n, 0n, 2n, 2n]);
    expect(pathSets(solved).countByOrder()).toEqual([0n, 0n, 2n, 2n]);
    near(importance(solved, 'steady').find(({ event }) => event === 'e')!.structural, 2 / 16);
  });

  test('two trains of a pump and a valve: 0.7225, four cut sets whose probabilities sum to more than 1', () => {
    // Source: the example TwoTrain of SCRAM and OpenFTA.
    const solved = solveStructure(
      structure(
        { op: 'and', of: ['one', 'two'] },
        { v1: 0.5, v2: 0.5, p1: 0.7, p2: 0.7 },
        { one: { op: 'or', of: ['v1', 'p1'] }, two: { op: 'or', of: ['v2', 'p2'] } },
      ),
    );
    near(evaluate(solved, 'steady').top.q, 0.7225);
    near(cutSets(solved).rareEvent('steady'), 1.44);
    const listed = cutSets(solved).list('steady');
    for (const [index, expected] of [0.49, 0.35, 0.35, 0.25].entries()) near(listed[index]!.probability, expected);
  });

  test('the theatre: 0.00207 exactly, 0.0021 by the rare-event approximation', () => {
    // Source: OpenFTA's example "theatre": mains fail (0.03) and the generator or its relay fail (0.02, 0.05).
    const solved = solveStructure(
      structure({ op: 'and', of: ['mains', { op: 'or', of: ['generator', 'relay'] }] }, { mains: 0.03, generator: 0.02, relay: 0.05 }),
    );
    near(evaluate(solved, 'steady').top.q, 0.00207);
    near(cutSets(solved).rareEvent('steady'), 0.0021);
  });

  test('the min-cut upper bound is the product of its definition, with likely and certain sets among them', () => {
    const bound = (probabilities: Record<string, number>): number =>
      cutSets(
        solveStructure(structure({ op: 'or', of: [{ op: 'and', of: ['a', 'b'] }, { op: 'and', of: ['b', 'c'] }, 'd'] }, probabilities)),
      ).upperBound('steady');
    near(bound({ a: 0.1, b: 0.2, c: 0.3, d: 0.04 }), 1 - (1 - 0.02) * (1 - 0.06) * (1 - 0.04));
    near(bound({ a: 0.9, b: 0.99, c: 0.8, d: 0.4 }), 1 - (1 - 0.891) * (1 - 0.792) * (1 - 0.4));
    near(bound({ a: 1e-9, b: 1e-9, c: 1e-9, d: 1e-20 }), 2.01e-18);
    expect(bound({ a: 1, b: 1, c: 0.5, d: 0.1 })).toBe(1);
    expect(bound({ a: 0, b: 0, c: 0, d: 0 })).toBe(0);
  });

  test('the pressure tank: five minimal cut sets, two of them single', () => {
    // Source: Fault Tree Handbook, NUREG-0492 (1981), ch. VIII: E1 = T + K2 + S·(S1 + K1 + R), with its estimates of the basic events.
    const gates: Record<string, Expression> = {
      e2: { op: 'or', of: ['k2', 'e3'] },
      e3: { op: 'and', of: ['s', 'e4'] },
      e4: { op: 'or', of: ['s1', 'e5'] },
      e5: { op: 'or', of: ['k1', 'r'] },
    };
    const probabilities = { t: 5e-6, k2: 3e-5, s: 1e-4, s1: 3e-5, k1: 3e-5, r: 1e-4 };
    const solved = solveStructure(structure({ op: 'or', of: ['t', 'e2'] }, probabilities, gates));
    const sets = cutSets(solved);
    expect(sets.list('steady').map(({ events }) => events.join(' '))).toEqual(['k2', 't', 's r', expect.any(String), expect.any(String)]);
    expect(sets.countByOrder()).toEqual([0n, 2n, 3n]);
    near(sets.rareEvent('steady'), 3.5016e-5);
    const switched = 1 - (1 - 3e-5) ** 2 * (1 - 1e-4);
    near(evaluate(solved, 'steady').top.q, 1 - (1 - 5e-6) * (1 - 3e-5) * (1 - 1e-4 * switched), 10);
    near(importance(solved, 'steady')[0]!.criticality, 3e-5 / 3.5016e-5, 4);
  });

  test('non-coherent: a·b or not a·c has three prime implicants and 0.29', () => {
    // Source: Rauzy, Dutuit: Exact and truncated computations of prime implicants of coherent and non-coherent fault trees, RESS 58 (1997); SCRAM's values.
    const solved = solveStructure(
      structure(
        {
          op: 'or',
          of: [
            { op: 'and', of: ['a', 'b'] },
            { op: 'and', of: [{ op: 'not', of: ['a'] }, 'c'] },
          ],
        },
        { a: 0.1, b: 0.2, c: 0.3 },
      ),
    );
    near(evaluate(solved, 'steady').top.q, 0.29);
    expect(solved.coherent).toBe(false);
    expect(
      cutSets(solved)
        .list('steady')
        .map(({ events }) => events.join(' '))
        .toSorted(),
    ).toEqual(['a b', 'b c', 'not a c']);
  });
});

describe('failure frequency', () => {
  const pump: BasicEvent = { kind: 'repairable', rate: 1e-3, repairTime: 10 };

  test('two alike in parallel, each with its own crew: w = 2λμ·λ/(λ+μ)²…', () => {
    const solved = solveStructure({ top: { op: 'parallel', of: ['a', 'b'] }, events: { a: pump, b: pump } });
    const f = failureFrequency(solved, 'steady');
    const unavailable = 0.01 / 1.01;
    near(f.frequency, 2 * unavailable * (1 - unavailable) * 1e-3);
    // Mean down time of two crews: half a repair.
    near(f.meanDownTime, 5, 12);
    near(f.meanTimeBetweenFailures, f.meanUpTime + f.meanDownTime, 12);
  });

  test('a series system fails as often as all of its parts while it works', () => {
    const solved = solveStructure({
      top: { op: 'series', of: ['a', 'b'] },
      events: { a: pump, b: { kind: 'repairable', rate: 2e-3, repairTime: 5 } },
    });
    near(failureFrequency(solved, 'steady').conditionalIntensity, 3e-3, 12);
  });

  test('an exclusive or fails and is brought back by the same events', () => {
    const solved = solveStructure({ top: { op: 'xor', of: ['a', 'b'] }, events: { a: pump, b: pump } });
    // Every change of either part turns the system: half of them are failures.
    const w = 1e-3 / 1.01;
    near(failureFrequency(solved, 'steady').frequency, 2 * w, 12);
  });

  test('is not told of probabilities without a frequency', () => {
    const solved = solveStructure(structure('a', { a: 0.1 }));
    expect(() => failureFrequency(solved, 'steady')).toThrow(expect.objectContaining({ code: 'MODEL_NO_FREQUENCY' }));
  });
});

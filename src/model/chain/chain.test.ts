import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { seededRandom } from '../../sim/random.ts';
import { absorption, meanTimesToAbsorption } from './absorption.ts';
import { chainOfEdges, chainProblems, describedChain, pointMass, type Chain } from './chain.ts';
import { add, fractionOf, numberOf, one, solve, subtract, zero, type Fraction } from './rational-oracle.ts';
import { steadyState } from './steady-state.ts';
import { sumOf } from './vectors.ts';

/** A chain in which every state reaches every other: a ring, and chords. Rates over twelve orders of magnitude. */
function randomChain(seed: number, size: number, chords: number): Chain {
  const random = seededRandom(seed);
  const rate = (): number => 10 ** (random.next() * 12 - 6);
  const from = Array.from({ length: size }, (_, state) => state);
  const to = from.map((state) => (state + 1) % size);
  for (let chord = 0; chord < chords; chord++) {
    const start = random.integer(size);
    from.push(start);
    to.push((start + 1 + random.integer(size - 1)) % size);
  }
  return chainOfEdges(size, from, to, from.map(rate));
}

function ratesOf(chain: Chain): Fraction[][] {
  const rows = Array.from({ length: chain.size }, () => Array.from({ length: chain.size }, () => zero));
  for (let state = 0; state < chain.size; state++) {
    for (let at = chain.rowStart[state]!; at < chain.rowStart[state + 1]!; at++) {
      const rate = fractionOf(chain.rate[at]!);
      rows[state]![chain.target[at]!] = add(rows[state]![chain.target[at]!]!, rate);
      rows[state]![state] = subtract(rows[state]![state]!, rate);
    }
  }
  return rows;
}

/** π·Q = 0 with one equation replaced by Σπ = 1, in fractions. */
function exactSteadyState(chain: Chain): number[] {
  const rates = ratesOf(chain);
  const equations = rates.map((_, column) => rates.map((row) => (column === 0 ? one : row[column]!)));
  return solve(
    equations,
    rates.map((_, column) => (column === 0 ? one : zero)),
  ).map(numberOf);
}

function expectDigits(actual: ArrayLike<number>, expected: readonly number[], digits: number): void {
  expected.forEach((value, at) =>
    expect(Math.abs(actual[at]! - value), `entry ${at}: ${actual[at]} for ${value}`).toBeLessThanOrEqual(10 ** -digits * value),
  );
}

describe('steady state', () => {
  test('every digit of every state agrees with fractions, whatever the rates', () => {
    fc.assert(
      fc.property(fc.nat(), fc.integer({ min: 2, max: 9 }), fc.nat({ max: 20 }), (seed, size, chords) => {
        const chain = randomChain(seed, size, chords);
        expectDigits(steadyState(chain).probabilities, exactSteadyState(chain), 13);
      }),
      { numRuns: 60, seed: 5 },
    );
  });

  test('iteration reaches the same digits where elimination is not allowed', () => {
    for (let seed = 0; seed < 5; seed++) {
      const chain = randomChain(seed, 900, 1_500);
      const exact = steadyState(chain);
      const iterated = steadyState(chain, { budget: { fillMax: 10 } });
      expect([exact.method, iterated.method]).toEqual(['elimination', 'multilevel']);
      expectDigits(iterated.probabilities, [...exact.probabilities], 10);
    }
  });

  test('a birth–death chain is its products, down to what numbers can hold', () => {
    const size = 400;
    const states = Array.from({ length: size - 1 }, (_, state) => state);
    const chain = chainOfEdges(
      size,
      [...states, ...states.map((state) => state + 1)],
      [...states.map((state) => state + 1), ...states],
      [...states.map(() => 1), ...states.map(() => 4)],
    );
    const { probabilities } = steadyState(chain);
    expectDigits(
      probabilities,
      [...probabilities.keys()].map((state) => 0.75 * 4 ** -state),
      13,
    );
    expect(probabilities[399]).toBeLessThan(1e-230);
  });

  test('a grid of 10⁴ states, without a hint of their order', () => {
    const random = seededRandom('shuffle');
    const name = Array.from({ length: 10_000 }, (_, state) => state);
    for (let at = name.length - 1; at > 0; at--) {
      const other = random.integer(at + 1);
      [name[at], name[other]] = [name[other]!, name[at]!];
    }
    const [from, to, rate] = [[], [], []] as [number[], number[], number[]];
    const both = (a: number, b: number, forth: number): void => {
      from.push(name[a]!, name[b]!);
      to.push(name[b]!, name[a]!);
      rate.push(forth, 1);
    };
    for (let place = 0; place < 10_000; place++) {
      if (place < 9_900) both(place, place + 100, 0.9);
      if (place % 100 < 99) both(place, place + 1, 0.8);
    }
    const { probabilities, method } = steadyState(chainOfEdges(10_000, from, to, rate));
    const norm = ((1 - 0.9 ** 100) / 0.1) * ((1 - 0.8 ** 100) / 0.2);
    expect(method).toBe('elimination');
    for (const [x, y] of [
      [0, 0],
      [99, 0],
      [0, 99],
      [70, 70],
      [99, 99],
    ] as const) {
      expectDigits([probabilities[name[x * 100 + y]!]!], [(0.9 ** x * 0.8 ** y) / norm], 11);
    }
  });

  test('says why there is none', () => {
    const chain = (...transitions: [string, string][]): Chain =>
      describedChain({
        states: ['a', 'b', 'c', 'd'].map((name) => ({ name })),
        transitions: transitions.map(([from, to]) => ({ from, to, rate: 1 })),
      });
    expect(() => steadyState(chain(['a', 'b'], ['b', 'a'], ['b', 'c'], ['d', 'a']))).toThrow("'c' is never left");
    expect(() => steadyState(chain(['a', 'b'], ['b', 'a'], ['c', 'd'], ['d', 'c']))).toThrow(
      "2 sets of states that are never left: {'a', 'b'}, {'c', 'd'}",
    );
    expect(() => steadyState(chain(['a', 'b'], ['b', 'a'], ['c', 'a'], ['d', 'c']))).toThrow("'c', 'd' can not be reached again once left");
  });
});

describe('absorption', () => {
  test('times and probabilities agree with fractions', () => {
    fc.assert(
      fc.property(fc.nat(), fc.integer({ min: 3, max: 8 }), fc.nat({ max: 16 }), (seed, size, chords) => {
        const chain = randomChain(seed, size, chords);
        const absorbing = (state: number): boolean => state >= size - 1 - (seed % 2);
        const kept = Array.from({ length: size }, (_, state) => state).filter((state) => !absorbing(state));
        const rates = ratesOf(chain);
        const times = solve(
          kept.map((row) => kept.map((column) => subtract(zero, rates[row]![column]!))),
          kept.map(() => one),
        ).map(numberOf);
        expectDigits(meanTimesToAbsorption(chain, absorbing), times, 13);
        const { meanTime, probabilities } = absorption(chain, pointMass(size, 0), absorbing);
        expectDigits([meanTime, sumOf(probabilities)], [times[0]!, 1], 13);
      }),
      { numRuns: 60, seed: 6 },
    );
  });

  test('an end that is never reached is named', () => {
    const chain = describedChain({
      states: [{ name: 'new' }, { name: 'old' }, { name: 'retired' }],
      transitions: [
        { from: 'new', to: 'old', rate: 1 },
        { from: 'old', to: 'new', rate: 1 },
      ],
    });
    expect(() => absorption(chain, chain.initial)).toThrow("can stay in 'new', 'old' for ever");
  });
});

test('what is no distribution is not begun with', () => {
  const chain = chainOfEdges(2, [0, 1], [1, 0], [1, 1]);
  for (const initial of [
    [0.5, 0.4],
    [1, 0, 0],
    [1.5, -0.5],
    [Number.NaN, 1],
  ]) {
    expect(() => absorption(chain, Float64Array.from(initial), (state) => state === 1)).toThrow(
      'are no probabilities of beginning in 2 states',
    );
  }
});

test('a description is judged whole, with what was meant', () => {
  const problems = chainProblems({
    states: [{ name: 'up', initial: 0.5 }, { name: 'down', reward: -1 }, { name: 'up' }],
    transitions: [
      { from: 'up', to: 'dwon', rate: 1 },
      { from: 'down', to: 'up', rate: 0 },
      { from: 'down', to: 'down', rate: Number.NaN },
    ],
  });
  expect(problems.map(({ path, message }) => `${path.join('.')}: ${message}`)).toEqual([
    "states.1.reward: the reward of 'down' must be a finite number of 0 or more, but is -1",
    "states.2.name: there are two states named 'up'",
    'states: the initial probabilities must add up to 1, but make 0.5',
    "transitions.0.to: no state is named 'dwon'; did you mean 'down'?",
    'transitions.1.rate: the rate of down → up must be a finite number above 0, but is 0',
    "transitions.2.to: a transition leads from 'down' to itself",
    'transitions.2.rate: the rate of down → down must be a finite number above 0, but is NaN',
  ]);
});

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Bdd } from './bdd.ts';
import { forestOf, planted } from './nodes.ts';
import { sifted } from './sift.ts';

/** Truth of an edge, given that of each level. */
function truthOf(bdd: Bdd, edge: number, isTrue: (level: number) => boolean): boolean {
  let at = edge;
  while (at > 1) at = isTrue(bdd.levelOf(at)) ? bdd.highOf(at) : bdd.lowOf(at);
  return at === 1;
}

/** Any function of some variables: operations on what was made before. */
const operations = fc.array(fc.record({ op: fc.constantFrom('and', 'or', 'xor'), left: fc.nat(), right: fc.nat(), turn: fc.boolean() }), {
  minLength: 1,
  maxLength: 25,
});

describe('sifting', () => {
  test('Safety: no function changes, and none has more nodes. Method: all assignments of random functions', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 7 }), operations, fc.integer({ min: 0, max: 400 }), (levels, steps, workMax) => {
        const bdd = new Bdd(100_000);
        const edges = Array.from({ length: levels }, (_, level) => bdd.variable(level));
        for (const { op, left, right, turn } of steps) {
          const [f, g] = [edges[left % edges.length]!, edges[right % edges.length]!];
          edges.push((op === 'and' ? bdd.and(f, g) : op === 'or' ? bdd.or(f, g) : bdd.xor(f, g)) ^ (turn ? 1 : 0));
        }
        const before = forestOf(bdd, edges);
        const { order, forest } = sifted(before, levels, workMax);
        expect(order.toSorted((a, b) => a - b)).toEqual(Array.from({ length: levels }, (_, level) => level));
        expect(forest.level.length).toBeLessThanOrEqual(before.level.length);
        const other = new Bdd(100_000);
        const moved = planted(other, forest);
        // What was told apart still is, and nothing is left over: the diagram is reduced.
        expect(other.size).toBe(forest.level.length);
        for (let assignment = 0; assignment < 2 ** levels; assignment++) {
          const isTrue = (variable: number): boolean => ((assignment >> variable) & 1) === 1;
          for (const [index, edge] of edges.entries()) {
            expect(truthOf(other, moved[index]!, (level) => isTrue(order[level]!))).toBe(truthOf(bdd, edge, isTrue));
          }
        }
      }),
      { numRuns: 300 },
    );
  });

  test('brings together what belongs together: exponential becomes linear', () => {
    const pairs = 9;
    const bdd = new Bdd(100_000);
    let either = 0;
    for (let pair = 0; pair < pairs; pair++) either = bdd.or(either, bdd.and(bdd.variable(pair), bdd.variable(pairs + pair)));
    const before = forestOf(bdd, [either]);
    expect(before.level.length).toBeGreaterThan(2 ** pairs);
    const { forest } = sifted(before, 2 * pairs, Infinity);
    // 19 at best; each variable is moved once.
    expect(forest.level.length).toBeLessThan(40);
  });
});

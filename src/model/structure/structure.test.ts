import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { cutSets, pathSets } from './cut-sets.ts';
import { importance } from './importance.ts';
import { evaluate, solveStructure } from './solve.ts';
import type { BasicEvent } from './event.ts';
import type { Structure } from './structure.ts';
import { allStates, enumerated, enumeratedCutSets, includedAndExcluded, isFailed } from './testing/enumerate.ts';
import { randomStructure } from './testing/random-structure.ts';

function q({ events }: Structure): (name: string) => number {
  return (name) => (events[name] as Extract<BasicEvent, { kind: 'probability' }>).probability;
}

function withProbability(structure: Structure, name: string, probability: number): Structure {
  return { ...structure, events: { ...structure.events, [name]: { kind: 'probability', probability } } };
}

const absolute = 1e-12;

describe('a random structure', () => {
  test('has the probability of its failed states, and of its working ones', () => {
    fc.assert(
      fc.property(randomStructure({ coherent: false }), (structure) => {
        const { top } = evaluate(solveStructure(structure), 'steady');
        const sum = enumerated(structure, q(structure));
        expect(Math.abs(top.q - sum)).toBeLessThan(absolute);
        expect(Math.abs(top.q + top.a - 1)).toBeLessThan(absolute);
      }),
      { numRuns: 500 },
    );
  });

  test('has the minimal cut sets that enumeration finds, and inclusion–exclusion over them gives the same probability', () => {
    fc.assert(
      fc.property(randomStructure({ coherent: true }), (structure) => {
        const solved = solveStructure(structure);
        const sets = cutSets(solved);
        const listed = sets.list('steady', { by: 'order' }).map(({ events }) => [...events].toSorted());
        const expected = enumeratedCutSets(structure);
        expect(listed.map(String).toSorted()).toEqual(expected.map(String).toSorted());
        expect(sets.count()).toBe(BigInt(expected.length));
        if (expected.length <= 12)
          expect(Math.abs(evaluate(solved, 'steady').top.q - includedAndExcluded(expected, q(structure)))).toBeLessThan(1e-10);
      }),
      { numRuns: 500 },
    );
  });

  test('has path sets that meet every cut set, and are minimal in it', () => {
    fc.assert(
      fc.property(randomStructure({ coherent: true }), (structure) => {
        const names = Object.keys(structure.events);
        const paths = pathSets(solveStructure(structure)).list('steady', { by: 'order' });
        // A path set works: with all but it failed, the system is up; and with one more failed it is down.
        for (const { events } of paths) {
          const others = new Set(names.filter((name) => !events.includes(name)));
          expect(isFailed(structure, structure.top, others)).toBe(false);
          for (const name of events) expect(isFailed(structure, structure.top, new Set([...others, name]))).toBe(true);
        }
        const works = [...allStates(structure)].filter(({ failed }) => !failed);
        for (const { happened } of works) expect(paths.some(({ events }) => events.every((name) => !happened.has(name)))).toBe(true);
      }),
      { numRuns: 300 },
    );
  });

  test('has prime implicants that imply it, cover it, and can not do with less', () => {
    fc.assert(
      fc.property(randomStructure({ coherent: false, eventsMax: 5 }), (structure) => {
        const solved = solveStructure(structure);
        const states = [...allStates(structure)];
        const holds = (literals: readonly string[], happened: ReadonlySet<string>): boolean =>
          literals.every((literal) => (literal.startsWith('not ') ? !happened.has(literal.slice(4)) : happened.has(literal)));
        const implies = (literals: readonly string[]): boolean =>
          states.every(({ happened, failed }) => failed || !holds(literals, happened));
        const sets = cutSets(solved).list('steady', { by: 'order' });
        for (const { events } of sets) {
          expect(implies(events)).toBe(true);
          for (const literal of events) expect(implies(events.filter((other) => other !== literal))).toBe(false);
        }
        for (const { happened, failed } of states) expect(sets.some(({ events }) => holds(events, happened))).toBe(failed);
      }),
      { numRuns: 300 },
    );
  });

  test('has the importance that follows from its probabilities with a part failed and working', () => {
    fc.assert(
      fc.property(randomStructure({ coherent: false }), (structure) => {
        const top = enumerated(structure, q(structure));
        fc.pre(top > 1e-6);
        for (const { event, birnbaum, riskAchievement, riskReduction, diagnostic, improvement } of importance(
          solveStructure(structure),
          'steady',
        )) {
          const failed = enumerated(withProbability(structure, event, 1), (name) => (name === event ? 1 : q(structure)(name)));
          const working = enumerated(withProbability(structure, event, 0), (name) => (name === event ? 0 : q(structure)(name)));
          expect(Math.abs(birnbaum - (failed - working))).toBeLessThan(absolute);
          expect(Math.abs(riskAchievement - failed / top)).toBeLessThan(1e-9 / top);
          if (working > 1e-9) expect(Math.abs(riskReduction / (top / working) - 1)).toBeLessThan(1e-6);
          expect(Math.abs(diagnostic - (q(structure)(event) * failed) / top)).toBeLessThan(1e-9 / top);
          expect(Math.abs(improvement - (top - working))).toBeLessThan(absolute);
        }
      }),
      { numRuns: 200 },
    );
  });

  test('coherent: gets no better when a part gets worse', () => {
    fc.assert(
      fc.property(randomStructure({ coherent: true }), fc.double({ min: 0, max: 1, noNaN: true }), (structure, share) => {
        const before = evaluate(solveStructure(structure), 'steady').top;
        for (const name of Object.keys(structure.events)) {
          const worse = q(structure)(name) + share * (1 - q(structure)(name));
          const after = evaluate(solveStructure(withProbability(structure, name, Math.min(1, worse))), 'steady').top;
          expect(after.q).toBeGreaterThanOrEqual(before.q - absolute);
          expect(after.a).toBeLessThanOrEqual(before.a + absolute);
        }
      }),
      { numRuns: 100 },
    );
  });

  test('is told coherent exactly when no failure brings it back', () => {
    fc.assert(
      fc.property(randomStructure({ coherent: false, eventsMax: 5 }), (structure) => {
        const states = [...allStates(structure)];
        const rising = states.every(
          ({ happened, failed }) => !failed || states.every((other) => other.failed || !happened.isSubsetOf(other.happened)),
        );
        expect(solveStructure(structure).coherent).toBe(rising);
      }),
      { numRuns: 300 },
    );
  });

  test('is coherent when what would bring it back decides nothing: e2 stands twice among three of which two are needed', () => {
    const even = { kind: 'probability', probability: 0.1 } as const;
    const gates = { g0: { op: 'xor', of: ['e1', 'e0'] }, g1: { op: 'atleast', k: 2, of: ['e2', 'g0', 'e2'] } } as const;
    const solved = solveStructure({ top: 'g1', gates, events: { e0: even, e1: even, e2: even } });
    expect(solved.coherent).toBe(true);
    for (const sets of [cutSets(solved), pathSets(solved)])
      expect(sets.list('steady', { by: 'order' }).map(({ events }) => events)).toEqual([['e2']]);
  });
});

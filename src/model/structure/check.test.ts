import { describe, expect, test } from 'vitest';
import { checkStructure } from './check.ts';
import type { CommonCauseModel } from './common-cause.ts';
import { solveStructure } from './solve.ts';
import type { Expression, Structure } from './structure.ts';

const events: Structure['events'] = { a: { kind: 'probability', probability: 0.1 }, b: { kind: 'probability', probability: 0.1 } };

function problemsOf(structure: Partial<Structure>): string[] {
  return checkStructure({ top: 'a', events, ...structure }).map(({ path, message }) => `${path.join('.')}: ${message}`);
}

describe('a structure that can not be solved is told with its place', () => {
  test.each<[string, Partial<Structure>, string]>([
    ['unknown name', { top: { op: 'and', of: ['a', 'bb'] } }, "top.of.1: there is neither an event nor a gate 'bb'"],
    ['k > n', { top: { op: 'k-of-n', k: 3, of: ['a', 'b'] } }, "top: k is 3 of 2 in 'k-of-n'"],
    ['k = 0', { top: { op: 'atleast', k: 0, of: ['a', 'b'] } }, "top: k is 0 of 2 in 'atleast'"],
    ['k = 1.5', { top: { op: 'atleast', k: 1.5, of: ['a', 'b'] } }, "top: k is 1.5 of 2 in 'atleast'"],
    ['empty gate', { gates: { g: { op: 'or', of: [] } } }, "gates.g: 'or' has no arguments"],
    ['not of two', { top: { op: 'not', of: ['a', 'b'] } }, "top: 'not' has 2 arguments"],
    ['a gate that is an event', { gates: { a: 'b' } }, "gates.a: 'a' is an event too"],
    ['itself', { gates: { g: 'g' } }, 'gates.g: it is part of itself: g → g'],
    ['a circle', { gates: { g: { op: 'or', of: ['a', 'h'] }, h: { op: 'not', of: ['g'] } } }, 'gates.g: it is part of itself: g → h → g'],
    ['a percentage', { events: { a: { kind: 'probability', probability: 99.9 } } }, 'events.a.probability: 99.9 is no probability'],
    ['not a number', { events: { a: { kind: 'availability', availability: NaN } } }, 'events.a.availability: NaN is no probability'],
    ['rate 0', { events: { a: { kind: 'rate', rate: 0 } } }, 'events.a.rate: 0 is not positive'],
    [
      'repair time −1',
      { events: { a: { kind: 'repairable', rate: 1, repairTime: -1 } } },
      'events.a.repairTime: -1 is not a finite number of 0 or more',
    ],
    [
      'long test',
      { events: { a: { kind: 'tested', rate: 1, interval: 5, testTime: 5 } } },
      'events.a.testTime: a test takes 5, and the next begins after 5',
    ],
    ['group of one', { groups: { g: { model: 'beta', beta: 0.1, members: ['a'] } } }, 'groups.g: it has 1 members'],
    [
      'group of strangers',
      { groups: { g: { model: 'beta', beta: 0.1, members: ['a', 'c'] } } },
      "groups.g.members.1: there is no event 'c'",
    ],
    [
      'factors',
      { groups: { g: { model: 'alpha', testing: 'staggered', factors: [0.5, 0.1], members: ['a', 'b'] } } },
      'groups.g.factors: they sum to 0.6',
    ],
    ['β = 2', { groups: { g: { model: 'beta', beta: 2, members: ['a', 'b'] } } }, 'groups.g.beta: 2 is no probability'],
    ['an unknown gate', { top: { op: 'maybe', of: ['a'] } as unknown as Expression }, "top: 'maybe' is no gate"],
  ])('%s', (_, structure, problem) => {
    expect(problemsOf(structure)).toContain(problem);
    expect(() => solveStructure({ top: 'a', events, ...structure })).toThrow(expect.objectContaining({ code: 'MODEL_STRUCTURE_INVALID' }));
  });

  test('members of a group that fail in different ways', () => {
    const unlike: Structure = {
      top: 'a',
      events: { ...events, b: { kind: 'probability', probability: 0.2 } },
      groups: { g: { model: 'beta', beta: 0.1, members: ['a', 'b'] } },
    };
    expect(checkStructure(unlike)[0]).toMatchObject({ path: ['groups', 'g', 'members', 1], message: "'b' fails otherwise than 'a'" });
  });

  test('a group with more sets than anyone knows factors for', () => {
    const members = Array.from({ length: 40 }, (_, index) => `m${index}`);
    const many = Object.fromEntries(members.map((name) => [name, events['a']!]));
    const withGroup = (group: CommonCauseModel): string[] => problemsOf({ top: 'm0', events: many, groups: { g: { ...group, members } } });
    expect(withGroup({ model: 'beta', beta: 0.1 })).toEqual([]);
    expect(withGroup({ model: 'mgl', factors: [0.1, 0.1] })).toEqual([]);
    expect(withGroup({ model: 'phi', factors: members.map(() => 1 / 40) })).toEqual([`groups.g: it stands for ${2 ** 40 - 1} events`]);
  });

  test('a misspelt name has a hint', () => {
    const [problem] = checkStructure({ top: 'pmup', events: { pump: events['a']! } });
    expect(problem?.hint).toBe("did you mean 'pump'?");
  });

  test('names such as constructor are names', () => {
    expect(problemsOf({ top: 'constructor' })).toHaveLength(1);
    expect(checkStructure({ top: 'constructor', events: { constructor: events['a']! } })).toEqual([]);
  });

  test('an expression that contains itself', () => {
    const circle = { op: 'or' as const, of: ['a'] as Expression[] };
    circle.of.push(circle);
    expect(() => solveStructure({ top: circle, events })).toThrow(expect.objectContaining({ code: 'MODEL_STRUCTURE_INVALID' }));
  });

  test('a good one is not', () => {
    expect(problemsOf({ top: { op: 'series', of: ['a', 'b', false] } })).toEqual([]);
    expect(solveStructure({ top: 'a', events }).compiled.idle).toEqual(['b']);
  });
});

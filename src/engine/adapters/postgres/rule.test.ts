import fc from 'fast-check';
import { expect, test } from 'vitest';
import { nobodyRule, parseRule, renderRule, renderTransition } from './rule.ts';

const voters = fc.uniqueArray(fc.stringMatching(/^[a-z][a-z0-9-]{0,20}$/), { minLength: 1, maxLength: 7 });

test('what commits wait for survives being written as a setting and read back', () => {
  fc.assert(
    fc.property(voters, fc.integer({ min: 1, max: 9 }), (names, k) => {
      expect(parseRule(renderRule({ k, voters: names }))).toEqual({ k, voters: names });
    }),
  );
  expect(renderRule(null)).toBe('');
  expect(parseRule('')).toBeNull();
  expect(renderRule({ k: 1, voters: ['b', 'c'] })).toBe('ANY 1 ("b", "c")');
});

test('fewer voters than needed make a rule that nobody can satisfy', () => {
  expect(renderRule({ k: 2, voters: ['b'] })).toBe('ANY 2 ("b", "holdfast nobody")');
  expect(parseRule(renderRule({ k: 1, voters: [] }))).toEqual({ k: 1, voters: [] });
});

test('rules that are not in force as such are not taken for one', () => {
  for (const rule of [nobodyRule, renderTransition(['b', 'c']), '*', 'b, c', '2 (b, c)', 'ANY 1 (*)', 'ANY 1 ("b", "c") '])
    expect(parseRule(rule)).toBeUndefined();
});

test('in a transition nobody comes first, so that every voter has a lower place', () => {
  expect(renderTransition(['b', 'c'])).toBe('FIRST 3 ("holdfast nobody", "b", "c")');
});

test.each(['*', 'a b', 'A', '', '"', 'x'.repeat(64)])('%j can not be a voter', (voter) => {
  expect(() => renderRule({ k: 1, voters: [voter] })).toThrow(RangeError);
});

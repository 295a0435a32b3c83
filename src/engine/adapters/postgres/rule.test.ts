import fc from 'fast-check';
import { expect, test } from 'vitest';
import { nobodyRule, parseRule, renderRule, renderTransition, seatName, seatsBeside } from './rule.ts';

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

/** As PostgreSQL judges it (SyncRepGetSyncRecPtr of syncrep.c): so many of the connections whose names are listed have confirmed. */
function isSatisfied(rule: string, confirmed: readonly string[]): boolean {
  const [, count, list] = /^ANY (\d+) \((.*)\)$/.exec(rule)!;
  const named = [...list!.matchAll(/"([^"]+)"/g)].map((match) => match[1]!);
  return confirmed.filter((name) => named.includes(name)).length >= Number(count);
}

test('Safety: with the journal no commit is acknowledged without it, nor by fewer voters; with it and k voters it is. Method: all sets that can have confirmed', () => {
  for (let members = 1; members <= 6; members++) {
    const others = Array.from({ length: members - 1 }, (_, index) => `n${index + 2}`);
    const held = Array.from({ length: seatsBeside(members - 1) }, (_, index) => seatName(index + 1));
    for (let n = 0; n < members; n++) {
      for (let k = 0; k <= n + 1; k++) {
        const counted = others.slice(0, n);
        const rule = renderRule(k === 0 ? null : { k, voters: counted }, 'waits for the journal');
        const all = [...others, ...held];
        for (let set = 0; set < 2 ** all.length; set++) {
          const confirmed = all.filter((_, index) => (set >> index) & 1);
          const journalHas = confirmed.some((name) => held.includes(name));
          const votersHave = confirmed.filter((name) => counted.includes(name)).length;
          if (isSatisfied(rule, confirmed)) expect(journalHas && votersHave >= k, `${rule}: ${confirmed.join()}`).toBe(true);
          if (votersHave >= k && held.every((name) => confirmed.includes(name))) expect(isSatisfied(rule, confirmed)).toBe(true);
        }
        // For failover it is the rule that it would be without.
        expect(parseRule(rule)).toEqual(k === 0 ? null : { k, voters: counted });
      }
    }
  }
});

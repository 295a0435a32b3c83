import fc from 'fast-check';
import { expect, it } from 'vitest';
import { decideRound, type Round } from './double-barrier.ts';

/** Safety: a round runs only once `size` are in it, and the next gathers only when all of them are out. Method: random histories. */
it('runs and ends rounds only as a whole', () => {
  const step = fc.record({ who: fc.integer({ min: 0, max: 5 }), act: fc.constantFrom('in' as const, 'out' as const, 'die' as const) });
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 4 }), fc.array(step, { maxLength: 60 }), (size, steps) => {
      let round: Round = { round: 1, size, phase: 'gathering', members: [] };
      const dead = new Set<string>();
      for (const { who, act } of steps) {
        if (act === 'die') dead.add(`s${who}`);
        if (act === 'die' || dead.has(`s${who}`)) continue;
        const before = round;
        round = decideRound(before, `s${who}`, act, dead);
        expect(new Set(round.members).size).toBe(round.members.length);
        expect(round.members.some((member) => dead.has(member))).toBe(false);
        expect(round.members.length).toBeLessThanOrEqual(size);
        if (before.phase === 'gathering' && round.phase === 'running') expect(round.members).toHaveLength(size);
        if (before.phase === 'running' && round.round === before.round)
          expect(before.members).toEqual(expect.arrayContaining(round.members));
        if (round.round !== before.round) {
          expect(round.round).toBe(before.round + 1);
          expect(before.members.filter((member) => !dead.has(member) && !(act === 'out' && member === `s${who}`))).toEqual([]);
        }
        if (round.phase === 'gathering' && act === 'in' && round.round === before.round) expect(round.members).toContain(`s${who}`);
      }
    }),
    { numRuns: 500 },
  );
});

it('changes nothing when there is nothing to change', () => {
  const round: Round = { round: 3, size: 3, phase: 'running', members: ['a', 'b'] };
  expect(decideRound(round, 'late', 'in', new Set())).toBe(round);
  expect(decideRound(round, 'gone', 'out', new Set())).toBe(round);
});

import { describe, expect, test } from 'vitest';
import { refuseGrant, type GrantInput } from './grant.ts';
import type { FenceRequest } from './messages.ts';

const request: FenceRequest = { service: 'orders', mode: 'promise', term: 8, leader: 'a', leaderTerm: 7, forced: false };
const suspecting: GrantInput = {
  promised: 7,
  leadership: { leader: 'a', term: 7 },
  self: 'b',
  servingTerm: 0,
  releasedTerm: 0,
  suspectsLeader: true,
  paused: false,
  confirmedUntilMs: 0,
  nowMs: 1_000,
};

describe('a promise', () => {
  test.each<[string, Partial<FenceRequest>, Partial<GrantInput>]>([
    ['is given by whoever suspects the leader, too', {}, {}],
    ['is given by whoever knows of no leader', {}, { leadership: undefined }],
    ['is given to whoever knows of a later leader than this member', { leaderTerm: 9, term: 10 }, {}],
    ['is given, forced, by whoever suspects nobody', { forced: true }, { suspectsLeader: false, paused: true }],
    ['is given, forced, by a leader in good health', { forced: true }, { self: 'a', servingTerm: 7, suspectsLeader: false }],
    ['is given by a leader that gave up', {}, { self: 'a', servingTerm: 7, releasedTerm: 7, suspectsLeader: false }],
    ['is given by a leader whose database is down', {}, { self: 'a', servingTerm: 0, suspectsLeader: false }],
    ['is given again once the word to a leader without store has run out', {}, { confirmedUntilMs: 1_000 }],
    ['would be given, whatever is promised: only the term must then be another', { mode: 'sound' }, { promised: 12 }],
  ])('%s', (_, asked, input) => {
    expect(refuseGrant({ ...request, ...asked }, { ...suspecting, ...input })).toBeUndefined();
  });

  test.each<[string, Partial<FenceRequest>, Partial<GrantInput>, string]>([
    ['for a term that was promised', {}, { promised: 8 }, 'term 8 is already promised'],
    ['for a term that was promised, forced, too', { forced: true }, { promised: 8 }, 'term 8 is already promised'],
    ['against a leadership that is over already', {}, { leadership: { leader: 'c', term: 8 } }, 'c leads at the later term 8'],
    ['for a term that is not beyond the present one', { term: 7, mode: 'sound' }, { promised: 0 }, 'term 7 is not beyond the present one'],
    ['while paused', {}, { paused: true }, 'the service is paused'],
    ['by a leader in good health', {}, { self: 'a', servingTerm: 7 }, 'this member leads, in good health, at term 7'],
    [
      'by whoever gave its word to a leader without store',
      {},
      { confirmedUntilMs: 1_001 },
      'the leader, cut off from the store, was promised to be left alone for a moment',
    ],
    ['by whoever hears of the leader', {}, { suspectsLeader: false }, 'does not suspect a'],
  ])('is refused %s', (_, asked, input, why) => {
    expect(refuseGrant({ ...request, ...asked }, { ...suspecting, ...input })).toBe(why);
  });
});

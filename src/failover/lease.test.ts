import { describe, expect, test } from 'vitest';
import { leaderDeadlineBootMs } from './lease.ts';
import type { Member } from './member.ts';
import { defaultPolicy } from './policy.ts';

const quorum = [{ k: 1, voters: ['b'] }];
const alone = [{ k: 0, voters: [] }];

/** A leader `a` of term 7 whose clocks show 1,000 (monotonic) and 50,000 (since boot). */
function leader(more: {
  roster?: unknown;
  leader?: string;
  term?: number;
  servingTerm?: number;
  session?: string;
  validUntilMs?: number;
  confirmedByAllUntilMs?: number;
}): Member {
  const { roster = quorum, leader: name = 'a', term = 7, session = 's', validUntilMs = 5_000 } = more;
  return {
    node: 'a',
    servingTerm: more.servingTerm ?? 7,
    confirmedByAllUntilMs: more.confirmedByAllUntilMs ?? 0,
    options: { policy: defaultPolicy },
    deps: {
      runtime: { clock: { bootMs: () => 50_000, monotonicMs: () => 1_000 } },
      store: { leadership: { value: { leader: name, term, roster, session: 's' }, revision: 1n } },
      sessions: { current: session === '' ? undefined : { id: session, validUntilMs } },
    },
  } as unknown as Member;
}

describe('the deadline of a leader’s database', () => {
  test.each<[string, Member, number | undefined]>([
    ['guards against a stalled agent where voters are the fence', leader({}), 50_000 + defaultPolicy.agentGraceMs],
    ['then needs no session', leader({ session: '' }), 50_000 + defaultPolicy.agentGraceMs],
    ['is the lease’s, less what a guard may be late, where that is the fence', leader({ roster: alone }), 50_000 + 4_000 - 100],
    ['is the lease’s while a change to or from voters is under way', leader({ roster: [...alone, ...quorum] }), 50_000 + 4_000 - 100],
    ['is not renewed by a session that is not the leadership’s', leader({ roster: alone, session: 'other' }), undefined],
    ['is not renewed by a lease that is over', leader({ roster: alone, validUntilMs: 1_050 }), undefined],
    ['is not renewed without any', leader({ roster: alone, session: '' }), undefined],
    [
      'is what everybody has confirmed, if that is later',
      leader({ roster: alone, session: '', confirmedByAllUntilMs: 3_500 }),
      50_000 + 2_500 - 100,
    ],
    ['is not renewed for another’s leadership', leader({ leader: 'b' }), undefined],
    ['is not renewed for a later term than is served', leader({ term: 8 }), undefined],
  ])('%s', (_, member, deadline) => {
    expect(leaderDeadlineBootMs(member)).toBe(deadline);
  });
});

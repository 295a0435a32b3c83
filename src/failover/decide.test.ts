import { describe, expect, test } from 'vitest';
import type { EngineObservation } from '../engine/engine.ts';
import { decide } from './decide.ts';
import type { MemberState } from './messages.ts';
import type { Observation, PeerView } from './observation.ts';
import { defaultPolicy } from './policy.ts';
import type { LeadershipRecord } from './records.ts';

const record: LeadershipRecord = {
  term: 5,
  leader: 'a',
  session: 'session-a',
  since: '2026-11-22T00:00:00.000Z',
  roster: [{ k: 1, voters: ['b', 'c'] }],
  timeline: 1,
  systemId: '77',
};

const replica: EngineObservation = {
  data: 'present',
  systemId: '77',
  running: true,
  accepting: true,
  role: 'replica',
  position: { timeline: 1, lsn: 1000n },
  upstream: { node: 'a', streaming: true },
  replicas: [],
  pendingRestart: false,
};

function peer(node: string, over: Partial<MemberState> = {}, alive = true): PeerView {
  const state: MemberState = {
    service: 'orders',
    address: { host: '10.0.0.1', port: 5432 },
    replicated: true,
    term: 5,
    leader: 'a',
    promised: 0,
    serving: 0,
    released: 0,
    suspects: 0,
    role: 'replica',
    state: 'streaming',
    running: true,
    accepting: true,
    position: { timeline: 1, lsn: '1000' },
    hasData: true,
    eligible: true,
    nofailover: false,
    priority: 100,
    paused: false,
    pendingRestart: false,
    pids: { agent: 1 },
    ...over,
  };
  return { node, alive, state, ageMs: 50 };
}

const serving = { role: 'primary', serving: 5, state: 'running' } as const;

/** A replica `b` of three members whose leader `a` is well, changed by `over`. */
function seen(over: Partial<Observation> = {}): Observation {
  return {
    nowMs: 100_000,
    self: { node: 'b', nofailover: false, priority: 100, replicated: true, eligible: true },
    policy: defaultPolicy,
    paused: false,
    abstains: false,
    storeReachable: true,
    leadership: { value: record, revision: 9n },
    leaseEnded: undefined,
    sessionId: 'session-b',
    promised: 0,
    seen: 5,
    servingTerm: 0,
    releasedTerm: 0,
    engine: replica,
    downSinceMs: undefined,
    unresponsiveSinceMs: undefined,
    failedStarts: 0,
    peers: [peer('a', serving), peer('c')],
    peersUnheard: 0,
    leaderVerdict: { suspects: false, probe: false },
    electableSinceMs: undefined,
    holdStillUntilMs: 0,
    startedMs: 0,
    inForce: 'unknown',
    caughtUp: () => true,
    notStreamingSinceMs: new Map(),
    followFailures: 0,
    followedMs: 90_000,
    ...over,
  };
}

const suspected = {
  leaderVerdict: { suspects: true, why: 'agent gone and service down' },
  peers: [peer('a', serving, false), peer('c')],
  electableSinceMs: 100_000,
} as const;

describe('a replica', () => {
  test('that streams from the leader does nothing', () => {
    expect(decide(seen())).toMatchObject({ act: 'nothing', say: 'streaming' });
  });

  test('without data copies them; with those of another cluster it stays out and says why', () => {
    expect(decide(seen({ engine: { ...replica, data: 'absent', running: false, role: 'none' } })).act).toBe('provision');
    const foreign = decide(seen({ engine: { ...replica, systemId: '78' } }));
    expect(foreign).toMatchObject({ act: 'nothing', say: 'foreign' });
    expect(foreign.why).toMatch(/78.*77/s);
  });

  test('that promised a later term follows nobody of an earlier one', () => {
    expect(decide(seen({ promised: 6, engine: { ...replica, upstream: { node: 'a', streaming: false } } })).say).toBe('fenced');
  });

  test('does nothing about a store that shows less than it has seen, or that it never reached', () => {
    expect(decide(seen({ seen: 7 }))).toMatchObject({ act: 'nothing', say: 'out' });
    expect(decide(seen({ leadership: undefined }))).toMatchObject({ act: 'nothing', say: 'waiting' });
  });
});

describe('an election', () => {
  test('is called by the first of those that could lead; the others leave it the time', () => {
    expect(decide(seen(suspected)).act).toBe('elect');
    const second = { ...suspected, self: { ...seen().self, node: 'c' }, peers: [peer('a', serving, false), peer('b')] };
    expect(decide(seen(second))).toMatchObject({ act: 'nothing', say: 'voting' });
    expect(decide(seen({ ...second, nowMs: 100_500 })).act).toBe('elect');
  });

  test('is not called by two at once because each knows its own position to be newer than what it heard of the other', () => {
    const ahead = { ...replica, position: { timeline: 1, lsn: 2000n } };
    const asB = decide(seen({ ...suspected, engine: ahead }));
    const asC = decide(
      seen({ ...suspected, engine: ahead, self: { ...seen().self, node: 'c' }, peers: [peer('a', serving, false), peer('b')] }),
    );
    expect([asB.act, asC.act]).toEqual(['elect', 'nothing']);
  });

  test('goes by priority before the name, and past those that may not lead or are gone', () => {
    const asC = { ...suspected, self: { ...seen().self, node: 'c' } };
    expect(decide(seen({ ...asC, peers: [peer('a', serving, false), peer('b', { priority: 50 })] })).act).toBe('elect');
    expect(decide(seen({ ...asC, peers: [peer('a', serving, false), peer('b', { eligible: false })] })).act).toBe('elect');
    expect(decide(seen({ ...asC, peers: [peer('a', serving, false), peer('b', {}, false)] })).act).toBe('elect');
  });

  test.each([
    ['the service is paused', { paused: true }],
    ['the store does not answer: nobody could claim', { storeReachable: false }],
    ['the observer itself was stalled', { abstains: true }],
    ['it promised to leave the next attempt to others', { holdStillUntilMs: 100_001 }],
    ['it may not lead', { self: { ...seen().self, nofailover: true, eligible: false } }],
  ])('is not called while %s', (_why, over) => {
    expect(decide(seen({ ...suspected, ...over })).act).not.toBe('elect');
  });

  test('waits for the end of the lease where commits wait for nobody', () => {
    const leased = { ...suspected, leadership: { value: { ...record, roster: [{ k: 0, voters: [] }] }, revision: 9n } };
    expect(decide(seen({ ...leased, leaseEnded: false })).act).toBe('nothing');
    expect(decide(seen({ ...leased, leaseEnded: true })).act).toBe('elect');
  });
});

describe('a leader', () => {
  const down: EngineObservation = { ...replica, running: false, accepting: false, role: 'none' };
  const { upstream: _, ...stopped } = down;
  const leads = {
    self: { ...seen().self, node: 'a' },
    sessionId: 'session-a',
    leaderVerdict: undefined,
    peers: [peer('b'), peer('c')],
  } as const;

  test('whose database died gives way to those that can take over without loss', () => {
    expect(decide(seen({ ...leads, engine: stopped, servingTerm: 5, downSinceMs: 99_990 })).act).toBe('release');
  });

  test('and goes on giving way after it promised, instead of starting again beside its successor', () => {
    expect(decide(seen({ ...leads, engine: stopped, servingTerm: 0, releasedTerm: 5, promised: 6, downSinceMs: 99_990 })).act).not.toBe(
      'reclaim',
    );
  });

  test('starts its own when nobody can, or nobody does in time', () => {
    const alone = { ...leads, peers: [peer('b'), peer('c', {}, false)] };
    expect(decide(seen({ ...alone, engine: stopped, servingTerm: 5, downSinceMs: 99_990 }))).toMatchObject({
      act: 'reclaim',
      term: 6,
      start: true,
    });
    const late = { downSinceMs: 100_000 - defaultPolicy.handOverMs - 1 };
    expect(decide(seen({ ...leads, engine: stopped, servingTerm: 5, ...late }))).toMatchObject({ act: 'reclaim', start: true });
  });

  test('that is paused leaves its database as it is', () => {
    expect(decide(seen({ ...leads, engine: stopped, servingTerm: 5, paused: true, downSinceMs: 0 })).act).toBe('nothing');
  });

  test('that hears of a higher term stops at once', () => {
    const primary: EngineObservation = {
      ...stopped,
      running: true,
      accepting: true,
      role: 'primary',
      acknowledge: { k: 1, voters: ['b', 'c'] },
    };
    expect(decide(seen({ ...leads, engine: primary, servingTerm: 5, peers: [peer('b', { serving: 6 }), peer('c')] })).act).toBe('stop');
  });
});

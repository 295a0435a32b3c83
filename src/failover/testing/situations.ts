import { expect, test } from 'vitest';
import type { EngineObservation } from '../../engine/engine.ts';
import { decide } from '../decide.ts';
import type { MemberState } from '../messages.ts';
import type { Observation, PeerView } from '../observation.ts';
import { defaultPolicy } from '../policy.ts';
import type { LeadershipRecord } from '../records.ts';
import { memberState } from './member-state.ts';

/* Situations, for tables that say what is done in each, and why. Three members: n1, n2, n3; the one that decides is n2 unless it says otherwise. */

export const nowMs = 100_000;
export const position = { timeline: 3, lsn: 1_000n };
export const stopped: EngineObservation = {
  data: 'present',
  systemId: 'S',
  running: false,
  accepting: false,
  role: 'none',
  position,
  replicas: [],
  pendingRestart: false,
};
export const primary: EngineObservation = {
  ...stopped,
  running: true,
  accepting: true,
  role: 'primary',
  acknowledge: { k: 1, voters: ['n1', 'n3'] },
  replicas: [streaming('n1'), streaming('n3')],
};
export const replica: EngineObservation = {
  ...stopped,
  running: true,
  accepting: true,
  role: 'replica',
  upstream: { node: 'n1', streaming: true },
};
export const { upstream: _upstream, ...detached } = replica;
export const absent: EngineObservation = {
  data: 'absent',
  running: false,
  accepting: false,
  role: 'none',
  replicas: [],
  pendingRestart: false,
};

export function streaming(node: string, flushLsn = 1_000n): EngineObservation['replicas'][number] {
  return { node, state: 'streaming', flushLsn, replayLsn: flushLsn, sync: 'quorum' };
}

export function peer(node: string, state: Partial<MemberState> = {}, alive = true): PeerView {
  return {
    node,
    alive,
    ageMs: 50,
    state: memberState({
      address: { host: node, port: 5432 },
      term: 7,
      leader: 'n1',
      promised: 7,
      position: { timeline: 3, lsn: '1000' },
      systemId: 'S',
      priority: 0,
      ...state,
    }),
  };
}

export function record(more: Partial<LeadershipRecord> = {}): Observation['leadership'] {
  return {
    value: {
      term: 7,
      leader: 'n1',
      session: 's1',
      since: '',
      roster: [{ k: 1, voters: ['n2', 'n3'] }],
      timeline: 3,
      systemId: 'S',
      ...more,
    },
    revision: 70n,
  };
}

/** n2 follows n1, all is well. */
export const following: Observation = {
  nowMs,
  self: { node: 'n2', nofailover: false, priority: 0, replicated: true, eligible: true },
  policy: defaultPolicy,
  paused: false,
  abstains: false,
  storeReachable: true,
  leadership: record(),
  leaseEnded: undefined,
  sessionId: 's2',
  promised: 7,
  seen: 7,
  servingTerm: 0,
  releasedTerm: 0,
  engine: replica,
  downSinceMs: undefined,
  unresponsiveSinceMs: undefined,
  impairedSinceMs: undefined,
  failedStarts: 0,
  peers: [peer('n1', { serving: 7, role: 'primary', eligible: false }), peer('n3')],
  peersUnheard: 0,
  leaderVerdict: { suspects: false, probe: false },
  electableSinceMs: undefined,
  holdStillUntilMs: 0,
  startedMs: 0,
  inForce: 'unknown',
  caughtUp: () => true,
  notStreamingSinceMs: new Map(),
  remedy: 'follow',
  followedMs: nowMs,
  restore: undefined,
};

export const suspecting: Observation = {
  ...following,
  leaderVerdict: { suspects: true, probe: true, why: 'agent gone and service down' },
  electableSinceMs: nowMs - 1_000,
  peers: [peer('n1', { serving: 7 }, false), peer('n3')],
};

/** n2 leads and serves, all is well. */
export const leading: Observation = {
  ...following,
  leadership: record({ leader: 'n2', session: 's2', roster: [{ k: 1, voters: ['n1', 'n3'] }] }),
  servingTerm: 7,
  engine: primary,
  inForce: { k: 1, voters: ['n1', 'n3'] },
  peers: [peer('n1', { leader: 'n2' }), peer('n3', { leader: 'n2' })],
  leaderVerdict: undefined,
};
export const downed: Observation = {
  ...leading,
  engine: { ...stopped, stoppedAs: 'primary' },
  downSinceMs: nowMs - 10,
  inForce: 'unknown',
};
export const leased = [{ k: 0, voters: [] }];

/** Nothing anywhere. */
export const empty: Observation = {
  ...following,
  leadership: null,
  promised: 0,
  seen: 0,
  engine: absent,
  self: { ...following.self, eligible: false },
  peers: [peer('n1', blank()), peer('n3', blank())],
  leaderVerdict: undefined,
};

export function blank(): Partial<MemberState> {
  return { term: 0, leader: '', promised: 0, hasData: false, eligible: false, role: 'none', running: false };
}

export type Row = readonly [situation: string, observation: Observation, act: string, why: RegExp | object];

export function check(rows: readonly Row[]): void {
  test.each(rows)('%s', (_, observation, act, why) => {
    const decision = decide(observation);
    expect(decision.act).toBe(act);
    if (why instanceof RegExp) expect(decision.why).toMatch(why);
    else expect(decision).toMatchObject(why);
    expect(decision.say).toMatch(/^[a-z]+$/);
  });
}

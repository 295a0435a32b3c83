import { describe } from 'vitest';
import { defaultPolicy } from './policy.ts';
import {
  absent,
  check,
  detached,
  downed,
  following,
  leading,
  leased,
  nowMs,
  peer,
  primary,
  record,
  replica,
  stopped,
  streaming,
  suspecting,
} from './testing/situations.ts';

describe('a follower', () => {
  check([
    ['streams from the leader', following, 'nothing', { say: 'streaming' }],
    [
      'follows a leader that serves',
      { ...following, engine: { ...replica, upstream: { node: 'n3', streaming: true } } },
      'follow',
      { leader: 'n1' },
    ],
    ['starts its database to follow', { ...following, engine: { ...stopped, stoppedAs: 'replica' } }, 'follow', { leader: 'n1' }],
    [
      'gives WAL a moment to come',
      { ...following, engine: { ...replica, upstream: { node: 'n1', streaming: false } } },
      'nothing',
      /waits for WAL/,
    ],
    [
      'and asks again when none came',
      { ...following, engine: { ...replica, upstream: { node: 'n1', streaming: false } }, followedMs: nowMs - 60_000 },
      'follow',
      /is to follow/,
    ],
    ['copies all data when it has none', { ...following, engine: absent }, 'provision', { setAside: false }],
    ['rejoins what diverged', { ...following, engine: { ...stopped, stoppedAs: 'primary' }, remedy: 'rejoin' }, 'rejoin', { leader: 'n1' }],
    ['copies anew what can not rejoin', { ...following, engine: stopped, remedy: 'provision' }, 'provision', { setAside: true }],
    [
      'waits for the leader to serve',
      {
        ...following,
        engine: { ...replica, upstream: { node: 'n3', streaming: true } },
        peers: [peer('n1', { serving: 0, term: 6 }), peer('n3')],
      },
      'nothing',
      /waiting until n1 serves at term 7/,
    ],
    [
      'turns to a leader that is being promoted, if it promised this very term',
      { ...following, engine: detached, peers: [peer('n1', { serving: 0 }), peer('n3')] },
      'follow',
      /is to follow n1/,
    ],
    [
      'turns to a leader that is being promoted after a hand-over, if it has come no further',
      {
        ...following,
        promised: 6,
        engine: detached,
        peers: [peer('n1', { serving: 0, position: { timeline: 3, lsn: '1000' } }), peer('n3')],
      },
      'follow',
      /is to follow n1/,
    ],
    [
      'does not turn to one that is being promoted if it may have come further',
      {
        ...following,
        promised: 6,
        engine: detached,
        peers: [peer('n1', { serving: 0, position: { timeline: 3, lsn: '999' } }), peer('n3')],
      },
      'nothing',
      /waiting until n1 serves at term 7/,
    ],
    [
      'does not turn to a primary of an older term that renews its leadership before it serves the new one',
      { ...following, engine: detached, peers: [peer('n1', { serving: 0, role: 'primary' }), peer('n3')] },
      'nothing',
      /waiting until n1 serves at term 7/,
    ],
    [
      'never follows a term lower than it promised',
      { ...following, promised: 8, engine: { ...stopped, stoppedAs: 'replica' } },
      'nothing',
      /term 8 was promised/,
    ],
    ['stops what it serves when another leads', { ...following, engine: primary, servingTerm: 6 }, 'stop', /n1 leads at term 7/],
    [
      'stops what it serves at once by a peer’s word of a later term',
      { ...leading, storeReachable: false, peers: [peer('n1', { serving: 9 }), peer('n3')] },
      'stop',
      /higher term 9/,
    ],
    [
      'waits when a peer serves at a term that the store does not show yet',
      { ...following, peers: [peer('n1'), peer('n3', { serving: 8 })] },
      'nothing',
      /n3 leads at term 8/,
    ],
    ['leaves a stopped database alone while paused', { ...following, paused: true, engine: stopped }, 'nothing', { say: 'paused' }],
    ['goes on streaming while paused', { ...following, paused: true }, 'nothing', { say: 'streaming' }],
    ['stays out with data of another system', { ...following, engine: { ...replica, systemId: 'X' } }, 'nothing', { say: 'foreign' }],
    [
      'stays out with data that are not its own',
      { ...following, engine: { ...stopped, data: 'foreign', failure: { code: 'E', message: 'other version', hint: 'Use 17.' } } },
      'nothing',
      /other version\. Use 17\./,
    ],
    [
      'waits for the first data',
      { ...following, leadership: record({ systemId: null }), engine: absent },
      'nothing',
      /makes the first data/,
    ],
    [
      'stands by when nothing is replicated',
      { ...following, self: { ...following.self, replicated: false }, engine: stopped },
      'nothing',
      { say: 'standby' },
    ],
    [
      'does not know who leads before it has read the store',
      { ...following, leadership: undefined },
      'nothing',
      /has not been reached yet/,
    ],
    ['does not believe a store from the past', { ...following, seen: 9 }, 'nothing', { say: 'out' }],
  ]);
});

describe('a member that suspects the leader', () => {
  check([
    ['stands for election', suspecting, 'elect', /n1 is suspected: agent gone/],
    [
      'stands with a stopped replica, too: nobody is left to start it',
      { ...suspecting, engine: { ...stopped, stoppedAs: 'replica' } },
      'elect',
      /suspected/,
    ],
    [
      'leaves it to others when it may not or can not lead',
      { ...suspecting, self: { ...suspecting.self, eligible: false } },
      'nothing',
      /waiting until n1 serves/,
    ],
    ['does nothing while paused', { ...suspecting, paused: true }, 'nothing', { say: 'running' }],
    ['does nothing right after a stall of its own', { ...suspecting, abstains: true }, 'nothing', { say: 'running' }],
    ['does nothing without the store', { ...suspecting, storeReachable: false }, 'nothing', { say: 'running' }],
    ['leaves the next attempt to others', { ...suspecting, holdStillUntilMs: nowMs + 1 }, 'nothing', { say: 'voting' }],
    [
      'lets a preferred candidate come first',
      { ...suspecting, electableSinceMs: nowMs - 10, peers: [peer('n1', {}, false), peer('n3', { priority: 1 })] },
      'nothing',
      /better candidate/,
    ],
    [
      'goes by name, not by its own which is newer than what it heard of the others: so is not called by two at once',
      {
        ...suspecting,
        self: { ...suspecting.self, node: 'n3' },
        electableSinceMs: nowMs,
        engine: { ...replica, position: { timeline: 3, lsn: 9_000n } },
        peers: [peer('n1', {}, false), peer('n2')],
      },
      'nothing',
      /better candidate/,
    ],
    [
      'but not for long',
      {
        ...suspecting,
        electableSinceMs: nowMs - defaultPolicy.heartbeatMs - 151,
        peers: [peer('n1', {}, false), peer('n3', { priority: 1 })],
      },
      'elect',
      /suspected/,
    ],
    [
      'does not wait for one that is dead or may not lead',
      { ...suspecting, electableSinceMs: nowMs, peers: [peer('n1', {}, false), peer('n0', {}, false), peer('n00', { eligible: false })] },
      'elect',
      /suspected/,
    ],
    [
      'waits for the end of a lease',
      { ...suspecting, leadership: record({ roster: leased }), leaseEnded: false },
      'nothing',
      /lease has not ended/,
    ],
    ['waits for word of the lease', { ...suspecting, leadership: record({ roster: leased }) }, 'nothing', /lease has not ended/],
    ['stands once the lease has ended', { ...suspecting, leadership: record({ roster: leased }), leaseEnded: true }, 'elect', /suspected/],
    [
      'does not wait for the lease of one that gave up',
      {
        ...suspecting,
        leadership: record({ roster: leased }),
        leaseEnded: false,
        leaderVerdict: { suspects: true, probe: false, why: 'released' },
      },
      'elect',
      /released/,
    ],
    ['does not stand before there are data', { ...suspecting, leadership: record({ systemId: null }) }, 'nothing', /first data/],
  ]);
});

describe('a leader that serves', () => {
  check([
    ['goes on', leading, 'nothing', /serving/],
    ['goes on without the store', { ...leading, storeReachable: false }, 'nothing', /serving/],
    [
      'claims again beyond a promise that led nowhere',
      { ...leading, peers: [peer('n1', { promised: 9 }), peer('n3')] },
      'reclaim',
      { term: 10, start: false },
    ],
    ['claims again beyond its own promise', { ...leading, promised: 8 }, 'reclaim', { term: 9, start: false }],
    ['can not claim without the store', { ...leading, promised: 8, storeReachable: false }, 'nothing', /serving/],
    ['puts a new session into the record', { ...leading, sessionId: 's9' }, 'reclaim', { term: 7, start: false }],
    ['is confirmed by a new agent', { ...leading, servingTerm: 0 }, 'reclaim', { term: 7, start: false }],
    [
      'names the data when the first leader did not get to it',
      { ...leading, leadership: record({ leader: 'n2', session: 's2', systemId: null }) },
      'reclaim',
      { term: 7, start: false },
    ],
    [
      'names its timeline',
      { ...leading, leadership: record({ leader: 'n2', session: 's2', timeline: 2 }) },
      'reclaim',
      { term: 7, start: false },
    ],
    ['waits for its database to answer', { ...leading, engine: { ...primary, accepting: false } }, 'nothing', { say: 'starting' }],
    [
      'gives up a database that does not answer',
      { ...leading, engine: { ...primary, accepting: false }, unresponsiveSinceMs: nowMs - 10_001 },
      'release',
      { stop: true },
    ],
    ['waits for a database that has not told its role', { ...leading, engine: { ...primary, role: 'none' } }, 'nothing', {}],
    [
      'keeps it when nobody can take over',
      {
        ...leading,
        engine: { ...primary, accepting: false },
        unresponsiveSinceMs: nowMs - 10_001,
        peers: [peer('n1', {}, false), peer('n3')],
      },
      'nothing',
      { say: 'starting' },
    ],
    [
      'hands over when its disk is full',
      { ...leading, engine: { ...primary, impairment: 'full' }, impairedSinceMs: nowMs - 2_001 },
      'release',
      { stop: true, why: 'the disk of the database is full' },
    ],
    ['hands over a stalled disk', { ...leading, engine: { ...primary, impairment: 'stalled' }, impairedSinceMs: 1 }, 'release', {}],
    [
      'bears with a slow disk',
      { ...leading, engine: { ...primary, impairment: 'stalled' }, impairedSinceMs: nowMs - 5_000 },
      'nothing',
      { say: 'running' },
    ],
    [
      'takes in a new voter',
      { ...leading, engine: { ...primary, replicas: [...primary.replicas, streaming('n4')] } },
      'roster',
      { step: { step: 'join' } },
    ],
    [
      'does not take in one that is far behind',
      {
        ...leading,
        engine: {
          ...primary,
          position: { timeline: 3, lsn: 1n << 40n },
          replicas: [streaming('n1', 1n << 40n), streaming('n3', 1n << 40n), streaming('n4')],
        },
      },
      'nothing',
      /serving/,
    ],
    [
      'lets go a voter that is lost',
      { ...leading, engine: { ...primary, replicas: [streaming('n1')] }, notStreamingSinceMs: new Map([['n3', nowMs - 1_000]]) },
      'roster',
      {
        step: {
          step: 'join',
          roster: [
            { k: 1, voters: ['n1', 'n3'] },
            { k: 1, voters: ['n1'] },
          ],
        },
      },
    ],
    [
      'keeps one that is only disturbed',
      { ...leading, engine: { ...primary, replicas: [streaming('n1')] }, notStreamingSinceMs: new Map([['n3', nowMs - 999]]) },
      'nothing',
      /serving/,
    ],
    ['makes the database run what the roster says', { ...leading, inForce: 'unknown' }, 'roster', { step: { step: 'apply' } }],
    [
      'changes nothing while paused',
      { ...leading, paused: true, engine: { ...primary, replicas: [...primary.replicas, streaming('n4')] } },
      'nothing',
      /paused/,
    ],
    ['makes the records anew when the store has lost them', { ...leading, leadership: null }, 'reestablish', { term: 8 }],
    [
      'makes them anew when the store was restored from the past',
      { ...leading, leadership: record({ term: 3, leader: 'n3' }) },
      'reestablish',
      { term: 8 },
    ],
  ]);
});

describe('a leader whose database is down', () => {
  check([
    ['hands over when another can take over without loss', downed, 'release', { stop: false }],
    [
      'stays released, and does nothing more, while it waits for the other',
      { ...downed, servingTerm: 0, releasedTerm: 7 },
      'nothing',
      { say: 'released' },
    ],
    [
      'goes on giving way after it promised, instead of starting again beside its successor',
      { ...downed, servingTerm: 0, releasedTerm: 7, promised: 8 },
      'nothing',
      { say: 'released' },
    ],
    ['starts it again when nobody did', { ...downed, downSinceMs: nowMs - 1_500 }, 'reclaim', { term: 8, start: true }],
    [
      'starts it again when too few are there to prove what was acknowledged',
      { ...downed, peers: [peer('n1', {}, false), peer('n3')] },
      'reclaim',
      { start: true },
    ],
    [
      'starts it again when nobody there may lead',
      { ...downed, peers: [peer('n1', { eligible: false }), peer('n3', { eligible: false })] },
      'reclaim',
      { start: true },
    ],
    [
      'starts it again when only it is sure to have everything',
      { ...downed, leadership: record({ leader: 'n2', session: 's2', roster: leased }) },
      'reclaim',
      { start: true },
    ],
    ['starts it again after the machine’s restart, rather than hand over', { ...downed, servingTerm: 0 }, 'reclaim', { start: true }],
    ['gives up a database that does not start', { ...downed, downSinceMs: nowMs - 60_000, failedStarts: 3 }, 'release', { stop: false }],
    ['waits for the store, which alone knows whether it still leads', { ...downed, storeReachable: false }, 'nothing', { say: 'stopped' }],
    ['leaves it while paused', { ...downed, paused: true }, 'nothing', { say: 'paused' }],
    [
      'claims beyond whatever was promised',
      { ...downed, downSinceMs: nowMs - 9_000, peers: [peer('n1', { promised: 12 }), peer('n3')] },
      'reclaim',
      { term: 13 },
    ],
    [
      'finishes a claimed promotion through the store',
      { ...downed, engine: detached, servingTerm: 0 },
      'reclaim',
      { term: 8, start: true, say: 'promoting' },
    ],
    [
      'finishes it with a stopped replica, too',
      { ...downed, engine: { ...stopped, stoppedAs: 'replica' } },
      'reclaim',
      { term: 8, start: true, say: 'promoting' },
    ],
    [
      'goes on making the first data',
      { ...downed, engine: absent, leadership: record({ leader: 'n2', session: 's2', systemId: null }) },
      'bootstrap',
      /not finished/,
    ],
    ['lets another take over when its data are gone', { ...downed, engine: absent }, 'release', /data are gone/],
  ]);
});

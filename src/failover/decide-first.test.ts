import { describe } from 'vitest';
import { blank, check, empty, following, nowMs, peer, record, replica, stopped } from './testing/situations.ts';

describe('without any leadership', () => {
  const first = { ...empty, self: { ...empty.self, node: 'n0' } };
  check([
    ['the first by name makes the first data', first, 'bootstrap', /makes the first/],
    ['the others wait for it', empty, 'nothing', /n1 is to make the first/],
    ['the preferred one makes them', { ...empty, self: { ...empty.self, priority: 1 } }, 'bootstrap', /makes the first/],
    [
      'one that has data comes before all',
      { ...empty, engine: stopped, peers: [peer('n1', { ...blank(), priority: 9 }), peer('n3', blank())] },
      'bootstrap',
      /makes the first/,
    ],
    ['nofailover makes none', { ...empty, self: { ...empty.self, node: 'n0', nofailover: true } }, 'nothing', /may not lead/],
    ['all configured members are waited for', { ...first, peersUnheard: 1, startedMs: nowMs - 100 }, 'nothing', /1 not heard of/],
    ['but not for ever, where most are there', { ...first, peersUnheard: 1, startedMs: nowMs - 15_000 }, 'bootstrap', /makes the first/],
    ['for ever where they are not', { ...first, peersUnheard: 9, startedMs: nowMs - 60_000 }, 'nothing', /not heard of/],
    ['nothing is done without the store', { ...first, storeReachable: false }, 'nothing', /does not answer/],
    ['a lost store’s leader is waited for', { ...following, leadership: null }, 'nothing', /n1 serves at term 7/],
    [
      'a lost store’s members all have to be there',
      { ...following, leadership: null, peers: [peer('n1', {}, false), peer('n3')] },
      'nothing',
      /waiting for every member/,
    ],
    [
      'and then the most advanced leads',
      { ...following, leadership: null, peers: [peer('n1'), peer('n3')], engine: { ...replica, position: { timeline: 3, lsn: 1_001n } } },
      'reestablish',
      { term: 8 },
    ],
    [
      'whoever that is',
      { ...following, leadership: null, peers: [peer('n1'), peer('n3', { position: { timeline: 4, lsn: '1' } })] },
      'nothing',
      /n3 has the most advanced data/,
    ],
  ]);
});

describe('with a restore from copies configured', () => {
  const o = { ...empty, restore: 'r', self: { ...empty.self, node: 'n0' } };
  const lost = { ...o, leadership: record(), promised: 7, seen: 7 };
  const [n1, starts, holds] = [
    peer('n1', blank()),
    peer('n3', { ...blank(), state: 'starting' }),
    peer('n3', { ...blank(), hasData: true }),
  ];
  check([
    ['everybody is waited for', { ...o, peersUnheard: 1, startedMs: -60_000 }, 'nothing', /every member/],
    ['also who does not know yet', { ...o, peers: [n1, starts] }, 'nothing', /every member/],
    ['the first performs it', o, 'bootstrap', { say: 'restoring' }],
    ['data that are there come first', { ...o, engine: stopped }, 'bootstrap', { say: 'bootstrapping' }],
    ['a record of lost data is no obstacle', lost, 'bootstrap', { say: 'restoring' }],
    ['data that are left are', { ...lost, peers: [n1, holds] }, 'nothing', {}],
    ['nothing is restored twice', { ...lost, leadership: record({ restored: 'r' }) }, 'nothing', {}],
  ]);
});

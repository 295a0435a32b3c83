import { expect, test } from 'vitest';
import type { MemberState } from '../../failover/messages.ts';
import type { PeerView } from '../../failover/observation.ts';
import { replicasOf } from './base-orders.ts';

function peer(node: string, state: Partial<MemberState> = {}, alive = true): PeerView {
  const whole: MemberState = {
    service: 'orders',
    address: { host: node, port: 1 },
    replicated: true,
    term: 1,
    leader: 'a',
    promised: 1,
    serving: 0,
    released: 0,
    suspects: 0,
    role: 'replica',
    state: 'streaming',
    running: true,
    accepting: true,
    streamingFrom: 'a',
    hasData: true,
    eligible: true,
    nofailover: false,
    priority: 100,
    paused: false,
    pendingRestart: false,
    pids: { agent: 1 },
    ...state,
  };
  return { node, alive, state: whole, ageMs: 0 };
}

test('base backups are made of replicas in good health, the least wanted as a leader first', () => {
  const peers = [
    peer('b'),
    peer('c', { priority: 50 }),
    peer('d', { nofailover: true, priority: 200 }),
    peer('e', {}, false),
    peer('f', { role: 'primary' }),
    peer('g', { accepting: false }),
    peer('h', { streamingFrom: 'b' }),
    peer('i', { impairment: 'full' }),
  ];
  expect(replicasOf(peers, 'a')).toEqual(['d', 'c', 'b']);
  expect(replicasOf([], 'a')).toEqual([]);
});

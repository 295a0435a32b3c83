import { expect, test } from 'vitest';
import type { MemberState } from '../../failover/messages.ts';
import type { PeerView } from '../../failover/observation.ts';
import { memberState } from '../../failover/testing/member-state.ts';
import { replicasOf } from './base-orders.ts';

function peer(node: string, state: Partial<MemberState> = {}, alive = true): PeerView {
  return { node, alive, state: memberState({ streamingFrom: 'a', ...state }), ageMs: 0 };
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

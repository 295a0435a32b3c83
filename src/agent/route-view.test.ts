import { describe, expect, test } from 'vitest';
import type { MemberState } from '../failover/messages.ts';
import { memberState } from '../failover/testing/member-state.ts';
import { routeView } from './route-view.ts';

function state(over: Partial<MemberState>): MemberState {
  return memberState({ term: 3, ...over });
}

const leader = { node: 'a', alive: true, state: state({ role: 'primary', serving: 3, position: { timeline: 1, lsn: '1000' } }) };
const replica = { node: 'b', alive: true, state: state({ streamingFrom: 'a', replayLsn: '900' }) };

describe('routeView', () => {
  test('names the leader of the highest term and replicas that stream from it, with what they lag behind', () => {
    const view = routeView([leader, replica]);
    expect(view.term).toBe(3);
    expect(view.leader?.node).toBe('a');
    expect(view.replicas).toEqual([{ node: 'b', host: '10.0.0.1', port: 5432, lagBytes: 100 }]);
  });

  test('of two that claim to serve only the one of the higher term counts', () => {
    const late = { node: 'b', alive: true, state: state({ role: 'primary', serving: 4, term: 4 }) };
    expect(routeView([leader, late]).leader?.node).toBe('b');
    expect(routeView([late, leader]).term).toBe(4);
  });

  test('a leader of a term that is over is nobody, even before the next one serves', () => {
    const knows = { node: 'b', alive: true, state: state({ term: 4, leader: 'b' }) };
    expect(routeView([leader, knows])).toEqual({ term: 4, leader: undefined, replicas: [] });
  });

  test('a leader whose agent is silent keeps its clients: silence of an agent is no word about its database', () => {
    expect(routeView([{ ...leader, alive: false }, replica]).leader?.node).toBe('a');
  });

  test('replicas that are silent, do not answer or follow somebody else get no readers', () => {
    expect(routeView([leader, { ...replica, alive: false }]).replicas).toEqual([]);
    expect(routeView([leader, { ...replica, state: { ...replica.state, accepting: false } }]).replicas).toEqual([]);
    expect(routeView([leader, { ...replica, state: { ...replica.state, streamingFrom: 'c' } }]).replicas).toEqual([]);
  });

  test('without members there is nothing to know', () => {
    expect(routeView([])).toEqual({ term: 0, leader: undefined, replicas: [] });
  });
});

import { comparePositions, type Position } from '../engine/engine.ts';
import type { Decision } from './decide.ts';
import { fromWire } from './messages.ts';
import type { Observation, PeerView } from './observation.ts';
import type { LeadershipRecord } from './records.ts';

/** How a service comes by its first leader, and by its first data. */

export function nothing(say: string, why: string): Decision {
  return { act: 'nothing', say, why };
}

export function decideWithoutLeadership(o: Observation, claimed: { node: string; term: number } | undefined): Decision {
  if (!o.storeReachable) return nothing('waiting', 'the coordination store does not answer');
  if (o.servingTerm > 0 && o.engine.running && o.engine.role === 'primary') {
    return {
      act: 'reestablish',
      term: Math.max(o.servingTerm, highestPromise(o)) + 1,
      say: 'reestablishing',
      why: 'the store has lost its records; this member leads',
    };
  }
  if (claimed !== undefined) return nothing('waiting', `${claimed.node} serves at term ${claimed.term}, but the store does not know it`);
  const waited = o.nowMs - o.startedMs >= o.policy.bootstrapWaitMs;
  const everybody = hearsEverybody(o);
  const heard = o.peers.filter((peer) => peer.alive).length;
  const majority = heard + 1 > (o.peers.length + o.peersUnheard + 1) / 2;
  const anyData = o.engine.data === 'present' || o.peers.some((peer) => peer.state.hasData);
  if (anyData && o.seen + highestPromise(o) > 0) {
    if (!everybody) return nothing('waiting', 'the store has lost its records: waiting for every member, to find the most advanced data');
    const best = mostAdvanced(o);
    if (best !== o.self.node) return nothing('waiting', `the store has lost its records; ${best} has the most advanced data`);
    return {
      act: 'reestablish',
      term: Math.max(o.seen, highestPromise(o)) + 1,
      say: 'reestablishing',
      why: 'the store has lost its records, and this member has the most advanced data of all',
    };
  }
  if (o.self.nofailover) return nothing('waiting', 'no leader yet, and this member may not lead');
  if (o.restore !== undefined && !anyData && !hearsThatNobodyHasData(o))
    return nothing('waiting', 'data are to be restored from copies: waiting for every member to say that it has none');
  if (!everybody && !(waited && majority))
    return nothing('waiting', `no leader yet: waiting for the other members (${o.peersUnheard} not heard of)`);
  const first = firstOf(o);
  if (first !== o.self.node) return nothing('waiting', `no leader yet: ${first} is to make the first`);
  if (o.restore !== undefined && !anyData) return restoring;
  return { act: 'bootstrap', say: 'bootstrapping', why: 'nobody leads and there is no data: this member makes the first' };
}

const restoring: Decision = {
  act: 'bootstrap',
  say: 'restoring',
  why: 'nobody has data: this member restores them from copies, as its configuration says',
};

/**
 * Every member has lost its data, and the store remembers a leader of then: restored as a new one would be, by whoever comes first, but each order
 * once only. Copies of some day must not come back by themselves when the data are lost again, years later.
 */
export function decideRestore(o: Observation, record: LeadershipRecord): Decision | undefined {
  const isDue = o.restore !== undefined && record.systemId !== null && record.restored !== o.restore;
  if (!isDue || !o.self.replicated || o.self.nofailover || o.paused || !o.storeReachable) return undefined;
  if (o.engine.data !== 'absent' || !hearsThatNobodyHasData(o)) return undefined;
  const first = firstOf(o);
  return first === o.self.node ? restoring : nothing('waiting', `${first} is to restore the data from copies`);
}

function hearsEverybody(o: Observation): boolean {
  return o.peersUnheard === 0 && o.peers.every((peer) => peer.alive);
}

/** Who has just started, or has data that it can not tell the owner of, does not know yet what it has. */
function hearsThatNobodyHasData(o: Observation): boolean {
  return hearsEverybody(o) && o.peers.every(({ state }) => !state.hasData && !['starting', 'foreign'].includes(state.state));
}

/** Who is to make the first data, or to lead with those that it has. */
function firstOf(o: Observation): string {
  const preference = (node: string, { priority }: { readonly priority: number }, hasData: boolean) => ({ node, priority, hasData });
  const others = o.peers
    .filter((peer) => peer.alive && !peer.state.nofailover)
    .map((peer) => preference(peer.node, peer.state, peer.state.hasData));
  return [...others, preference(o.self.node, o.self, o.engine.data === 'present')].toSorted(byDataThenPreference)[0]!.node;
}

function byDataThenPreference(
  a: { node: string; priority: number; hasData: boolean },
  b: { node: string; priority: number; hasData: boolean },
): number {
  return Number(b.hasData) - Number(a.hasData) || b.priority - a.priority || (a.node < b.node ? -1 : 1);
}

export function highestPromise(o: Observation): number {
  return Math.max(o.promised, ...o.peers.map((peer) => peer.state.promised));
}

function mostAdvanced(o: Observation): string {
  const all: { node: string; position: Position | undefined }[] = o.peers.map((peer) => ({ node: peer.node, position: positionOf(peer) }));
  all.push({ node: o.self.node, position: o.engine.position });
  const ranked = all
    .filter((member) => member.position !== undefined)
    .toSorted((a, b) => comparePositions(b.position!, a.position!) || (a.node < b.node ? -1 : 1));
  return ranked[0]?.node ?? o.self.node;
}

function positionOf(peer: PeerView): Position | undefined {
  return peer.state.position === undefined ? undefined : fromWire(peer.state.position);
}

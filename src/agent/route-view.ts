import type { MemberState } from '../failover/messages.ts';
import type { RouteView } from '../routing/router.ts';

/** One member as a router sees it. */
export interface RoutedMember {
  readonly node: string;
  /** Its agent is heard of. A silent agent says nothing against its database: only a higher term, or its own word, moves clients. */
  readonly alive: boolean;
  readonly state: MemberState;
}

/** Where clients of a service are to go, from what its members say. Pure. */
export function routeView(members: readonly RoutedMember[]): RouteView {
  let leader: RoutedMember | undefined;
  let term = 0;
  for (const member of members) {
    term = Math.max(term, member.state.term, member.state.serving);
    if (member.state.serving > 0 && member.state.serving > (leader?.state.serving ?? 0)) leader = member;
  }
  // Whoever serves at less than the highest term known is not the leader any more, whether it has heard so or not.
  if (leader !== undefined && leader.state.serving < term) leader = undefined;
  const end = leader?.state.position === undefined ? undefined : BigInt(leader.state.position.lsn);
  const replicas = members.flatMap((member) => {
    const { state } = member;
    if (!member.alive || state.role !== 'replica' || !state.accepting || leader === undefined || state.streamingFrom !== leader.node)
      return [];
    const behind = end === undefined || state.replayLsn === undefined ? 0 : Number(end - BigInt(state.replayLsn));
    return [{ node: member.node, ...state.address, lagBytes: Math.max(0, behind) }];
  });
  return { term, leader: leader === undefined ? undefined : { node: leader.node, ...leader.state.address }, replicas };
}

import type { RouteView, Target } from '../../router.ts';

/** Which of a service's two ports. */
export type Port = 'write' | 'read';

/** A server that may take a client now. */
export interface Candidate {
  readonly target: Target;
  readonly as: 'leader' | 'replica';
}

export interface ReadPolicy {
  readonly lagBytesMax: number;
  readonly readFromLeader: 'fallback' | 'never' | 'always';
}

/** What is known of a server besides the view: connections through this router, and whether the last attempt to reach it failed just now. */
export interface Load {
  readonly connections: number;
  readonly isOut: boolean;
}

/**
 * Where a new client of `port` should go; undefined: nobody can take it now. Readers are spread by least connections. A server that
 * does not let anybody in is only chosen when there is no other: the client then waits for it.
 * @param turn grows with every choice: who is first among equals changes with it
 */
export function chooseRoute(
  port: Port,
  view: RouteView,
  policy: ReadPolicy,
  loadOf: (target: Target) => Load,
  turn: number,
): Candidate | undefined {
  const tiers = candidateTiers(port, view, policy);
  const inUse = tiers.map((tier) => tier.filter((candidate) => !loadOf(candidate.target).isOut)).find((tier) => tier.length > 0);
  const tier = inUse ?? tiers.find((all) => all.length > 0) ?? [];
  return leastLoaded(tier, loadOf, turn);
}

/** Groups of equals, the preferred first. */
function candidateTiers(port: Port, view: RouteView, policy: ReadPolicy): Candidate[][] {
  const leader: Candidate[] = view.leader ? [{ target: view.leader, as: 'leader' }] : [];
  if (port === 'write') return [leader];
  const replicas = view.replicas
    .filter((replica) => replica.lagBytes <= policy.lagBytesMax && replica.node !== view.leader?.node)
    .map((target): Candidate => ({ target, as: 'replica' }));
  if (policy.readFromLeader === 'always') return [[...replicas, ...leader]];
  return policy.readFromLeader === 'fallback' ? [replicas, leader] : [replicas];
}

function leastLoaded(candidates: readonly Candidate[], loadOf: (target: Target) => Load, turn: number): Candidate | undefined {
  const first = candidates.length === 0 ? 0 : turn % candidates.length;
  return [...candidates.slice(first), ...candidates.slice(0, first)].reduce<Candidate | undefined>(
    (best, each) => (best === undefined || loadOf(each.target).connections < loadOf(best.target).connections ? each : best),
    undefined,
  );
}

/** `host:port`, which names a server to the network. */
export function endpointOf(target: Target): string {
  return `${target.host}:${target.port}`;
}

import type { RouteView, Target } from './router.ts';

export interface ReadPolicy {
  /** Replicas further behind get no new readers. */
  readonly lagMax: number;
  /** Whether the leader serves readers: when no replica can, never, or as one of them. */
  readonly readFromLeader: 'fallback' | 'never' | 'always';
}

/**
 * Who serves readers, by name of node. A replica that fell behind comes back only once it is well within the limit: each change costs a
 * program a reload.
 */
export function chooseReaders(view: RouteView, before: readonly Target[], policy: ReadPolicy): readonly Target[] {
  const near = view.replicas.filter(({ node, lagBytes }) => {
    const reads = before.some((one) => one.node === node);
    return lagBytes <= (reads || before.length === 0 ? policy.lagMax : policy.lagMax / 2);
  });
  const withLeader = policy.readFromLeader === 'always' || (policy.readFromLeader === 'fallback' && near.length === 0);
  const all: Target[] = [...near, ...(withLeader && view.leader !== undefined ? [view.leader] : [])];
  return all.toSorted((a, b) => (a.node < b.node ? -1 : 1));
}

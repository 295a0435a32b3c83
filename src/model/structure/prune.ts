import { Bdd } from './bdd.ts';
import { compacted, type Nodes } from './nodes.ts';
import type { Probability } from './probability.ts';

/**
 * A function that implies the given one (`side` 0), or that it implies (`side` 1), with about half of `nodesKept` nodes; the function itself when it
 * has no more than `nodesKept`.
 *
 * What is kept are whole paths, the most probable ones to the other constant: a node counts as much as the best path through it, so that the nodes
 * above and below that are on this path count no less. All else becomes the constant.
 */
export function pruned(nodes: Nodes, leaves: readonly Probability[], nodesKept: number, side: 0 | 1): Nodes {
  const { level, low, high, root } = nodes;
  if (level.length <= nodesKept) return nodes;
  const worth = bestPaths(nodes, leaves, side);
  const sorted = worth.filter((each) => each > 0).toSorted();
  const cutoff = sorted[Math.max(0, sorted.length - Math.floor(nodesKept / 2))]!;
  const bdd = new Bdd(2 * level.length + 2);
  const edges = new Int32Array(2 * level.length).fill(side);
  edges[0] = 0;
  edges[1] = 1;
  for (let edge = 2; edge < edges.length; edge++) {
    const at = edge >> 1;
    const sign = edge & 1;
    if (worth[edge]! >= cutoff) edges[edge] = bdd.node(level[at]!, edges[low[at]! ^ sign]!, edges[high[at]! ^ sign]!);
  }
  return compacted(bdd, edges[root]!);
}

/** By edge: the probability of the best path from the root, through it, to the constant that is not `side`; 0 where there is none. */
function bestPaths({ level, low, high, root }: Nodes, leaves: readonly Probability[], side: 0 | 1): Float64Array {
  const count = 2 * level.length;
  const below = new Float64Array(count);
  below[1 - side] = 1;
  for (let edge = 2; edge < count; edge++) {
    const { q, a } = leaves[level[edge >> 1]!]!;
    below[edge] = Math.max(a * below[low[edge >> 1]! ^ (edge & 1)]!, q * below[high[edge >> 1]! ^ (edge & 1)]!);
  }
  const above = new Float64Array(count);
  above[root] = 1;
  for (let edge = count - 1; edge >= 2; edge--) {
    const { q, a } = leaves[level[edge >> 1]!]!;
    const [less, more] = [low[edge >> 1]! ^ (edge & 1), high[edge >> 1]! ^ (edge & 1)];
    above[less] = Math.max(above[less]!, a * above[edge]!);
    above[more] = Math.max(above[more]!, q * above[edge]!);
  }
  return below.map((best, edge) => best * above[edge]!);
}

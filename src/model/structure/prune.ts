import { Bdd } from './bdd.ts';
import { compacted, type Nodes } from './diagram.ts';
import type { Probability } from './probability.ts';
import { nodeValues } from './quantify.ts';

/**
 * A function that implies the given one (`side` 0), or that it implies (`side` 1), with about half of `nodesKept` nodes: where least probability is
 * lost, nodes become the constant. The function itself when it has no more than `nodesKept`.
 */
export function pruned(nodes: Nodes, leaves: readonly Probability[], nodesKept: number, side: 0 | 1): Nodes {
  const { level, low, high, root } = nodes;
  if (level.length <= nodesKept) return nodes;
  const losses = lossesOf(nodes, leaves, side);
  const sorted = losses.filter((loss) => loss >= 0).toSorted();
  const cutoff = sorted[Math.max(0, sorted.length - Math.floor(nodesKept / 2))]!;
  const bdd = new Bdd(2 * level.length + 2);
  // By 2·node + 1 where the function is the negation of the node's.
  const edges = new Int32Array(2 * level.length);
  edges[1] = 1;
  for (let at = 1; at < level.length; at++) {
    for (const sign of [0, 1]) {
      const loss = losses[2 * at + sign]!;
      if (loss < 0) continue;
      edges[2 * at + sign] = loss < cutoff ? side : bdd.node(level[at]!, edges[low[at]! ^ sign]!, edges[high[at]! ^ sign]!);
    }
  }
  return compacted(bdd, edges[root]!);
}

/** The probability that is lost with each node, by edge; negative for edges that are not reached. */
function lossesOf(nodes: Nodes, leaves: readonly Probability[], side: 0 | 1): Float64Array {
  const { level, low, high, root } = nodes;
  const values = nodeValues(nodes, leaves);
  const mass = new Float64Array(2 * level.length).fill(-1);
  const send = (edge: number, amount: number): void => {
    mass[edge] = Math.max(0, mass[edge]!) + amount;
  };
  send(root, 1);
  for (let at = level.length - 1; at > 0; at--) {
    const { q, a } = leaves[level[at]!]!;
    for (const sign of [0, 1]) {
      const amount = mass[2 * at + sign]!;
      if (amount < 0) continue;
      send(low[at]! ^ sign, a * amount);
      send(high[at]! ^ sign, q * amount);
    }
  }
  return mass.map((amount, edge) =>
    amount < 0 || edge <= 1 ? -1 : amount * ((edge & 1) === side ? values.yes[edge >> 1]! : values.no[edge >> 1]!),
  );
}

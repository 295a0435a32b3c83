import type { Graph } from './graph.ts';
import { gateAt, type Part } from './part.ts';

/**
 * Orders of a part's leaves that may make its diagram small; nobody knows beforehand which does. All go through the part depth first and differ
 * in which argument of a gate comes first; the last pulls together what stands together in gates.
 * Sources: Bouissou, Bruyère, Rauzy: BDD based fault-tree processing: a comparison of variable ordering heuristics, ESREL 1997; Aloul, Markov,
 * Sakallah: FORCE: a fast and easy-to-implement variable-ordering heuristic, GLSVLSI 2003.
 */
export function* leafOrders(graph: Graph, part: Part): Generator<number[]> {
  const facts = factsOf(graph, part);
  const { weight, parents } = facts;
  const by =
    (key: (id: number) => number) =>
    (a: number, b: number): number =>
      key(a) - key(b);
  const comparisons = [
    by((id) => weight.get(id)!),
    by((id) => id),
    by((id) => -id),
    by((id) => -weight.get(id)!),
    by((id) => -parents.get(id)! * 1e6 + weight.get(id)!),
  ];
  for (const compare of comparisons) yield leavesDepthFirst(graph, part, compare);
  yield pulledTogether(graph, part);
}

interface Facts {
  /** Leaves below, each as often as paths lead to it. */
  readonly weight: ReadonlyMap<number, number>;
  readonly parents: ReadonlyMap<number, number>;
}

function factsOf(graph: Graph, part: Part): Facts {
  const weight = new Map<number, number>(part.leaves.map((id) => [id, 1]));
  const parents = new Map<number, number>([[part.id, 0]]);
  for (const id of part.gates) {
    let sum = 0;
    for (const literal of gateAt(graph, id).of) {
      sum += weight.get(literal >> 1)!;
      parents.set(literal >> 1, (parents.get(literal >> 1) ?? 0) + 1);
    }
    weight.set(id, sum);
  }
  return { weight, parents };
}

function leavesDepthFirst(graph: Graph, part: Part, compare: (a: number, b: number) => number): number[] {
  const isLeaf = new Set(part.leaves);
  const seen = new Set<number>();
  const order: number[] = [];
  const open = [part.id];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    if (seen.has(next)) continue;
    seen.add(next);
    if (isLeaf.has(next)) order.push(next);
    else open.push(...argumentsOf(graph, next).toSorted(compare).toReversed());
  }
  return order;
}

function argumentsOf(graph: Graph, id: number): number[] {
  return gateAt(graph, id).of.map((literal) => literal >> 1);
}

/** Rounds of FORCE; it settles in about the logarithm of the number of leaves. */
const ROUNDS_MAX = 50;

/** Each gate and leaf moves to the middle of its neighbours, again and again. */
export function pulledTogether(graph: Graph, part: Part): number[] {
  const { weight } = factsOf(graph, part);
  let order = leavesDepthFirst(graph, part, (a, b) => weight.get(a)! - weight.get(b)!);
  for (let round = 0; round < ROUNDS_MAX; round++) {
    const place = new Map(order.map((id, index) => [id, index]));
    const pull = new Map<number, { sum: number; count: number }>(order.map((id) => [id, { sum: 0, count: 0 }]));
    for (const id of part.gates) {
      const below = argumentsOf(graph, id);
      const centre = below.reduce((sum, at) => sum + place.get(at)!, 0) / below.length;
      place.set(id, centre);
      for (const at of below) {
        const to = pull.get(at);
        if (to !== undefined) pull.set(at, { sum: to.sum + centre, count: to.count + 1 });
      }
    }
    const centre = (id: number): number => pull.get(id)!.sum / pull.get(id)!.count;
    const next = order.toSorted((a, b) => centre(a) - centre(b));
    if (next.every((id, index) => id === order[index])) break;
    order = next;
  }
  return order;
}

import type { Graph } from './graph.ts';
import { Making } from './making.ts';
import type { Nodes } from './nodes.ts';
import { leafOrders } from './order.ts';
import { gateAt, type Part } from './part.ts';

/** The function of a part. */
export interface Diagram extends Nodes {
  /** Never complemented: with all leaves false the function is false. */
  readonly root: number;
  /** Whether the gate is the negation of this function. */
  readonly turned: boolean;
  /** What each level stands for: ids of events and modules. */
  readonly leaves: readonly number[];
}

/** Nodes with which all orders are tried at first; each round has four times as many. */
const NODES_FIRST = 1 << 12;
/** Up to here all orders are tried; from there on the most promising one is improved while the diagram grows, then two of them are tried as they are. */
const NODES_FOR_ALL = 1 << 18;
/** Nodes that may be looked at for better orders, for each that a diagram may have. */
const SIFTING_FACTOR = 5;

/** Functions that counting gates may join, for each node that a diagram may have. */
const COUNTING_FACTOR = 4;

/**
 * The diagram of a part, by whichever order makes it with the fewest nodes under way: all are tried with few, then the most promising ones with as
 * many as may be, sifted now and then.
 *
 * @param inside the diagrams of modules inside
 * @returns undefined when none makes it with `nodesMax`
 */
export function diagramOf(graph: Graph, part: Part, inside: ReadonlyMap<number, Diagram>, nodesMax: number): Diagram | undefined {
  const { length } = part.leaves;
  // A count of k of n joins k·n functions, and has nearly as many nodes.
  if (length >= nodesMax || countingOf(graph, part) > COUNTING_FACTOR * nodesMax) return undefined;
  const orders = [...leafOrders(graph, part)];
  const first = Math.min(Math.max(NODES_FIRST, 4 * length), nodesMax);
  let tried: { order: readonly number[]; gates: number }[] = [];
  for (let budget = first; budget <= Math.min(NODES_FOR_ALL, nodesMax); budget *= 4) {
    tried = [];
    for (const order of orders) {
      const made = new Making(graph, part, inside, order, { nodesMax: budget, siftingMax: 0 }).run();
      if (typeof made !== 'number') return made;
      tried.push({ order, gates: made });
    }
  }
  const [best = orders[0]!, second = best] = tried.toSorted((one, other) => other.gates - one.gates).map(({ order }) => order);
  // Where the search for a better order takes all that it may, those that there were can still do.
  for (const [order, factor] of [
    [best, SIFTING_FACTOR],
    [best, 0],
    [second, 0],
  ] as const) {
    const made = new Making(graph, part, inside, order, { nodesMax, siftingMax: factor * nodesMax }).run();
    if (typeof made !== 'number') return made;
  }
  return undefined;
}

/** Functions that its counting gates join. */
export function countingOf(graph: Graph, { gates }: Part): number {
  return gates.reduce((sum, id) => sum + gateAt(graph, id).k * gateAt(graph, id).of.length, 0);
}

import { Bdd } from './bdd.ts';
import type { Graph } from './graph.ts';
import { NodesExhausted } from './node-table.ts';
import { leafOrders } from './order.ts';
import { gateAt, type Part } from './part.ts';

/**
 * A finished diagram, children before their parents, so that one loop over the nodes evaluates it. Edges are as in `Bdd`; node 0 is the constant
 * false.
 */
export interface Diagram {
  readonly level: Int32Array;
  readonly low: Int32Array;
  readonly high: Int32Array;
  /** Never complemented: with all leaves false the function is false. */
  readonly root: number;
  /** Whether the gate is the negation of this function. */
  readonly turned: boolean;
  /** What each level stands for: ids of events and modules. */
  readonly leaves: readonly number[];
}

/** Nodes with which orders are tried at first; each round has four times as many. */
const NODES_FIRST = 1 << 12;

/**
 * The diagram of a part, by whichever order makes it with the fewest nodes under way: all are tried with few, then with more.
 *
 * @param inside the diagrams of modules inside
 * @returns undefined when none makes it with `nodesMax`
 */
export function diagramOf(graph: Graph, part: Part, inside: ReadonlyMap<number, Diagram>, nodesMax: number): Diagram | undefined {
  const orders = leafOrders(graph, part);
  for (let budget = Math.min(NODES_FIRST, nodesMax); ; budget = Math.min(4 * budget, nodesMax)) {
    for (const order of orders) {
      const diagram = attempt(graph, part, inside, order, budget);
      if (diagram !== undefined) return diagram;
    }
    if (budget === nodesMax) return undefined;
  }
}

function attempt(
  graph: Graph,
  part: Part,
  inside: ReadonlyMap<number, Diagram>,
  leaves: readonly number[],
  nodesMax: number,
): Diagram | undefined {
  try {
    const bdd = new Bdd(nodesMax);
    return finished(bdd, edgeOf(bdd, graph, part, inside, leaves), leaves);
  } catch (error) {
    if (error instanceof NodesExhausted) return undefined;
    throw error;
  }
}

/** Garbage is looked for when there are twice as many nodes as after the last time. */
const GARBAGE_FACTOR = 2;
const NODES_WITHOUT_COLLECTION = 1 << 12;

function edgeOf(bdd: Bdd, graph: Graph, part: Part, inside: ReadonlyMap<number, Diagram>, leaves: readonly number[]): number {
  const edges = new Map(leaves.map((id, level) => [id, leafEdge(bdd, level, inside.get(id))]));
  const variables = [...edges.values()];
  const uses = new Map<number, number>();
  for (const id of part.gates) for (const literal of gateAt(graph, id).of) uses.set(literal >> 1, (uses.get(literal >> 1) ?? 0) + 1);
  let collectAt = NODES_WITHOUT_COLLECTION;
  for (const id of part.gates) {
    const { kind, k, of } = gateAt(graph, id);
    const operands = of.map((literal) => edges.get(literal >> 1)! ^ (literal & 1));
    edges.set(id, kind === 'and' ? conjunction(bdd, operands) : kind === 'atleast' ? atleast(bdd, k, operands) : parity(bdd, operands));
    for (const literal of of) {
      const left = uses.get(literal >> 1)! - 1;
      uses.set(literal >> 1, left);
      if (left === 0 && bdd.levelOf(edges.get(literal >> 1)!) < leaves.length) edges.delete(literal >> 1);
    }
    if (bdd.size > collectAt) {
      bdd.collect([...edges.values(), ...variables]);
      collectAt = Math.max(NODES_WITHOUT_COLLECTION, GARBAGE_FACTOR * bdd.size);
    }
  }
  return edges.get(part.id)!;
}

/** A module that turned out to be constant is no variable. */
function leafEdge(bdd: Bdd, level: number, module: Diagram | undefined): number {
  const turned = module?.turned === true ? 1 : 0;
  return module?.root === 0 ? turned : bdd.variable(level) ^ turned;
}

/** What lies deepest first: what comes on top of it then leaves it as it is. */
function deepestFirst(bdd: Bdd, operands: readonly number[]): number[] {
  return operands.toSorted((a, b) => bdd.levelOf(b) - bdd.levelOf(a));
}

function conjunction(bdd: Bdd, operands: readonly number[]): number {
  return deepestFirst(bdd, operands).reduce((all, operand) => bdd.and(all, operand), 1);
}

function parity(bdd: Bdd, operands: readonly number[]): number {
  return deepestFirst(bdd, operands).reduce((odd, operand) => bdd.xor(odd, operand), 0);
}

/** reached[j]: at least j of the operands so far. */
function atleast(bdd: Bdd, k: number, operands: readonly number[]): number {
  const reached = [1, ...Array.from({ length: k }, () => 0)];
  for (const operand of deepestFirst(bdd, operands))
    for (let j = k; j >= 1; j--) reached[j] = bdd.or(reached[j]!, bdd.and(operand, reached[j - 1]!));
  return reached[k]!;
}

function finished(bdd: Bdd, root: number, leaves: readonly number[]): Diagram {
  const place = new Map<number, number>([[0, 0]]);
  const nodes: number[] = [];
  const open = [root & ~1];
  for (let edge = open.at(-1); edge !== undefined; edge = open.at(-1)) {
    const below = place.has(edge) ? [] : [bdd.lowOf(edge), bdd.highOf(edge) & ~1].filter((child) => !place.has(child));
    if (below.length > 0) {
      open.push(...below);
      continue;
    }
    open.pop();
    if (place.has(edge)) continue;
    nodes.push(edge);
    place.set(edge, nodes.length << 1);
  }
  const diagram = {
    level: new Int32Array(nodes.length + 1),
    low: new Int32Array(nodes.length + 1),
    high: new Int32Array(nodes.length + 1),
    root: place.get(root & ~1)!,
    turned: (root & 1) === 1,
    leaves,
  };
  diagram.level[0] = leaves.length;
  for (const [index, edge] of nodes.entries()) {
    diagram.level[index + 1] = bdd.levelOf(edge);
    diagram.low[index + 1] = place.get(bdd.lowOf(edge))!;
    const high = bdd.highOf(edge);
    diagram.high[index + 1] = place.get(high & ~1)! | (high & 1);
  }
  return diagram;
}

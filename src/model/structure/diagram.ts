import { Bdd } from './bdd.ts';
import type { Gate, Graph } from './graph.ts';
import { gateOver, type Algebra } from './gate-over.ts';
import { CONSTANT_LEVEL, NodesExhausted } from './node-table.ts';
import { leafOrders } from './order.ts';
import { gateAt, type Part } from './part.ts';

/**
 * The nodes of a finished diagram, children before their parents, so that one loop over them evaluates it. Edges are as in `Bdd`; node 0 is the
 * constant false.
 */
export interface Nodes {
  readonly level: Int32Array;
  readonly low: Int32Array;
  readonly high: Int32Array;
  readonly root: number;
}

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
/** From this many on, only the more promising half of the orders goes on to the next round. */
const NODES_FOR_ALL = 1 << 18;

/**
 * The diagram of a part, by whichever order makes it with the fewest nodes under way: all are tried with few, then with more.
 *
 * @param inside the diagrams of modules inside
 * @returns undefined when none makes it with `nodesMax`
 */
export function diagramOf(graph: Graph, part: Part, inside: ReadonlyMap<number, Diagram>, nodesMax: number): Diagram | undefined {
  const { length } = part.leaves;
  if (length >= nodesMax) return undefined;
  let orders: Iterable<readonly number[]> = leafOrders(graph, part);
  for (let budget = Math.min(Math.max(NODES_FIRST, 4 * length), nodesMax); ; budget = Math.min(4 * budget, nodesMax)) {
    const reached: { order: readonly number[]; gates: number }[] = [];
    for (const order of orders) {
      const made = new Making(graph, part, inside, order, budget).run();
      if (typeof made !== 'number') return made;
      reached.push({ order, gates: made });
    }
    if (budget === nodesMax) return undefined;
    const promising = reached.toSorted((one, other) => other.gates - one.gates);
    orders = promising.slice(0, budget < NODES_FOR_ALL ? promising.length : Math.ceil(promising.length / 2)).map(({ order }) => order);
  }
}

/** Garbage is looked for when there are twice as many nodes as after the last time. */
const GARBAGE_FACTOR = 2;
const NODES_WITHOUT_COLLECTION = 1 << 12;

/** One attempt to make a part's diagram. */
class Making implements Algebra<number> {
  readonly yes = 1;
  readonly no = 0;
  readonly #graph: Graph;
  readonly #part: Part;
  readonly #leaves: readonly number[];
  readonly #bdd: Bdd;
  readonly #nodesMax: number;
  readonly #variables: readonly number[];
  /** Of gates that others still need, and of leaves. */
  readonly #edges: Map<number, number>;
  #collectAt = NODES_WITHOUT_COLLECTION;
  /** What the gate under way has joined so far, where it needs more than the last. */
  #under: number[] = [];
  #keepsResults = false;

  constructor(graph: Graph, part: Part, inside: ReadonlyMap<number, Diagram>, leaves: readonly number[], nodesMax: number) {
    this.#graph = graph;
    this.#part = part;
    this.#leaves = leaves;
    this.#bdd = new Bdd(nodesMax);
    this.#nodesMax = nodesMax;
    this.#variables = leaves.map((id, level) => leafEdge(this.#bdd, level, inside.get(id)));
    this.#edges = new Map(leaves.map((id, level) => [id, this.#variables[level]!]));
  }

  /** The diagram, or how many gates were done when the nodes were used up. */
  run(): Diagram | number {
    const uses = usesOf(this.#graph, this.#part);
    for (const [done, id] of this.#part.gates.entries()) {
      const edge = this.#make(gateAt(this.#graph, id));
      if (edge === undefined) return done;
      this.#edges.set(id, edge);
      for (const literal of gateAt(this.#graph, id).of) {
        const left = uses.get(literal >> 1)! - 1;
        uses.set(literal >> 1, left);
        if (left === 0) this.#edges.delete(literal >> 1);
      }
      if (this.#bdd.size > this.#collectAt) this.#collect([]);
    }
    return finished(this.#bdd, this.#edges.get(this.#part.id)!, this.#leaves);
  }

  /** Undefined when there are too few nodes, even without garbage. */
  #make(gate: Gate): number | undefined {
    this.#under = [];
    this.#keepsResults = gate.kind !== 'and';
    try {
      const operands = gate.of.map((literal) => this.#edges.get(literal >> 1)! ^ (literal & 1));
      return gateOver<number>(this, gate, operands);
    } catch (error) {
      if (error instanceof NodesExhausted) return undefined;
      throw error;
    }
  }

  and(f: number, g: number): number {
    let result: number;
    try {
      result = this.#bdd.and(f, g);
    } catch (error) {
      if (!(error instanceof NodesExhausted)) throw error;
      this.#collect([f, g, ...this.#under]);
      // With little room left it would end the same way, again and again.
      if (this.#bdd.size > this.#nodesMax / 2) throw error;
      result = this.#bdd.and(f, g);
    }
    if (this.#keepsResults) this.#under.push(result);
    return result;
  }

  or(f: number, g: number): number {
    return this.and(f ^ 1, g ^ 1) ^ 1;
  }

  xor(f: number, g: number): number {
    return this.or(this.and(f, g ^ 1), this.and(f ^ 1, g));
  }

  levelOf(edge: number): number {
    return this.#bdd.levelOf(edge);
  }

  #collect(besides: readonly number[]): void {
    this.#bdd.collect([...this.#edges.values(), ...this.#variables, ...besides]);
    this.#collectAt = Math.max(NODES_WITHOUT_COLLECTION, GARBAGE_FACTOR * this.#bdd.size);
  }
}

function usesOf(graph: Graph, part: Part): Map<number, number> {
  const uses = new Map<number, number>();
  for (const id of part.gates) for (const literal of gateAt(graph, id).of) uses.set(literal >> 1, (uses.get(literal >> 1) ?? 0) + 1);
  return uses;
}

/** A module that turned out to be constant is no variable. */
function leafEdge(bdd: Bdd, level: number, module: Diagram | undefined): number {
  const turned = module?.turned === true ? 1 : 0;
  return module?.root === 0 ? turned : bdd.variable(level) ^ turned;
}

function finished(bdd: Bdd, edge: number, leaves: readonly number[]): Diagram {
  return { ...compacted(bdd, edge & ~1), turned: (edge & 1) === 1, leaves };
}

/** What an edge reaches, numbered anew. */
export function compacted(bdd: Bdd, root: number): Nodes {
  const place = new Map<number, number>([[0, 0]]);
  const edges: number[] = [];
  const open = [root & ~1];
  for (let edge = open.at(-1); edge !== undefined; edge = open.at(-1)) {
    const below = place.has(edge) ? [] : [bdd.lowOf(edge), bdd.highOf(edge) & ~1].filter((child) => !place.has(child));
    if (below.length > 0) open.push(...below);
    else {
      open.pop();
      if (place.has(edge)) continue;
      edges.push(edge);
      place.set(edge, edges.length << 1);
    }
  }
  const placeOf = (edge: number): number => place.get(edge & ~1)! | (edge & 1);
  return {
    level: Int32Array.from([CONSTANT_LEVEL, ...edges.map((edge) => bdd.levelOf(edge))]),
    low: Int32Array.from([0, ...edges.map((edge) => placeOf(bdd.lowOf(edge)))]),
    high: Int32Array.from([0, ...edges.map((edge) => placeOf(bdd.highOf(edge)))]),
    root: placeOf(root),
  };
}

/** The edge of a finished diagram among the nodes of another. */
export function copied(bdd: Bdd, { level, low, high, root }: Nodes): number {
  const edges = new Int32Array(level.length);
  const edgeOf = (edge: number): number => edges[edge >> 1]! ^ (edge & 1);
  for (let at = 1; at < level.length; at++) edges[at] = bdd.node(level[at]!, edgeOf(low[at]!), edgeOf(high[at]!));
  return edgeOf(root);
}

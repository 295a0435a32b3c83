import { Bdd } from './bdd.ts';
import type { Diagram } from './diagram.ts';
import { gateOver, type Algebra } from './gate-over.ts';
import type { Gate, Graph } from './graph.ts';
import { NodesExhausted } from './node-table.ts';
import { compacted, forestOf, planted } from './nodes.ts';
import { gateAt, type Part } from './part.ts';
import { sifted } from './sift.ts';

/** Garbage is looked for when there are twice as many nodes as after the last time. */
const GARBAGE_FACTOR = 2;
const NODES_WITHOUT_COLLECTION = 1 << 12;
export interface MakingLimits {
  readonly nodesMax: number;
  /** Nodes that may be looked at for a better order; 0: the order stays as it is. */
  readonly siftingMax: number;
  /** From so many nodes on one is looked for, and again when they have doubled. Default 65,536. */
  readonly siftFrom?: number;
}

const NODES_WITHOUT_SIFTING = 1 << 16;

/** One attempt to make a part's diagram. */
export class Making implements Algebra<number> {
  readonly yes = 1;
  readonly no = 0;
  readonly #graph: Graph;
  readonly #part: Part;
  readonly #limits: MakingLimits;
  #leaves: readonly number[];
  #bdd: Bdd;
  #variables: readonly number[];
  /** Of gates that others still need, and of leaves. */
  #edges: Map<number, number>;
  #collectAt = NODES_WITHOUT_COLLECTION;
  #siftAt: number;
  #sifting = 0;
  /** What the gate under way has joined so far, where it needs more than the last. */
  #under: number[] = [];
  #keepsResults = false;

  constructor(graph: Graph, part: Part, inside: ReadonlyMap<number, Diagram>, leaves: readonly number[], limits: MakingLimits) {
    this.#graph = graph;
    this.#part = part;
    this.#leaves = leaves;
    this.#limits = limits;
    this.#siftAt = limits.siftFrom ?? NODES_WITHOUT_SIFTING;
    this.#bdd = new Bdd(limits.nodesMax);
    this.#variables = leaves.map((id, level) => leafEdge(this.#bdd, level, inside.get(id)));
    this.#edges = new Map(leaves.map((id, level) => [id, this.#variables[level]!]));
  }

  /** The diagram, or how many gates were done when the nodes were used up. */
  run(): Diagram | number {
    const uses = usesOf(this.#graph, this.#part);
    for (const [done, id] of this.#part.gates.entries()) {
      const gate = gateAt(this.#graph, id);
      const edge = this.#make(gate) ?? (this.#sift() ? this.#make(gate) : undefined);
      if (edge === undefined) return done;
      this.#edges.set(id, edge);
      for (const literal of gate.of) {
        const left = uses.get(literal >> 1)! - 1;
        uses.set(literal >> 1, left);
        if (left === 0) this.#edges.delete(literal >> 1);
      }
      if (this.#bdd.size > this.#collectAt) this.#collect([]);
      if (this.#bdd.size > this.#siftAt) this.#sift();
    }
    const edge = this.#edges.get(this.#part.id)!;
    return { ...compacted(this.#bdd, edge & ~1), turned: (edge & 1) === 1, leaves: this.#leaves };
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
      if (this.#bdd.size > this.#limits.nodesMax / 2) throw error;
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

  /** Another order, where it may be looked for and saves a tenth of the nodes or more: whether it did. Between two gates only. */
  #sift(): boolean {
    if (this.#sifting >= this.#limits.siftingMax) return false;
    const keys = [...this.#edges.keys()];
    const before = forestOf(this.#bdd, [...this.#edges.values(), ...this.#variables]);
    const { order, forest, work } = sifted(before, this.#leaves.length, this.#limits.siftingMax - this.#sifting);
    this.#sifting += work;
    this.#siftAt = 2 * forest.level.length;
    this.#bdd = new Bdd(this.#limits.nodesMax);
    const edges = planted(this.#bdd, forest);
    this.#edges = new Map(keys.map((key, index) => [key, edges[index]!]));
    this.#variables = edges.slice(keys.length);
    this.#leaves = order.map((level) => this.#leaves[level]!);
    this.#collectAt = Math.max(NODES_WITHOUT_COLLECTION, GARBAGE_FACTOR * this.#bdd.size);
    return forest.level.length < 0.9 * before.level.length;
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

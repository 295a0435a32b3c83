import type { Algebra } from './gate-over.ts';
import { grown, NodeTable, PairCache, PENDING } from './node-table.ts';

/**
 * Reduced ordered binary decision diagrams with complement edges.
 *
 * An *edge* is `2·node`, plus 1 when it is complemented; node 0 is the constant false, so edge 0 is false and edge 1 is true. A node (level, low,
 * high) is `high` where the variable of its level is true, else `low`; smaller levels stand above greater ones. `low` is never complemented, which
 * makes the diagram of a function unique. Nothing recurses: diagrams may be as deep as there are variables.
 *
 * Sources: Bryant: Graph-based algorithms for Boolean function manipulation, IEEE Trans. Computers C-35 (1986); Brace, Rudell, Bryant: Efficient
 * implementation of a BDD package, DAC 1990.
 */
export class Bdd implements Algebra<number> {
  readonly yes = 1;
  readonly no = 0;
  readonly #nodes: NodeTable;
  readonly #ands = new PairCache();
  #cachedFor = 0;
  /** Frames of `and` under way: first operand, second, the low side's result or PENDING. */
  #stack = new Int32Array(3 * 256);

  /** @param nodesMax more nodes than this at once throw `NodesExhausted` */
  constructor(nodesMax: number) {
    this.#nodes = new NodeTable(1, nodesMax);
  }

  /** Nodes that exist now, used or not. */
  get size(): number {
    return this.#nodes.size;
  }

  levelOf(edge: number): number {
    return this.#nodes.level(edge >> 1);
  }

  lowOf(edge: number): number {
    return this.#nodes.low(edge >> 1) ^ (edge & 1);
  }

  highOf(edge: number): number {
    return this.#nodes.high(edge >> 1) ^ (edge & 1);
  }

  variable(level: number): number {
    return this.node(level, 0, 1);
  }

  /** Both children are of greater levels. */
  node(level: number, low: number, high: number): number {
    if (low === high) return low;
    const sign = low & 1;
    return (this.#nodes.node(level, low ^ sign, high ^ sign) << 1) | sign;
  }

  or(f: number, g: number): number {
    return this.and(f ^ 1, g ^ 1) ^ 1;
  }

  xor(f: number, g: number): number {
    return this.or(this.and(f, g ^ 1), this.and(f ^ 1, g));
  }

  and(left: number, right: number): number {
    if (this.#cachedFor !== this.#nodes.capacity) this.#forget();
    let depth = 0;
    let f = left;
    let g = right;
    for (;;) {
      let result = this.#andKnown(f, g);
      if (result === PENDING) {
        if (3 * depth === this.#stack.length) this.#stack = grown(this.#stack);
        const frame = 3 * depth++;
        this.#stack[frame] = f;
        this.#stack[frame + 1] = g;
        this.#stack[frame + 2] = PENDING;
        const level = Math.min(this.levelOf(f), this.levelOf(g));
        if (this.levelOf(f) === level) f = this.lowOf(f);
        if (this.levelOf(g) === level) g = this.lowOf(g);
        continue;
      }
      // Hand the result up to a frame that has not seen its high side.
      for (; ; depth--) {
        if (depth === 0) return result;
        const frame = 3 * (depth - 1);
        f = this.#stack[frame]!;
        g = this.#stack[frame + 1]!;
        const low = this.#stack[frame + 2]!;
        const level = Math.min(this.levelOf(f), this.levelOf(g));
        if (low === PENDING) {
          this.#stack[frame + 2] = result;
          if (this.levelOf(f) === level) f = this.highOf(f);
          if (this.levelOf(g) === level) g = this.highOf(g);
          break;
        }
        result = this.node(level, low, result);
        this.#ands.set(Math.min(f, g), Math.max(f, g), result);
      }
    }
  }

  #andKnown(f: number, g: number): number {
    if (f === g || g === 1) return f;
    if (f === 1) return g;
    if (f === 0 || g === 0 || f === (g ^ 1)) return 0;
    return this.#ands.get(Math.min(f, g), Math.max(f, g));
  }

  /** Forgets all nodes but those that `roots` reach. */
  collect(roots: Iterable<number>): void {
    this.#nodes.collect(roots, (edge) => edge >> 1);
    this.#forget();
  }

  #forget(): void {
    this.#cachedFor = this.#nodes.capacity;
    this.#ands.clear(this.#cachedFor);
  }
}

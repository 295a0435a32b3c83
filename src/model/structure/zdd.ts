import { NodeTable, PairCache, PENDING } from './node-table.ts';

/** The family without a set, and the family of the empty set alone. */
export const NONE = 0;
export const UNIT = 1;

/**
 * Families of sets as zero-suppressed decision diagrams. A family is a number: a node (level, low, high) holds the sets of `low`, and those of
 * `high` with the element of its level added; smaller levels stand above greater ones.
 *
 * Sources: Minato: Zero-suppressed BDDs for set manipulation in combinatorial problems, DAC 1993; Rauzy: New algorithms for fault trees analysis,
 * Reliability Engineering and System Safety 40 (1993).
 */
export class Zdd {
  readonly #nodes: NodeTable;
  readonly #without = new PairCache();
  #cachedFor = 0;

  /** @param nodesMax more nodes than this throw `NodesExhausted` */
  constructor(nodesMax: number) {
    this.#nodes = new NodeTable(2, nodesMax);
  }

  get size(): number {
    return this.#nodes.size;
  }

  level(family: number): number {
    return this.#nodes.level(family);
  }

  low(family: number): number {
    return this.#nodes.low(family);
  }

  high(family: number): number {
    return this.#nodes.high(family);
  }

  node(level: number, low: number, high: number): number {
    return high === NONE ? low : this.#nodes.node(level, low, high);
  }

  /** The sets of `f` that include no set of `g`; in neither does one set include another. */
  without(f: number, g: number): number {
    if (this.#cachedFor !== this.#nodes.capacity) {
      this.#cachedFor = this.#nodes.capacity;
      this.#without.clear(this.#cachedFor);
    }
    const frames: Frame[] = [];
    let next: Pair = [f, g];
    for (;;) {
      let result = this.#known(...next);
      if (result === PENDING) {
        const [a, b] = this.#skipped(...next);
        frames.push({ f: a, g: b, step: 0, low: 0 });
        result = this.#known(a, b);
        if (result === PENDING) {
          next = [this.low(a), this.level(a) === this.level(b) ? this.low(b) : b];
          continue;
        }
        frames.pop();
      }
      const asked = this.#handUp(frames, result);
      if (typeof asked === 'number') return asked;
      next = asked;
    }
  }

  /** What is still to be known, or the answer of the last frame. */
  #handUp(frames: Frame[], found: number): Pair | number {
    let result = found;
    for (let frame = frames.at(-1); frame !== undefined; frame = frames.at(-1)) {
      const { f, g } = frame;
      const same = this.level(f) === this.level(g);
      frame.step++;
      if (frame.step === 1) {
        frame.low = result;
        return [this.high(f), same ? this.low(g) : g];
      }
      // Sets with the element may include sets of `g` with it, too.
      if (frame.step === 2 && same) return [result, this.high(g)];
      result = this.node(this.level(f), frame.low, result);
      this.#without.set(f, g, result);
      frames.pop();
    }
    return result;
  }

  /** Sets of `g` with an element above all of `f` are included in none of `f`. */
  #skipped(f: number, g: number): Pair {
    let rest = g;
    while (this.level(rest) < this.level(f)) rest = this.low(rest);
    return [f, rest];
  }

  #known(f: number, g: number): number {
    if (f === NONE || g === UNIT || f === g) return NONE;
    if (g === NONE) return f;
    // Only the family of the empty set alone holds the empty set: it would be included in any other set.
    if (f === UNIT) return UNIT;
    return this.#without.get(f, g);
  }

  /** All nodes of a family but the constants, children before their parents. */
  nodesOf(family: number): number[] {
    const done = new Set<number>([NONE, UNIT]);
    const list: number[] = [];
    const open = [family];
    for (let at = open.at(-1); at !== undefined; at = open.at(-1)) {
      const below = done.has(at) ? [] : [this.low(at), this.high(at)].filter((child) => !done.has(child));
      if (below.length > 0) open.push(...below);
      else {
        open.pop();
        if (done.has(at)) continue;
        done.add(at);
        list.push(at);
      }
    }
    return list;
  }
}

type Pair = [number, number];

/** A difference under way. */
interface Frame {
  readonly f: number;
  readonly g: number;
  step: number;
  low: number;
}

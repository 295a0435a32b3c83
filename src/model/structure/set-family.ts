import { Heap } from './heap.ts';
import { NONE, UNIT, type Zdd } from './zdd.ts';

/** An event, or in prime implicants of non-coherent structures its absence. */
export interface Literal {
  /** Index in `compiled.events`. */
  readonly event: number;
  readonly negated: boolean;
}

/** One set, by its literals, with what it weighs. */
export interface WeighedSet {
  readonly literals: readonly Literal[];
  readonly weight: number;
}

/** Sets of literals, perhaps more than could ever be listed: what is asked of them is computed from their diagram. */
export class SetFamily {
  readonly #zdd: Zdd;
  readonly #family: number;
  /** By level. */
  readonly #literals: readonly Literal[];
  /** Children before parents. */
  readonly #nodes: readonly number[];

  constructor(zdd: Zdd, family: number, literals: readonly Literal[]) {
    this.#zdd = zdd;
    this.#family = family;
    this.#literals = literals;
    this.#nodes = zdd.nodesOf(family);
  }

  /** How many sets there are. */
  count(): bigint {
    return this.#fold(0n, 1n, (_, low, high) => low + high);
  }

  /** How many sets of each size there are, by size. */
  countBySize(): bigint[] {
    return this.#fold<bigint[]>([], [1n], (_, low, high) =>
      Array.from({ length: Math.max(low.length, high.length + 1) }, (__, size) => (low[size] ?? 0n) + (high[size - 1] ?? 0n)),
    );
  }

  /** The sum over all sets of the product of what their literals weigh. */
  sumOfProducts(weight: (literal: Literal) => number): number {
    const weights = this.#literals.map(weight);
    return this.#fold(0, 1, (level, low, high) => low + weights[level]! * high);
  }

  /** That sum, over those sets only that hold the event: by event. */
  sumsOfProductsByEvent(weight: (literal: Literal) => number): Map<number, number> {
    const weights = this.#literals.map(weight);
    const below = new Map<number, number>([
      [NONE, 0],
      [UNIT, 1],
    ]);
    for (const at of this.#nodes)
      below.set(at, below.get(this.#zdd.low(at))! + weights[this.#zdd.level(at)]! * below.get(this.#zdd.high(at))!);
    const above = new Map<number, number>([[this.#family, 1]]);
    const sums = new Map<number, number>();
    const send = (to: number, amount: number): void => void above.set(to, (above.get(to) ?? 0) + amount);
    for (const at of this.#nodes.toReversed()) {
      const level = this.#zdd.level(at);
      const taken = above.get(at)! * weights[level]!;
      const { event } = this.#literals[level]!;
      sums.set(event, (sums.get(event) ?? 0) + taken * below.get(this.#zdd.high(at))!);
      send(this.#zdd.high(at), taken);
      send(this.#zdd.low(at), above.get(at)!);
    }
    return sums;
  }

  /**
   * One set after the other, those with the least sum of `cost` first: lazily, so that a few of very many cost little.
   * @param cost 0 or more
   */
  *cheapestFirst(cost: (literal: Literal) => number): Generator<WeighedSet> {
    const costs = this.#literals.map(cost);
    const zdd = this.#zdd;
    const rest = new Map<number, number>([
      [NONE, Infinity],
      [UNIT, 0],
    ]);
    for (const at of this.#nodes) rest.set(at, Math.min(rest.get(zdd.low(at))!, costs[zdd.level(at)]! + rest.get(zdd.high(at))!));
    const open = new Heap<Partial>((a, b) => a.least < b.least);
    const offer = (at: number, spent: number, taken: Taken | undefined): void => {
      if (at !== NONE) open.push({ at, spent, taken, least: spent + rest.get(at)! });
    };
    offer(this.#family, 0, undefined);
    for (let next = open.pop(); next !== undefined; next = open.pop()) {
      const { at, spent, taken } = next;
      if (at === UNIT) yield { literals: this.#listed(taken), weight: spent };
      else {
        const level = zdd.level(at);
        offer(zdd.low(at), spent, taken);
        offer(zdd.high(at), spent + costs[level]!, { level, before: taken });
      }
    }
  }

  #listed(taken: Taken | undefined): Literal[] {
    const literals: Literal[] = [];
    for (let at = taken; at !== undefined; at = at.before) literals.push(this.#literals[at.level]!);
    return literals.toSorted((a, b) => a.event - b.event);
  }

  #fold<T>(none: T, unit: T, combine: (level: number, low: T, high: T) => T): T {
    const done = new Map<number, T>([
      [NONE, none],
      [UNIT, unit],
    ]);
    for (const at of this.#nodes) done.set(at, combine(this.#zdd.level(at), done.get(this.#zdd.low(at))!, done.get(this.#zdd.high(at))!));
    return done.get(this.#family)!;
  }
}

/** Levels taken on the way to a node, the latest first: shared between ways. */
interface Taken {
  readonly level: number;
  readonly before: Taken | undefined;
}

interface Partial {
  readonly at: number;
  readonly spent: number;
  readonly taken: Taken | undefined;
  /** What any set from here costs at least. */
  readonly least: number;
}

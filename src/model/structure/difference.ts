import type { Diagram } from './diagram.ts';
import type { Probability } from './probability.ts';
import type { NodeValues } from './quantify.ts';

/** What a node's variable turns: the probability that the function is true with it only, and without it only. */
interface Difference {
  readonly up: number;
  readonly down: number;
}

/** Pairs of nodes that are compared at most; beyond, differences are plain subtractions. */
const PAIRS_MAX = 2_000_000;
/** Relative error that a subtraction may have. */
const LOSS_MAX = 1e-12;
/** Keys of pairs are exact in a double while edges are below this. */
const EDGES_MAX = 2 ** 26;

/**
 * P(high and not low) and P(low and not high) of nodes: what remains of P(high) − P(low) where the two are nearly the same. Where a function only
 * rises with its variables and little cancels, the subtraction will do; else pairs of nodes are followed down together.
 */
export class Differences {
  readonly #diagram: Diagram;
  readonly #leaves: readonly Probability[];
  readonly #values: NodeValues;
  readonly #rising: boolean;
  readonly #known = new Map<number, number>();

  constructor(diagram: Diagram, rising: boolean, leaves: readonly Probability[], values: NodeValues) {
    this.#diagram = diagram;
    this.#leaves = leaves;
    this.#values = values;
    this.#rising = rising;
  }

  of(node: number): Difference {
    const { low, high } = this.#diagram;
    const plain = this.#subtracted(low[node]!, high[node]!);
    if (this.#rising && plain.loss <= LOSS_MAX) return { up: Math.max(0, plain.up), down: 0 };
    const up = this.#without(high[node]!, low[node]!);
    const down = this.#rising ? 0 : this.#without(low[node]!, high[node]!);
    if (up === undefined || down === undefined) return { up: Math.max(0, plain.up), down: Math.max(0, -plain.up) };
    return { up, down };
  }

  /** By the side on which less cancels. */
  #subtracted(low: number, high: number): { up: number; loss: number } {
    const [yesHigh, yesLow] = [this.#yes(high), this.#yes(low)];
    const [noHigh, noLow] = [this.#yes(high ^ 1), this.#yes(low ^ 1)];
    const [up, size] = Math.max(yesHigh, yesLow) < Math.max(noLow, noHigh) ? [yesHigh - yesLow, yesHigh] : [noLow - noHigh, noLow];
    return { up, loss: up === 0 ? Infinity : (size * Number.EPSILON) / Math.abs(up) };
  }

  #yes(edge: number): number {
    return (edge & 1) === 0 ? this.#values.yes[edge >> 1]! : this.#values.no[edge >> 1]!;
  }

  /** P(f and not g); undefined when there are too many pairs. */
  #without(f: number, g: number): number | undefined {
    const open: (readonly [number, number])[] = [[f, g]];
    for (let next = open.at(-1); next !== undefined; next = open.at(-1)) {
      if (this.#lookUp(...next) !== undefined) {
        open.pop();
        continue;
      }
      if (this.#known.size >= PAIRS_MAX) return undefined;
      const { level, below, above } = this.#split(...next);
      const [low, high] = [this.#lookUp(...below), this.#lookUp(...above)];
      if (low === undefined) open.push(below);
      if (high === undefined) open.push(above);
      if (low === undefined || high === undefined) continue;
      const { q, a } = this.#leaves[level]!;
      this.#known.set(keyOf(...next), a * low + q * high);
      open.pop();
    }
    return this.#lookUp(f, g);
  }

  #lookUp(f: number, g: number): number | undefined {
    if (f === g || f === 0 || g === 1) return 0;
    if (g === 0) return this.#yes(f);
    if (f === 1 || f === (g ^ 1)) return this.#yes(g ^ 1);
    return this.#known.get(keyOf(f, g));
  }

  #split(f: number, g: number): { level: number; below: [number, number]; above: [number, number] } {
    const { level, low, high } = this.#diagram;
    const at = Math.min(level[f >> 1]!, level[g >> 1]!);
    const child = (side: Int32Array, edge: number): number => (level[edge >> 1] === at ? side[edge >> 1]! ^ (edge & 1) : edge);
    return { level: at, below: [child(low, f), child(low, g)], above: [child(high, f), child(high, g)] };
  }
}

function keyOf(f: number, g: number): number {
  return f * EDGES_MAX + g;
}

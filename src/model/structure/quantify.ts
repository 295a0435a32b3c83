import type { Diagram } from './diagram.ts';
import type { Nodes } from './nodes.ts';
import { Differences } from './difference.ts';
import type { Probability } from './probability.ts';
import { RangeSums } from './range-sums.ts';

/** By node: the probabilities that its function is true and that it is false, each a sum of products without subtraction. */
export interface NodeValues {
  readonly yes: Float64Array;
  readonly no: Float64Array;
}

/** @param leaves by level */
export function nodeValues({ level, low, high }: Nodes, leaves: readonly Probability[]): NodeValues {
  const yes = new Float64Array(level.length);
  const no = new Float64Array(level.length);
  no[0] = 1;
  for (let at = 1; at < level.length; at++) {
    const { q, a } = leaves[level[at]!]!;
    const below = low[at]! >> 1;
    const above = high[at]! >> 1;
    const turned = (high[at]! & 1) === 1;
    yes[at] = a * yes[below]! + q * (turned ? no[above]! : yes[above]!);
    no[at] = a * no[below]! + q * (turned ? yes[above]! : no[above]!);
  }
  return { yes, no };
}

/** The probability that the function of an edge is true (q), and that it is not (a). */
export function valueOf({ yes, no }: NodeValues, edge: number): Probability {
  const at = edge >> 1;
  return (edge & 1) === 0 ? { q: yes[at]!, a: no[at]! } : { q: no[at]!, a: yes[at]! };
}

/** What a leaf means to the function it is in. */
export interface Influence {
  /** Of the function, given that the leaf is true, and given that it is false. */
  readonly ifTrue: Probability;
  readonly ifFalse: Probability;
  /** Probability that the function turns true with the leaf, and that it turns false with it. Their difference is Birnbaum's measure. */
  readonly raises: number;
  readonly lowers: number;
}

/**
 * Of every level, from two passes over the diagram. Everything is a sum of non-negative products, so that parts of next to no influence keep their
 * digits as well; differences that would cancel are computed by `Differences`.
 * Source: Dutuit, Rauzy: Efficient algorithms to assess component and gate importance in fault tree analysis, Reliability Engineering and System
 * Safety 72 (2001), with sums over crossing edges in the place of subtractions.
 */
export function influences(diagram: Diagram, rising: boolean, leaves: readonly Probability[], values: NodeValues): Influence[] {
  const { level, low, high, root } = diagram;
  const count = leaves.length;
  const differences = new Differences(diagram, rising, leaves, values);
  // Mass of the paths to each node, by whether the function is that of the node or its negation there.
  const plain = new Float64Array(level.length);
  const turned = new Float64Array(level.length);
  // What passes each level by, with the function true and false in the end.
  const passingTrue = new RangeSums(count);
  const passingFalse = new RangeSums(count);
  const send = (edge: number, from: number, massPlain: number, massTurned: number): void => {
    const at = edge >> 1;
    const flip = (edge & 1) === 1;
    const p = flip ? massTurned : massPlain;
    const t = flip ? massPlain : massTurned;
    plain[at]! += p;
    turned[at]! += t;
    const to = at === 0 ? count : level[at]!;
    passingTrue.add(from + 1, to, p * values.yes[at]! + t * values.no[at]!);
    passingFalse.add(from + 1, to, p * values.no[at]! + t * values.yes[at]!);
  };
  const given = {
    trueTrue: new Float64Array(count),
    trueFalse: new Float64Array(count),
    falseTrue: new Float64Array(count),
    falseFalse: new Float64Array(count),
  };
  const raises = new Float64Array(count);
  const lowers = new Float64Array(count);
  send(root, -1, 1, 0);
  for (let at = level.length - 1; at > 0; at--) {
    const here = level[at]!;
    const p = plain[at]!;
    const t = turned[at]!;
    const above = valueOf(values, high[at]!);
    const below = valueOf(values, low[at]!);
    given.trueTrue[here]! += p * above.q + t * above.a;
    given.trueFalse[here]! += p * above.a + t * above.q;
    given.falseTrue[here]! += p * below.q + t * below.a;
    given.falseFalse[here]! += p * below.a + t * below.q;
    const { up, down } = differences.of(at);
    raises[here]! += p * up + t * down;
    lowers[here]! += p * down + t * up;
    const { q, a } = leaves[here]!;
    send(high[at]!, here, p * q, t * q);
    send(low[at]!, here, p * a, t * a);
  }
  return leaves.map((_, at) => {
    const byTrue = passingTrue.at(at);
    const byFalse = passingFalse.at(at);
    return {
      ifTrue: { q: given.trueTrue[at]! + byTrue, a: given.trueFalse[at]! + byFalse },
      ifFalse: { q: given.falseTrue[at]! + byTrue, a: given.falseFalse[at]! + byFalse },
      raises: raises[at]!,
      lowers: lowers[at]!,
    };
  });
}

import type { Bdd } from './bdd.ts';
import { CONSTANT_LEVEL } from './node-table.ts';

/** Nodes below several roots, children before their parents, so that one loop over them evaluates all. Edges are as in `Bdd`; node 0 is the constant false. */
export interface Forest {
  readonly level: Int32Array;
  readonly low: Int32Array;
  readonly high: Int32Array;
  readonly roots: readonly number[];
}

/** The nodes of one finished diagram. */
export interface Nodes extends Omit<Forest, 'roots'> {
  readonly root: number;
}

/** What edges reach, numbered anew. */
export function forestOf(bdd: Bdd, roots: readonly number[]): Forest {
  const place = new Map<number, number>([[0, 0]]);
  const edges: number[] = [];
  const open = roots.map((root) => root & ~1);
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
    roots: roots.map(placeOf),
  };
}

export function compacted(bdd: Bdd, root: number): Nodes {
  const { roots, ...nodes } = forestOf(bdd, [root]);
  return { ...nodes, root: roots[0]! };
}

/** The edges of roots among the nodes of another diagram. */
export function planted(bdd: Bdd, { level, low, high, roots }: Forest): number[] {
  const edges = new Int32Array(level.length);
  const edgeOf = (edge: number): number => edges[edge >> 1]! ^ (edge & 1);
  for (let at = 1; at < level.length; at++) edges[at] = bdd.node(level[at]!, edgeOf(low[at]!), edgeOf(high[at]!));
  return roots.map(edgeOf);
}

/** The edge of a finished diagram among the nodes of another. */
export function copied(bdd: Bdd, { root, ...nodes }: Nodes): number {
  return planted(bdd, { ...nodes, roots: [root] })[0]!;
}

import type { Compiled } from './compile.ts';
import type { Diagram } from './diagram.ts';
import { gatesBelow } from './graph.ts';
import { gateAt } from './part.ts';

/** Pairs of nodes that are compared at most; where they do not suffice, a diagram counts as one that may fall. */
const PAIRS_MAX = 1_000_000;
const EDGES_MAX = 2 ** 26;

/**
 * Whether a diagram's function only rises with its variables: that of a coherent system. Low sides must imply high sides, everywhere.
 */
export function isRising({ level, low, high }: Diagram): boolean {
  // In a rising function that is false without its variables, so are all parts of it, and nothing is complemented but the constant.
  if (high.some((edge) => (edge & 1) === 1 && edge !== 1)) return false;
  const implied = new Set<number>();
  const open: [number, number][] = [];
  const ask = (f: number, g: number): boolean => {
    if (f === g || f === 0 || g === 1) return true;
    if (g === 0 || f === 1) return false;
    const key = f * EDGES_MAX + g;
    if (!implied.has(key)) {
      implied.add(key);
      open.push([f, g]);
    }
    return true;
  };
  for (let at = 1; at < level.length; at++) if (!ask(low[at]!, high[at]!)) return false;
  for (let pair = open.pop(); pair !== undefined; pair = open.pop()) {
    const [f, g] = pair;
    const at = Math.min(level[f >> 1]!, level[g >> 1]!);
    const child = (side: Int32Array, edge: number): number => (level[edge >> 1] === at ? side[edge >> 1]! : edge);
    if (!ask(child(low, f), child(low, g)) || !ask(child(high, f), child(high, g)) || implied.size > PAIRS_MAX) return false;
  }
  return true;
}

/** Whether no event stands under a negation: then the structure is coherent, and so is every module of it. Not the other way round. */
export function isWithoutNegation({ graph, top }: Pick<Compiled, 'graph' | 'top'>): boolean {
  // By gate: met without negation 1, with 2.
  const met = new Uint8Array(graph.variables + graph.gates.length + 1);
  meet(met, top);
  for (const id of gatesBelow(graph, top).toReversed()) {
    const { kind, of } = gateAt(graph, id);
    const ways = met[id]!;
    for (const literal of of) {
      if ((ways & 1) === 1 || kind === 'parity') meet(met, literal);
      if ((ways & 2) === 2 || kind === 'parity') meet(met, literal ^ 1);
    }
  }
  return met.subarray(1, graph.variables + 1).every((ways) => (ways & 2) === 0);
}

function meet(met: Uint8Array, literal: number): void {
  met[literal >> 1]! |= (literal & 1) === 0 ? 1 : 2;
}

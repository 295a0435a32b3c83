import { gatesBelow, type Graph } from './graph.ts';

/**
 * The gates that share nothing with the rest of a function: each can be solved alone, and is one event to what is above it.
 * Source: Dutuit, Rauzy: A linear-time algorithm to find modules of fault trees, IEEE Trans. Reliability 45 (1996).
 *
 * @returns ids of the modules below `top`, those inside before those around; the last is `top`'s own gate
 */
export function modulesOf(graph: Graph, top: number): number[] {
  const visits = visitAll(graph, top);
  const { first, left, last } = visits;
  const ids = gatesBelow(graph, top);
  // The earliest and latest visit of anything below a gate, by ids: arguments before gates.
  const earliest = first.slice();
  const latest = last.slice();
  const modules: number[] = [];
  for (const id of ids) {
    let from = Infinity;
    let to = 0;
    for (const literal of graph.gates[id - graph.variables - 1]!.of) {
      from = Math.min(from, earliest[literal >> 1]!);
      to = Math.max(to, latest[literal >> 1]!);
    }
    if (from > first[id]! && to < left[id]!) modules.push(id);
    earliest[id] = Math.min(from, first[id]!);
    latest[id] = Math.max(to, last[id]!);
  }
  return modules;
}

interface Visits {
  /** When a node was first come to, when it was left after its arguments, and when it was last come to. */
  readonly first: Float64Array;
  readonly left: Float64Array;
  readonly last: Float64Array;
}

/** Depth first from the top; arguments of a gate are visited the first time only. */
function visitAll(graph: Graph, top: number): Visits {
  const size = graph.variables + graph.gates.length + 1;
  const visits = { first: new Float64Array(size), left: new Float64Array(size), last: new Float64Array(size) };
  let date = 0;
  const open: { id: number; of: readonly number[]; next: number }[] = [];
  const come = (id: number): void => {
    visits.last[id] = ++date;
    if (visits.first[id] !== 0) return;
    visits.first[id] = date;
    const gate = graph.gates[id - graph.variables - 1];
    if (gate === undefined) visits.left[id] = date;
    else open.push({ id, of: gate.of, next: 0 });
  };
  come(top >> 1);
  for (let visit = open.at(-1); visit !== undefined; visit = open.at(-1)) {
    const literal = visit.of[visit.next++];
    if (literal !== undefined) come(literal >> 1);
    else {
      visits.left[visit.id] = ++date;
      visits.last[visit.id] = date;
      open.pop();
    }
  }
  return visits;
}

import type { Gate, Graph } from './graph.ts';
import { modulesOf } from './modules.ts';

/** A module by itself: its gates, and what it depends on, which are events and modules inside of it. */
export interface Part {
  /** Id of its own gate. */
  readonly id: number;
  /** Ids of its gates, arguments before what has them; the last is `id`. */
  readonly gates: readonly number[];
  /** Ids of events and inner modules. */
  readonly leaves: readonly number[];
}

/** Every module below `top`, inner ones first. Empty when `top` is a constant or an event. */
export function partsOf(graph: Graph, top: number): Part[] {
  if (graph.gateOf(top) === undefined) return [];
  const modules = modulesOf(graph, top);
  const isModule = new Set(modules);
  return modules.map((id) => partOf(graph, id, isModule));
}

function partOf(graph: Graph, id: number, isModule: ReadonlySet<number>): Part {
  const seen = new Set([id]);
  const gates: number[] = [];
  const leaves: number[] = [];
  const open = [id];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    gates.push(next);
    for (const literal of gateAt(graph, next).of) {
      const below = literal >> 1;
      if (seen.has(below)) continue;
      seen.add(below);
      if (below <= graph.variables || isModule.has(below)) leaves.push(below);
      else open.push(below);
    }
  }
  return { id, gates: gates.toSorted((a, b) => a - b), leaves };
}

export function gateAt(graph: Graph, id: number): Gate {
  return graph.gates[id - graph.variables - 1]!;
}

/** All below a gate as one part, but for the modules that are named. */
export function partAround(graph: Graph, top: number, modules: ReadonlySet<number>): Part {
  return partOf(graph, top >> 1, modules);
}

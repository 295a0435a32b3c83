import { Bdd } from './bdd.ts';
import { diagramOf } from './diagram.ts';
import { copied } from './nodes.ts';
import { NodesExhausted } from './node-table.ts';
import { partAround } from './part.ts';
import { SetFamily } from './set-family.ts';
import type { SolvedStructure } from './solve.ts';
import { NONE, UNIT, Zdd } from './zdd.ts';

/**
 * Prime implicants of the system's failure: the sets of events and of absences of events that fail it, none of which can be left out.
 *
 * With f₀ and f₁ the function without and with its first variable x: the primes of f₀·f₁ need no x; those of f₁ that are not among them need x,
 * those of f₀ its absence. Done for the structure as a whole, without modules.
 * Source: Coudert, Madre: Fault tree analysis: 10²⁰ prime implicants and beyond, Annual Reliability and Maintainability Symposium 1993.
 * @throws NodesExhausted
 */
export function primeImplicantsOf({ compiled }: SolvedStructure, nodesMax: number): SetFamily {
  const { graph, top } = compiled;
  const zdd = new Zdd(nodesMax);
  if (top <= 1) return new SetFamily(zdd, top === 1 ? UNIT : NONE, []);
  const gate = graph.gateOf(top);
  const event = (top >> 1) - 1;
  if (gate === undefined) return new SetFamily(zdd, zdd.node(0, NONE, UNIT), [{ event, negated: (top & 1) === 1 }]);
  const diagram = diagramOf(graph, partAround(graph, top, new Set()), new Map(), nodesMax);
  if (diagram === undefined) throw new NodesExhausted(nodesMax);
  const bdd = new Bdd(nodesMax);
  const root = copied(bdd, diagram) ^ ((top & 1) ^ (diagram.turned ? 1 : 0));
  const literals = diagram.leaves.flatMap((id) => [false, true].map((negated) => ({ event: id - 1, negated })));
  return new SetFamily(zdd, primes(bdd, zdd, root), literals);
}

/** Level `2·l` of the family is the variable of level l, `2·l + 1` its absence. */
function primes(bdd: Bdd, zdd: Zdd, root: number): number {
  const done = new Map<number, number>([
    [0, NONE],
    [1, UNIT],
  ]);
  const open = [root];
  for (let edge = open.at(-1); edge !== undefined; edge = open.at(-1)) {
    const [without, having] = [bdd.lowOf(edge), bdd.highOf(edge)];
    const either = bdd.and(without, having);
    const missing = done.has(edge) ? [] : [without, having, either].filter((below) => !done.has(below));
    if (missing.length > 0) {
      open.push(...missing);
      continue;
    }
    open.pop();
    if (done.has(edge)) continue;
    const always = done.get(either)!;
    const level = 2 * bdd.levelOf(edge);
    const absent = zdd.node(level + 1, always, zdd.without(done.get(without)!, always));
    done.set(edge, zdd.node(level, absent, zdd.without(done.get(having)!, always)));
  }
  return done.get(root)!;
}

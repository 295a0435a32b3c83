import type { Diagram } from './diagram.ts';
import type { SolvedStructure } from './solve.ts';
import { SetFamily } from './set-family.ts';
import { NONE, UNIT, Zdd } from './zdd.ts';

/**
 * The minimal sets of events that fail the system (`cut`), or whose working keeps it up (`path`); of a coherent structure.
 *
 * Those of each module are found by themselves, from its diagram bottom up: a set of the high side is minimal when it includes none of the low side.
 * Modules then take the place of their elements; their events have levels of their own beside each other.
 * Source: Rauzy (1993), see `Zdd`; path sets are the cut sets of the dual function.
 * @throws NodesExhausted
 */
export function minimalSets({ compiled, modules }: SolvedStructure, kind: 'cut' | 'path', nodesMax: number): SetFamily {
  const zdd = new Zdd(nodesMax);
  const top = compiled.top >> 1;
  const whole = modules.at(-1)?.diagram;
  if (top === 0 || whole?.root === 0) {
    const failed = ((compiled.top & 1) === 1) !== (whole?.turned ?? false);
    return new SetFamily(zdd, failed === (kind === 'cut') ? UNIT : NONE, []);
  }
  const diagrams = new Map(modules.map(({ part, diagram }) => [part.id, diagram]));
  const { events, levelOf } = eventLevels(top, diagrams);
  const families = new Map<number, number>();
  const familyOf = (id: number): number => families.get(id) ?? (diagrams.has(id) ? NONE : zdd.node(levelOf.get(id)!, NONE, UNIT));
  for (const { part, diagram, rising } of modules) {
    // Nothing depends on it: the system is coherent.
    if (!rising) continue;
    const own = minimalOf(zdd, diagram, kind);
    families.set(part.id, insert(zdd, own, diagram.leaves.map(familyOf)));
  }
  return new SetFamily(
    zdd,
    familyOf(top),
    events.map((id) => ({ event: id - 1, negated: false })),
  );
}

/** Events in the order in which modules, put in the place of their leaf, have them. */
function eventLevels(top: number, diagrams: ReadonlyMap<number, Diagram>): { events: number[]; levelOf: Map<number, number> } {
  const events: number[] = [];
  const open = [top];
  for (let id = open.pop(); id !== undefined; id = open.pop()) {
    const diagram = diagrams.get(id);
    if (diagram === undefined) events.push(id);
    else open.push(...diagram.leaves.toReversed());
  }
  return { events, levelOf: new Map(events.map((id, level) => [id, level])) };
}

/** Minimal sets of leaves, by the diagram's levels. */
function minimalOf(zdd: Zdd, { level, low, high, root }: Diagram, kind: 'cut' | 'path'): number {
  const never = kind === 'cut' ? NONE : UNIT;
  const families = new Int32Array(level.length);
  families[0] = never;
  // Nothing is complemented in a rising function but the constant.
  const familyOf = (edge: number): number => (edge === 1 ? UNIT - never : families[edge >> 1]!);
  for (let at = 1; at < level.length; at++) {
    const [less, more] = kind === 'cut' ? [low[at]!, high[at]!] : [high[at]!, low[at]!];
    families[at] = zdd.node(level[at]!, familyOf(less), zdd.without(familyOf(more), familyOf(less)));
  }
  return familyOf(root);
}

/** The family with each element replaced by the family `parts` has for its level; the parts share no elements and come in order. */
function insert(zdd: Zdd, family: number, parts: readonly number[]): number {
  const done = new Map<number, number>([
    [NONE, NONE],
    [UNIT, UNIT],
  ]);
  for (const at of zdd.nodesOf(family)) done.set(at, chosen(zdd, parts[zdd.level(at)]!, done.get(zdd.high(at))!, done.get(zdd.low(at))!));
  return done.get(family)!;
}

/** Every set of `part` with every set of `then`, and the sets of `otherwise`; all elements of `part` stand above those of the others. */
function chosen(zdd: Zdd, part: number, then: number, otherwise: number): number {
  const products = new Map<number, number>([
    [NONE, NONE],
    [UNIT, then],
  ]);
  const nodes = zdd.nodesOf(part);
  const empties: number[] = [];
  for (let at = part; at > UNIT; at = zdd.low(at)) empties.push(at);
  for (const at of nodes) products.set(at, zdd.node(zdd.level(at), products.get(zdd.low(at))!, products.get(zdd.high(at))!));
  // `otherwise` hangs at the end of the low sides, where nothing of the part has been taken.
  return empties.reduceRight((below, at) => zdd.node(zdd.level(at), below, products.get(zdd.high(at))!), otherwise);
}

import { HoldfastError } from '../../core/errors.ts';
import { Bdd } from './bdd.ts';
import { compile } from './compile.ts';
import { compacted, copied, type Nodes } from './nodes.ts';
import type { When } from './event.ts';
import { countingOf } from './diagram.ts';
import { gateOver, type Algebra } from './gate-over.ts';
import { CONSTANT_LEVEL, NodesExhausted } from './node-table.ts';
import { pulledTogether } from './order.ts';
import { gateAt } from './part.ts';
import type { Probability } from './probability.ts';
import { pruned } from './prune.ts';
import { nodeValues, valueOf } from './quantify.ts';
import { isWithoutNegation } from './rising.ts';
import { evaluateModules, negates, solveModules } from './solve.ts';
import type { Structure } from './structure.ts';

/** Two values between which the true one is. */
export interface Bounds {
  readonly low: number;
  readonly high: number;
}

export interface BoundedUnavailability {
  readonly unavailability: Bounds;
  readonly availability: Bounds;
  /** Nothing had to be left out: low and high are the same. */
  readonly exact: boolean;
}

export interface BoundOptions {
  /** Nodes that a module may have while it is solved exactly; 300,000 by default. */
  readonly nodesMax?: number;
  /** Nodes that a gate keeps in what can not be: with more, the bounds are closer. 2,000 by default. */
  readonly nodesKept?: number;
}

/**
 * Bounds of the unavailability of a structure that may be too large to be solved exactly. They hold whatever is shared, coherent or not.
 *
 * Modules that can be are solved exactly. For the rest two diagrams are made: of a function that implies the true one, and of one that it implies.
 * Where the diagram of a gate grows beyond `nodesKept`, its least probable paths become false in the first and true in the second.
 * In coherent structures the probability of an AND is also at least, and that of an OR at most, what independent arguments would give: functions
 * that rise with independent events are associated.
 *
 * Sources: Ravi, McMillan, Shiple, Somenzi: Approximation and decomposition of binary decision diagrams, DAC 1998; Esary,
 * Proschan, Walkup: Association of random variables, with applications, Annals of Mathematical Statistics 38 (1967).
 *
 * @throws MODEL_STRUCTURE_INVALID, MODEL_NO_STEADY_STATE, MODEL_STRUCTURE_TOO_LARGE
 */
export function boundStructure(
  structure: Structure,
  when: When,
  { nodesMax = 300_000, nodesKept = 2_000 }: BoundOptions = {},
): BoundedUnavailability {
  const compiled = compile(structure);
  const { graph, top } = compiled;
  const { modules, rest } = solveModules(compiled, nodesMax);
  const { known } = evaluateModules(
    modules,
    compiled.events.map((event) => event.stateAt(when)),
  );
  if (rest === undefined) return between(known.get(top >> 1)!, known.get(top >> 1)!, negates(compiled, modules), true);
  const counting = countingOf(graph, rest);
  if (counting > COUNTING_MAX) throw tooLarge(counting);
  const order = pulledTogether(graph, rest);
  const algebra = new BoundAlgebra(
    order.map((id) => known.get(id)!),
    nodesKept,
    isWithoutNegation(compiled),
  );
  const bounds = new Map<number, Enclosed>();
  for (const [level, id] of order.entries()) {
    const diagram = modules.find(({ part }) => part.id === id)?.diagram;
    const leaf = diagram?.root === 0 ? algebra.no : algebra.variable(level);
    bounds.set(id, diagram?.turned === true ? negated(leaf) : leaf);
  }
  for (const id of rest.gates) {
    const gate = gateAt(graph, id);
    const operands = gate.of.map((literal) => ((literal & 1) === 0 ? bounds.get(literal >> 1)! : negated(bounds.get(literal >> 1)!)));
    bounds.set(id, gateOver(algebra, gate, operands));
  }
  const { least, most, under, over } = bounds.get(rest.id)!;
  return between(least, most, (top & 1) === 1, under === over);
}

/** Functions that the counting gates of what is bounded may join: each takes milliseconds. */
const COUNTING_MAX = 20_000;

function tooLarge(counting: number): HoldfastError {
  return new HoldfastError('MODEL_STRUCTURE_TOO_LARGE', `Its gates that count join ${counting} functions, more than ${COUNTING_MAX}.`, {
    hint: 'count fewer parts at once, or let what is shared stand in fewer places',
  });
}

function between(under: Probability, over: Probability, turned: boolean, exact: boolean): BoundedUnavailability {
  const truth = { low: under.q, high: over.q };
  const falsity = { low: over.a, high: under.a };
  return turned ? { unavailability: falsity, availability: truth, exact } : { unavailability: truth, availability: falsity, exact };
}

/** A function by one that implies it and one that it implies, the same object while it is known exactly; and bounds of its probability. */
interface Enclosed {
  readonly under: Nodes;
  readonly over: Nodes;
  readonly least: Probability;
  readonly most: Probability;
}

function negated({ under, over, least, most }: Enclosed): Enclosed {
  const turned = (nodes: Nodes): Nodes => ({ ...nodes, root: nodes.root ^ 1 });
  const [less, more] = [turned(over), under === over ? undefined : turned(under)];
  return { under: less, over: more ?? less, least: opposite(most), most: opposite(least) };
}

function opposite({ q, a }: Probability): Probability {
  return { q: a, a: q };
}

/** Nodes under way in one operation, for each that is kept. */
const NODES_UNDER_WAY = 10;

class BoundAlgebra implements Algebra<Enclosed> {
  readonly yes: Enclosed;
  readonly no: Enclosed;
  readonly #leaves: readonly Probability[];
  readonly #nodesKept: number;
  readonly #associated: boolean;

  /** @param associated all functions that are joined rise with the leaves, or all fall */
  constructor(leaves: readonly Probability[], nodesKept: number, associated: boolean) {
    this.#leaves = leaves;
    this.#nodesKept = nodesKept;
    this.#associated = associated;
    this.yes = this.#known(constant(1));
    this.no = this.#known(constant(0));
  }

  variable(level: number): Enclosed {
    const bdd = new Bdd(1);
    return this.#known(compacted(bdd, bdd.variable(level)));
  }

  levelOf({ under, over }: Enclosed): number {
    return Math.min(under.level[under.root >> 1]!, over.level[over.root >> 1]!);
  }

  and(f: Enclosed, g: Enclosed): Enclosed {
    const exact = f.under === f.over && g.under === g.over;
    const under = this.#and(f.under, g.under, 0);
    if (exact && under.isExact) return this.#known(under.nodes);
    const over = this.#and(f.over, g.over, 1).nodes;
    const least = this.#valueOf(under.nodes);
    const product = { q: f.least.q * g.least.q, a: f.least.a + f.least.q * g.least.a };
    return {
      under: under.nodes,
      over,
      least: this.#associated ? greater(least, product) : least,
      most: lesser(this.#valueOf(over), lesser(f.most, g.most)),
    };
  }

  or(f: Enclosed, g: Enclosed): Enclosed {
    return negated(this.and(negated(f), negated(g)));
  }

  xor(f: Enclosed, g: Enclosed): Enclosed {
    return this.or(this.and(f, negated(g)), this.and(negated(f), g));
  }

  #known(nodes: Nodes): Enclosed {
    const value = this.#valueOf(nodes);
    return { under: nodes, over: nodes, least: value, most: value };
  }

  #valueOf(nodes: Nodes): Probability {
    return valueOf(nodeValues(nodes, this.#leaves), nodes.root);
  }

  /** Operands that are too large together are pruned first, more and more. */
  #and(f: Nodes, g: Nodes, side: 0 | 1): { nodes: Nodes; isExact: boolean } {
    for (let share = 1; ; share /= 2) {
      const kept = this.#nodesKept * share;
      const [left, right] = share === 1 ? [f, g] : [pruned(f, this.#leaves, kept, side), pruned(g, this.#leaves, kept, side)];
      const bdd = new Bdd(NODES_UNDER_WAY * this.#nodesKept);
      try {
        const whole = compacted(bdd, bdd.and(copied(bdd, left), copied(bdd, right)));
        const nodes = pruned(whole, this.#leaves, this.#nodesKept, side);
        return { nodes, isExact: nodes === whole && left === f && right === g };
      } catch (error) {
        if (!(error instanceof NodesExhausted)) throw error;
      }
    }
  }
}

/** By the side that tells them apart. */
function lesser(one: Probability, other: Probability): Probability {
  return one.q < other.q || one.a > other.a ? one : other;
}

function greater(one: Probability, other: Probability): Probability {
  return lesser(one, other) === one ? other : one;
}

function constant(edge: 0 | 1): Nodes {
  return { level: Int32Array.of(CONSTANT_LEVEL), low: Int32Array.of(0), high: Int32Array.of(0), root: edge };
}

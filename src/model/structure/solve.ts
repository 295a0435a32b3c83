import { HoldfastError } from '../../core/errors.ts';
import { compile, type Compiled } from './compile.ts';
import { diagramOf, type Diagram } from './diagram.ts';
import type { EventState, When } from './event.ts';
import { partsOf, type Part } from './part.ts';
import { certain, impossible, mixed, type Probability } from './probability.ts';
import { influences, nodeValues, valueOf, type Influence } from './quantify.ts';
import type { Structure } from './structure.ts';

/** Nodes that the diagram of one module may have while it is made: a few hundred megabytes. */
const NODES_MAX = 4_000_000;

export interface SolveOptions {
  /** Nodes that the diagram of a module may have while it is made; 4,000,000 by default, about 40 bytes each. */
  readonly nodesMax?: number;
}

/** A structure as diagrams, one for each module: made once, evaluated at as many times as wanted. */
export interface SolvedStructure {
  readonly compiled: Compiled;
  readonly modules: readonly SolvedPart[];
}

export interface SolvedPart {
  readonly part: Part;
  readonly diagram: Diagram;
}

/**
 * Makes the diagrams of a structure: the exact method, whose cost depends on how events are shared rather than on how many there are.
 * @throws MODEL_STRUCTURE_INVALID, MODEL_STRUCTURE_TOO_LARGE
 */
export function solveStructure(structure: Structure, { nodesMax = NODES_MAX }: SolveOptions = {}): SolvedStructure {
  const compiled = compile(structure);
  const modules = partsOf(compiled.graph, compiled.top).map((part) => {
    const diagram = diagramOf(compiled.graph, part, nodesMax);
    if (diagram === undefined) throw tooLarge(part, nodesMax);
    return { part, diagram };
  });
  return { compiled, modules };
}

/** Probabilities of everything in a structure at one time. */
export interface Evaluation {
  /** The system has failed. */
  readonly top: Probability;
  /** Of each event, in the order of `compiled.events`. */
  readonly events: readonly EventState[];
  /** Of each event to the system, in the same order. */
  readonly influences: () => readonly Influence[];
}

/**
 * Exact, in both Q and A to about 12 digits, however small.
 * @throws MODEL_NO_STEADY_STATE
 */
export function evaluate(solved: SolvedStructure, when: When): Evaluation {
  return evaluateWith(
    solved,
    solved.compiled.events.map((event) => event.stateAt(when)),
  );
}

/** With states of the events given, in the order of `compiled.events`. */
export function evaluateWith({ compiled, modules }: SolvedStructure, events: readonly EventState[]): Evaluation {
  const known: Probability[] = [impossible, ...events];
  const values = modules.map(({ part, diagram }) => {
    const leaves = diagram.leaves.map((id) => known[id]!);
    const nodes = nodeValues(diagram, leaves);
    known[part.id] = valueOf(nodes, diagram.root);
    return { part, diagram, leaves, nodes };
  });
  const of = known[compiled.top >> 1]!;
  const top = (compiled.top & 1) === 0 ? of : { q: of.a, a: of.q };
  return {
    top,
    events,
    influences: () => {
      const ofTop = new Map<number, Influence>([[compiled.top >> 1, (compiled.top & 1) === 0 ? itself : opposite]]);
      for (const { part, diagram, leaves, nodes } of values.toReversed()) {
        const whole = ofTop.get(part.id)!;
        for (const [level, inside] of influences(diagram, leaves, nodes).entries())
          ofTop.set(diagram.leaves[level]!, through(whole, inside));
      }
      return events.map((_, index) => ofTop.get(index + 1) ?? { ifTrue: top, ifFalse: top, raises: 0, lowers: 0 });
    },
  };
}

const itself: Influence = { ifTrue: certain, ifFalse: impossible, raises: 1, lowers: 0 };
const opposite: Influence = { ifTrue: impossible, ifFalse: certain, raises: 0, lowers: 1 };

/** Of a leaf to the system, from that of its module, and its own in the module. */
function through(module: Influence, leaf: Influence): Influence {
  return {
    ifTrue: mixed(leaf.ifTrue, module.ifTrue, module.ifFalse),
    ifFalse: mixed(leaf.ifFalse, module.ifTrue, module.ifFalse),
    raises: module.raises * leaf.raises + module.lowers * leaf.lowers,
    lowers: module.raises * leaf.lowers + module.lowers * leaf.raises,
  };
}

function tooLarge(part: Part, nodesMax: number): HoldfastError {
  return new HoldfastError(
    'MODEL_STRUCTURE_TOO_LARGE',
    `A module of ${part.leaves.length} events and ${part.gates.length} gates needs more than ${nodesMax} nodes.`,
    { hint: 'ask for bounds instead (boundStructure), or allow more nodes' },
  );
}

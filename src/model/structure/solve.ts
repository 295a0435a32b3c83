import { HoldfastError } from '../../core/errors.ts';
import { compile, type Compiled } from './compile.ts';
import { diagramOf, type Diagram } from './diagram.ts';
import type { EventState, When } from './event.ts';
import { partAround, partsOf, type Part } from './part.ts';
import { certain, impossible, mixed, type Probability } from './probability.ts';
import { influences, nodeValues, valueOf, type Influence, type NodeValues } from './quantify.ts';
import { isRising, isWithoutNegation } from './rising.ts';
import type { Structure } from './structure.ts';

/** Nodes that the diagram of one module may have while it is made: more than that rarely helps, and takes four times as long to give up. */
const NODES_MAX = 1_000_000;

export interface SolveOptions {
  /** Nodes that the diagram of a module may have while it is made; 1,000,000 by default, about 40 bytes each. */
  readonly nodesMax?: number;
}

/** A structure as diagrams, one for each module: made once, evaluated at as many times as wanted. */
export interface SolvedStructure {
  readonly compiled: Compiled;
  readonly modules: readonly SolvedPart[];
  /** Whether a failing part never brings the system back. */
  readonly coherent: boolean;
}

export interface SolvedPart {
  readonly part: Part;
  readonly diagram: Diagram;
  /** Whether the diagram's function only rises with its leaves. */
  readonly rising: boolean;
}

/**
 * Makes the diagrams of a structure: the exact method, whose cost depends on how events are shared rather than on how many there are.
 * @throws MODEL_STRUCTURE_INVALID, MODEL_STRUCTURE_TOO_LARGE
 */
export function solveStructure(structure: Structure, { nodesMax = NODES_MAX }: SolveOptions = {}): SolvedStructure {
  const compiled = compile(structure);
  const { modules, rest } = solveModules(compiled, nodesMax);
  if (rest !== undefined) throw tooLarge(rest, nodesMax);
  const constant = compiled.top <= 1 || modules.at(-1)?.diagram.root === 0;
  return { compiled, modules, coherent: constant || (!negates(compiled, modules) && neededOf(modules).every(({ rising }) => rising)) };
}

/** Those on which the outermost one depends: a module may stand in a gate whose other inputs decide alone. */
function neededOf(modules: readonly SolvedPart[]): readonly SolvedPart[] {
  const needed = new Set([modules.at(-1)?.part.id]);
  // A diagram is reduced: of what it does not depend on it has no level.
  return modules.toReversed().filter(({ part, diagram }) => {
    if (!needed.has(part.id)) return false;
    for (const level of diagram.level.subarray(1)) needed.add(diagram.leaves[level]);
    return true;
  });
}

/** The modules that can be solved, inner ones first; and where the whole can not, the part around them. */
export function solveModules({ graph, top }: Compiled, nodesMax: number): { modules: SolvedPart[]; rest: Part | undefined } {
  const simple = isWithoutNegation({ graph, top });
  const solved = new Map<number, Diagram>();
  const modules: SolvedPart[] = [];
  const parts = partsOf(graph, top);
  const large = new Set<number>();
  for (const part of parts) {
    // Around what is too large, all is.
    const diagram = part.leaves.some((id) => large.has(id)) ? undefined : diagramOf(graph, part, solved, nodesMax);
    if (diagram === undefined) large.add(part.id);
    else {
      solved.set(part.id, diagram);
      modules.push({ part, diagram, rising: simple || isRising(diagram) });
    }
  }
  return { modules, rest: large.size === 0 ? undefined : partAround(graph, top, new Set(solved.keys())) };
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
  const { known, valued } = evaluateModules(modules, events);
  const of = known.get(compiled.top >> 1)!;
  const negated = negates(compiled, modules);
  const top = negated ? { q: of.a, a: of.q } : of;
  return {
    top,
    events,
    influences: () => {
      const ofTop = new Map<number, Influence>([[compiled.top >> 1, negated ? opposite : itself]]);
      for (const { part, diagram, rising, leaves, values } of valued.toReversed()) {
        const whole = ofTop.get(part.id)!;
        for (const [level, inside] of influences(diagram, rising, leaves, values).entries())
          ofTop.set(diagram.leaves[level]!, through(whole, inside));
      }
      return events.map((_, index) => ofTop.get(index + 1) ?? { ifTrue: top, ifFalse: top, raises: 0, lowers: 0 });
    },
  };
}

interface ValuedPart extends SolvedPart {
  readonly leaves: readonly Probability[];
  readonly values: NodeValues;
}

/** By id: of events, and of the functions of modules' diagrams. */
export function evaluateModules(
  modules: readonly SolvedPart[],
  events: readonly Probability[],
): { known: Map<number, Probability>; valued: ValuedPart[] } {
  const known = new Map<number, Probability>([impossible, ...events].map((state, id) => [id, state]));
  const valued = modules.map((module) => {
    const leaves = module.diagram.leaves.map((id) => known.get(id)!);
    const values = nodeValues(module.diagram, leaves);
    known.set(module.part.id, valueOf(values, module.diagram.root));
    return { ...module, leaves, values };
  });
  return { known, valued };
}

/** Whether the system fails where the last diagram's function is false. */
export function negates({ top }: Pick<Compiled, 'top'>, modules: readonly SolvedPart[]): boolean {
  return ((top & 1) === 1) !== (modules.at(-1)?.diagram.turned ?? false);
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

import { hasCode, HoldfastError } from '../../core/errors.ts';
import { downtimeOf, ninesOf } from '../statistics/nines.ts';
import { boundStructure } from '../structure/bound.ts';
import { cutSets } from '../structure/cut-sets.ts';
import { failureFrequency } from '../structure/failures.ts';
import { importance } from '../structure/importance.ts';
import type { When } from '../structure/event.ts';
import { stateOf } from '../structure/event.ts';
import type { SolvedStructure } from '../structure/solve.ts';
import { evaluate, solveStructure } from '../structure/solve.ts';
import type { Structure } from '../structure/structure.ts';
import type { LongRunAnswer, StructureAnswer, TimeAnswer } from './answer.ts';
import type { State } from './closed-form.ts';
import { closedForm } from './closed-form.ts';
import { isExponential } from './law.ts';
import type { Method, MethodChoice } from './method.ts';
import type { Model } from './schema.ts';
import { integrateToInfinity } from './quadrature.ts';
import { meanLifeOf, structureOf } from './to-structure.ts';

/** Hours of a year of 365 days. */
const yearHours = 8760;

/** What is asked of a model, besides what stands in its file. */
export interface Asked {
  readonly at: readonly number[];
  readonly horizon: number;
  /** Nodes that the diagram of a module may have; what needs more is told by bounds. Default 1,000,000: some seconds. */
  readonly nodesMax?: number | undefined;
}

/** A structure of independent parts, by products or by decision diagrams. */
export function evaluateStructure(model: Model, choice: MethodChoice, asked: Asked): StructureAnswer {
  const { method, because, assumptions } = choice;
  const structure = structureOf(model);
  const solver = new Solver(structure, method, asked.nodesMax ?? nodesMaxDefault);
  if (method === 'bdd' && !solver.isSolvable()) return boundedAnswer(structure, choice, asked);
  const steady = tryState(() => solver.stateAt('steady'));
  const untimely = untimelyPart(model);
  const times =
    untimely === undefined ? [...new Set([...asked.at, ...('q' in steady ? [] : [asked.horizon])])].toSorted((a, b) => a - b) : [];
  const unrepaired =
    Object.values(model.components ?? {}).every(({ mttr, test }) => mttr === undefined && test === undefined) && model.sites === undefined;
  const ages = unrepaired && untimely === undefined && !('q' in steady);
  const many = Object.keys(structure.events).length > detailsMax;
  const wanted = (what: 'importance' | 'cut-sets') =>
    model.compute === undefined ? !many && solver.isSolvable() : model.compute.includes(what);
  const when: When = 'q' in steady ? 'steady' : asked.horizon;
  return {
    method,
    because,
    assumptions: [
      ...assumptions,
      ...(many && model.compute === undefined
        ? [`cut sets and importance of more than ${detailsMax} parts are told when asked for: compute: [cut-sets, importance]`]
        : []),
      ...(untimely !== undefined && asked.at.length > 0
        ? [`nothing is said of single times: ${untimely}; the method simulation plays them`]
        : []),
    ],
    ...('q' in steady ? { longRun: longRunOf(steady) } : { noLongRun: steady.reason }),
    at: times.map((hours): TimeAnswer => {
      const { q, a } = solver.stateAt(hours);
      return { hours, unavailability: q, availability: a, ...(ages ? { survival: a } : {}) };
    }),
    ...(ages && solver.isCoherent() ? { mttf: integrateToInfinity((t) => solver.stateAt(t).a, scaleOf(model)) } : {}),
    ...(wanted('cut-sets') ? cutSetsOf(solver.diagrams, when) : {}),
    ...(wanted('importance')
      ? { importance: importance(solver.diagrams, when), ...(when === 'steady' ? {} : { importanceAtHours: when }) }
      : {}),
  };
}

/** Parts up to which cut sets and importance are told without being asked for. */
const detailsMax = 200;
const nodesMaxDefault = 1_000_000;

/** What is too large to be solved: two values between which the unavailability lies, for certain. */
function boundedAnswer(structure: Structure, { method, because, assumptions }: MethodChoice, asked: Asked): StructureAnswer {
  const bounds = (when: When) =>
    boundStructure(structure, when, asked.nodesMax === undefined ? {} : { nodesMax: asked.nodesMax }).unavailability;
  const answer = { method, because, assumptions: [...assumptions, 'too large to be solved exactly: bounds hold the true value'], at: [] };
  try {
    return { ...answer, bounds: { unavailability: bounds('steady') } };
  } catch (error) {
    if (!hasCode(error, 'MODEL_NO_STEADY_STATE')) throw error;
    return { ...answer, noLongRun: error.message, bounds: { hours: asked.horizon, unavailability: bounds(asked.horizon) } };
  }
}

/** Sets that are told. */
const setsMax = 1000;
/** Nodes of the diagram of all sets. */
const setNodesMax = 500_000;

/** Not of diagrams whose sets are too many to be made: the numbers above do not need them. */
function cutSetsOf(solved: SolvedStructure, when: When): Pick<StructureAnswer, 'cutSets'> {
  try {
    const sets = cutSets(solved, setNodesMax);
    return { cutSets: { count: sets.count().toString(), sets: sets.list(when, { most: setsMax }) } };
  } catch (error) {
    if (hasCode(error, 'MODEL_SETS_TOO_MANY')) return {};
    throw error;
  }
}

/** Either way of solving, made once. */
class Solver {
  private readonly structure: Structure;
  private readonly method: Method;
  private readonly nodesMax: number;
  private made: SolvedStructure | undefined;

  constructor(structure: Structure, method: Method, nodesMax: number) {
    this.nodesMax = nodesMax;
    this.structure = structure;
    this.method = method;
  }

  get diagrams(): SolvedStructure {
    return (this.made ??= solveStructure(this.structure, { nodesMax: this.nodesMax }));
  }

  /** Whether its diagrams stay within their bound. */
  isSolvable(): boolean {
    try {
      return this.diagrams !== undefined;
    } catch (error) {
      if (hasCode(error, 'MODEL_STRUCTURE_TOO_LARGE')) return false;
      throw error;
    }
  }

  /** Nothing that fails makes the whole work again; what has a closed form has no such gates. */
  isCoherent(): boolean {
    return this.method === 'closed-form' || this.diagrams.coherent;
  }

  stateAt(when: When): State {
    if (this.method === 'closed-form')
      return closedForm(this.structure, (event) => stateOf(this.structure.events[event]!, when) ?? noSteadyState(event));
    const { top } = evaluate(this.diagrams, when);
    return { q: top.q, a: top.a, w: frequencyOf(this.diagrams, when) };
  }
}

function noSteadyState(event: string): never {
  throw new HoldfastError('MODEL_NO_STEADY_STATE', `'${event}' is not repaired, so that in the long run it has failed for certain`);
}

function frequencyOf(solved: SolvedStructure, when: When): number | undefined {
  try {
    return failureFrequency(solved, when).frequency;
  } catch (error) {
    if (hasCode(error, 'MODEL_NO_FREQUENCY')) return undefined;
    throw error;
  }
}

function tryState(solve: () => State): State | { readonly reason: string } {
  try {
    return solve();
  } catch (error) {
    if (hasCode(error, 'MODEL_NO_STEADY_STATE')) return { reason: error.message };
    throw error;
  }
}

/** The numbers that follow from unavailability and frequency. */
export function longRunOf({ q, a, w }: State): LongRunAnswer {
  return {
    availability: a,
    unavailability: q,
    nines: ninesOf(q),
    downtime: downtimeOf(q),
    ...(w === undefined ? {} : { failuresPerYear: w * yearHours, mtbf: 1 / w, meanUpTime: a / w, meanDownTime: w === 0 ? 0 : q / w }),
  };
}

/** A part of which the exact methods know the long run only. */
function untimelyPart({ components = {} }: Model): string | undefined {
  for (const [name, { weibull, lognormal, mttr }] of Object.entries(components)) {
    if (mttr === undefined) continue;
    if (weibull || lognormal || !isExponential(mttr)) return `'${name}' has lives or repairs that are not exponential`;
  }
  return undefined;
}

/** Where survival is likely to fall: the shortest mean life. */
function scaleOf({ components = {} }: Model): number {
  return Math.min(...Object.values(components).flatMap((component) => meanLifeOf(component) ?? []), 1e9);
}

import { hasCode, HoldfastError } from '../../core/errors.ts';
import type { ModelAnswer, StructureAnswer } from './answer.ts';
import { checkModel } from './check.ts';
import { evaluateChain } from './evaluate-chain.ts';
import { evaluateRecovery } from './evaluate-recovery.ts';
import type { SimulationAnswer } from '../simulation/simulate.ts';
import type { SimulationTask } from './evaluate-simulation.ts';
import { evaluateSimulation, simulationTask } from './evaluate-simulation.ts';
import { evaluateStorage } from './evaluate-storage.ts';
import type { Asked } from './evaluate-structure.ts';
import { evaluateStructure } from './evaluate-structure.ts';
import { evaluateSystem } from './evaluate-system.ts';
import type { Method, MethodChoice } from './method.ts';
import { decideMethod, methods } from './method.ts';
import type { Model } from './schema.ts';
import { modelSchema } from './schema.ts';

const yearHours = 8760;

export interface EvaluateOptions {
  /** Instead of the method that the model suggests. */
  readonly method?: Method;
  /** More times to look at, in hours. */
  readonly at?: readonly number[];
  /** Also by every other method that can. */
  readonly compare?: boolean;
  /** What a simulation of `simulationOf` found, where it was played elsewhere. */
  readonly played?: SimulationAnswer;
  /** Nodes that a decision diagram may have before bounds take its place. Default 1,000,000. */
  readonly nodesMax?: number;
}

/**
 * A model from what a file holds (the parsed YAML or JSON).
 * @throws MODEL_INVALID with everything that is wrong
 */
export function parseModel(input: unknown): Model {
  const { data, error } = modelSchema.safeParse(input);
  const problems = error
    ? error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`)
    : checkModel(data).map(({ path, message }) => `${path.join('.')}: ${message}`);
  if (problems.length === 0) return data!;
  throw new HoldfastError('MODEL_INVALID', `the model can not be used\n${problems.map((problem) => `  ${problem}`).join('\n')}`, {
    hint: 'docs/model.md describes every key.',
  });
}

/** The simulation that `evaluateModel` would play with these options, for playing it in worker threads; undefined where it would play none. */
export function simulationOf(model: Model, options: EvaluateOptions = {}): SimulationTask | undefined {
  if (model.structure === undefined || decideMethod(model, options.method).method !== 'simulation') return undefined;
  return simulationTask(model, askedOf(model, options));
}

/**
 * All that the file asks for.
 * @throws MODEL_METHOD_UNFIT, and what the solvers throw
 */
export function evaluateModel(model: Model, options: EvaluateOptions = {}): ModelAnswer {
  const asked = askedOf(model, options);
  const times = asked.at.length > 0 ? asked.at : [asked.horizon];
  const { name, structure, chains, storage, recovery } = model;
  return {
    ...(name === undefined ? {} : { name }),
    horizonHours: asked.horizon,
    ...(structure === undefined ? {} : { structure: structureAnswer(model, asked, options) }),
    ...(chains === undefined ? {} : { chains: mapValues(chains, (chain) => evaluateChain(chain, times)) }),
    ...(storage === undefined ? {} : { storage: mapValues(storage, (code) => evaluateStorage(code, times)) }),
    ...(recovery === undefined ? {} : { recovery: mapValues(recovery, evaluateRecovery) }),
  };
}

function askedOf(model: Model, { at = [], nodesMax }: EvaluateOptions): Asked {
  return { at: [...new Set([...(model.at ?? []), ...at])].toSorted((a, b) => a - b), horizon: model.horizon ?? yearHours, nodesMax };
}

function structureAnswer(model: Model, asked: Asked, { method: forced, compare, played }: EvaluateOptions): StructureAnswer {
  const choice = decideMethod(model, forced);
  const answer = answerBy(model, choice, asked, played);
  if (!compare) return answer;
  const others = methods.filter((method) => method !== choice.method && choice.unfit[method] === undefined && method !== 'simulation');
  return { ...answer, comparison: others.flatMap((method) => comparedWith(answer, model, { ...choice, method }, asked)) };
}

function answerBy(model: Model, choice: MethodChoice, asked: Asked, played?: SimulationAnswer): StructureAnswer {
  switch (choice.method) {
    case 'closed-form':
    case 'bdd':
      return evaluateStructure(model, choice, asked);
    case 'markov':
      return evaluateSystem(model, choice, asked);
    case 'simulation':
      return evaluateSimulation(model, choice, asked, played);
  }
}

/** The unavailability that both tell: in the long run, else at the last time. */
function comparedWith(
  answer: StructureAnswer,
  model: Model,
  choice: MethodChoice,
  asked: Asked,
): NonNullable<StructureAnswer['comparison']> {
  const telling = ({ longRun, at }: StructureAnswer) => (answer.longRun ? longRun?.unavailability : at.at(-1)?.unavailability);
  try {
    const [ours, unavailability] = [telling(answer), telling(answerBy(model, choice, asked))];
    if (ours === undefined || unavailability === undefined) return [];
    return [
      { method: choice.method, unavailability, relativeDifference: ours === 0 ? unavailability : Math.abs(unavailability / ours - 1) },
    ];
  } catch (error) {
    // A method may fit in principle and be too large.
    if (hasCode(error, 'MODEL_STATES_TOO_MANY') || hasCode(error, 'MODEL_STRUCTURE_TOO_LARGE')) return [];
    throw error;
  }
}

function mapValues<T, U>(record: Readonly<Record<string, T>>, change: (value: T) => U): Record<string, U> {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, change(value)]));
}

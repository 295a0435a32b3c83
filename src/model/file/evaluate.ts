import { hasCode, HoldfastError } from '../../core/errors.ts';
import type { ModelAnswer, StructureAnswer } from './answer.ts';
import { checkModel } from './check.ts';
import { evaluateChain } from './evaluate-chain.ts';
import { evaluateRecovery } from './evaluate-recovery.ts';
import { evaluateSimulation } from './evaluate-simulation.ts';
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

/**
 * All that the file asks for.
 * @throws MODEL_METHOD_UNFIT, and what the solvers throw
 */
export function evaluateModel(model: Model, { method, at = [], compare = false, nodesMax }: EvaluateOptions = {}): ModelAnswer {
  const horizon = model.horizon ?? yearHours;
  const times = [...new Set([...(model.at ?? []), ...at])].toSorted((a, b) => a - b);
  return {
    ...(model.name === undefined ? {} : { name: model.name }),
    horizonHours: horizon,
    ...(model.structure === undefined
      ? {}
      : { structure: structureAnswer(model, decideMethod(model, method), { at: times, horizon, nodesMax }, compare) }),
    ...(model.chains === undefined
      ? {}
      : { chains: mapValues(model.chains, (chain) => evaluateChain(chain, times.length > 0 ? times : [horizon])) }),
    ...(model.storage === undefined
      ? {}
      : { storage: mapValues(model.storage, (code) => evaluateStorage(code, times.length > 0 ? times : [horizon])) }),
    ...(model.recovery === undefined ? {} : { recovery: mapValues(model.recovery, evaluateRecovery) }),
  };
}

function structureAnswer(model: Model, choice: MethodChoice, asked: Asked, compare: boolean): StructureAnswer {
  const answer = answerBy(model, choice, asked);
  if (!compare) return answer;
  const others = methods.filter((method) => method !== choice.method && choice.unfit[method] === undefined && method !== 'simulation');
  return { ...answer, comparison: others.flatMap((method) => comparedWith(answer, model, { ...choice, method }, asked)) };
}

function answerBy(model: Model, choice: MethodChoice, asked: Asked): StructureAnswer {
  switch (choice.method) {
    case 'closed-form':
    case 'bdd':
      return evaluateStructure(model, choice, asked);
    case 'markov':
      return evaluateSystem(model, choice, asked);
    case 'simulation':
      return evaluateSimulation(model, choice, asked);
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

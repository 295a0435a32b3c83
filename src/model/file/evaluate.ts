import { HoldfastError } from '../../core/errors.ts';
import { businessRecoveryMs, catchUpMs } from '../recovery-time/recovery-time.ts';
import type { ModelAnswer, RecoveryAnswer } from './answer.ts';
import { checkModel } from './check.ts';
import { evaluateChain } from './evaluate-chain.ts';
import { evaluateStructure } from './evaluate-structure.ts';
import { meanOf } from './law.ts';
import type { Method } from './method.ts';
import { decideMethod } from './method.ts';
import type { Model } from './schema.ts';
import { modelSchema } from './schema.ts';

const yearHours = 8760;
const hourMs = 3_600_000;

export interface EvaluateOptions {
  /** Instead of the method that the model suggests. */
  readonly method?: Method;
  /** More times to look at, in hours. */
  readonly at?: readonly number[];
  /** Also by every other method that can. */
  readonly compare?: boolean;
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
export function evaluateModel(model: Model, { method, at = [], compare = false }: EvaluateOptions = {}): ModelAnswer {
  const horizon = model.horizon ?? yearHours;
  const times = [...new Set([...(model.at ?? []), ...at])].toSorted((a, b) => a - b);
  return {
    ...(model.name === undefined ? {} : { name: model.name }),
    horizonHours: horizon,
    ...(model.structure === undefined
      ? {}
      : { structure: evaluateStructure(model, decideMethod(model, method), { at: times, horizon, compare }) }),
    ...(model.chains === undefined
      ? {}
      : { chains: mapValues(model.chains, (chain) => evaluateChain(chain, times.length > 0 ? times : [horizon])) }),
    ...(model.recovery === undefined ? {} : { recovery: mapValues(model.recovery, evaluateRecovery) }),
  };
}

function evaluateRecovery(recovery: NonNullable<Model['recovery']>[string]): RecoveryAnswer {
  const { bytes = 0, rate, rampup = 0, history, loss, reentry } = recovery;
  const mean = (law: Parameters<typeof meanOf>[0] | undefined) => (law === undefined ? 0 : meanOf(law) * hourMs);
  const behind = mean(history);
  const steps = [
    { step: 'detect', meanMs: mean(recovery.detect) },
    { step: 'decide', meanMs: mean(recovery.decide) },
    { step: 'provision', meanMs: mean(recovery.provision) },
    { step: 'copy', meanMs: rate === undefined ? 0 : (bytes / rate) * 1000 },
    { step: 'start', meanMs: mean(recovery.start) },
    { step: 'replay', meanMs: rampup * behind },
    { step: 'verify', meanMs: mean(recovery.verify) },
    { step: 'cut over', meanMs: mean(recovery.cutover) },
  ];
  const expectedMs = steps.reduce((sum, { meanMs }) => sum + meanMs, 0);
  return {
    expectedMs,
    steps,
    ...(rampup > 0 ? { catchUpMs: catchUpMs(rampup, behind) } : {}),
    ...(loss !== undefined && reentry !== undefined ? { businessMs: businessRecoveryMs(expectedMs, loss * hourMs, reentry) } : {}),
    assumptions: [
      'the steps follow each other',
      ...(rampup >= 1 ? ['at a rampup of 1 or more, live changes are never caught up with: no RTO may be promised'] : []),
    ],
  };
}

function mapValues<T, U>(record: Readonly<Record<string, T>>, change: (value: T) => U): Record<string, U> {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, change(value)]));
}

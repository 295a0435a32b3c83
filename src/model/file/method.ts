import { hasCode, HoldfastError } from '../../core/errors.ts';
import { withoutClosedForm } from './closed-form.ts';
import { isExponential } from './law.ts';
import type { Model } from './schema.ts';
import { structureOf } from './to-structure.ts';
import { systemOf } from './to-system.ts';

export const methods = ['closed-form', 'bdd', 'markov', 'simulation'] as const;
export type Method = (typeof methods)[number];

/** How a structure is solved, why so, and what that takes for granted. */
export interface MethodChoice {
  readonly method: Method;
  readonly because: string;
  readonly assumptions: readonly string[];
  /** What other methods can not do, by method: undefined where they could. */
  readonly unfit: Readonly<Record<Method, string | undefined>>;
}

/**
 * The method that gives all digits at least cost: products where every part stands once, a decision diagram where parts are shared or fail in
 * common, a Markov chain where repairs wait for a crew or spares take over, simulation where times are not exponential then.
 * @throws MODEL_METHOD_UNFIT when `forced` can not solve the model
 */
export function decideMethod(model: Model, forced?: Method): MethodChoice {
  const unfit = whyUnfit(model);
  const first = methods.find((method) => unfit[method] === undefined);
  const method = forced ?? first;
  if (method === undefined || unfit[method] !== undefined) {
    const text =
      method === undefined
        ? `no method can solve this model: ${unfit.bdd}; ${unfit.simulation}`
        : `${method} can not solve this model: ${unfit[method]}`;
    throw new HoldfastError('MODEL_METHOD_UNFIT', text, {
      hint: first === undefined ? 'Take out what the message names.' : `Leave out --method: ${first} can.`,
    });
  }
  return {
    method,
    because: forced === undefined ? reason(method, unfit) : 'it was asked for',
    assumptions: assumptionsOf(model, method),
    unfit,
  };
}

function whyUnfit(model: Model): Record<Method, string | undefined> {
  const dependent = dependence(model);
  const unexponential = unexponentialPart(model);
  const static_ = dependent === undefined ? undefined : `${dependent}, so that parts are not independent`;
  return {
    'closed-form': static_ ?? withoutClosedForm(structureOf(model)),
    bdd: static_,
    markov: unexponential ?? systemLimits(model),
    simulation: systemLimits(model),
  };
}

/** What makes one part's state depend on another's. */
function dependence({ repair, standby, components = {} }: Model): string | undefined {
  if (standby !== undefined && Object.keys(standby).length > 0) return 'spares wait and take over';
  const repaired = Object.values(components).reduce((sum, { mttr, count = 1 }) => sum + (mttr === undefined ? 0 : count), 0);
  return repair?.crews !== undefined && repair.crews < repaired
    ? `${repair.crews} repair ${repair.crews === 1 ? 'crew serves' : 'crews serve'} ${repaired} parts`
    : undefined;
}

function unexponentialPart({ components = {} }: Model): string | undefined {
  for (const [name, { weibull, lognormal, mttr }] of Object.entries(components)) {
    if (weibull && weibull.shape !== 1) return `the life of '${name}' is Weibull, not exponential`;
    if (lognormal) return `the life of '${name}' is lognormal, not exponential`;
    if (mttr !== undefined && !isExponential(mttr)) return `the repair of '${name}' is not exponential`;
  }
  return undefined;
}

function systemLimits(model: Model): string | undefined {
  const { components = {}, commonCause } = model;
  if (commonCause !== undefined && Object.keys(commonCause).length > 0)
    return 'common cause groups are for structures of independent parts';
  if (Object.keys(components).length === 0) return 'there are no components';
  try {
    systemOf(model);
    return undefined;
  } catch (error) {
    if (hasCode(error, 'MODEL_METHOD_UNFIT')) return error.message.replace(/^.*?: /, '');
    throw error;
  }
}

function reason(method: Method, unfit: Record<Method, string | undefined>): string {
  if (method === 'closed-form') return 'every part is independent and stands in one place';
  if (method === 'bdd') return unfit['closed-form']!;
  return method === 'markov' ? unfit.bdd! : unfit.markov!;
}

function assumptionsOf(model: Model, method: Method): string[] {
  const means = unexponentialPart(model);
  return [
    method === 'markov' || method === 'simulation'
      ? []
      : 'parts fail and are repaired independently of each other, outside of common cause groups and sites',
    method === 'markov' || method === 'simulation' ? [] : 'every part that is repaired has a crew of its own',
    means === undefined || method === 'simulation' ? [] : 'in the long run only the means of lives and repairs count, not their laws',
    'failures are seen at once, except where a test is given',
    'a year has 365 days, a month 30',
  ].flat();
}

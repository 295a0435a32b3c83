import { HoldfastError } from '../../core/errors.ts';
import type { Distribution } from '../distribution/distribution.ts';
import type { SystemPlan } from './plan.ts';

/** Stages that one time may have in a chain: each is a state more for every unit. */
const STAGES_MAX = 50;

/**
 * Rates of the exponential stages that a time goes through one after the other (Erlang; Cox: "A use of complex probabilities in the theory
 * of stochastic processes", 1955).
 *
 * @param what whose time it is, for the message
 * @throws MODEL_NOT_MARKOV where the time has no such stages
 */
export function stageRates(distribution: Distribution, what: string): number[] {
  const rates = ratesOf(distribution);
  if (rates === undefined || rates.length > STAGES_MAX) {
    const text = rates === undefined ? `is ${distribution.kind}` : `has ${rates.length} stages`;
    throw new HoldfastError(
      'MODEL_NOT_MARKOV',
      `${what} ${text}: a Markov chain knows exponential times, and up to ${STAGES_MAX} stages of such, only`,
      {
        hint: 'Simulate this system, or replace the time by an exponential one with the same mean if that assumption will do.',
      },
    );
  }
  return rates;
}

function ratesOf(distribution: Distribution): number[] | undefined {
  switch (distribution.kind) {
    case 'exponential':
      return [distribution.rate];
    case 'weibull':
      return distribution.shape === 1 ? [1 / distribution.scale] : undefined;
    case 'gamma':
      return Number.isInteger(distribution.shape) ? Array.from({ length: distribution.shape }, () => 1 / distribution.scale) : undefined;
    case 'stages': {
      const all = distribution.stages.map(ratesOf);
      return all.includes(undefined) ? undefined : all.flatMap((rates) => rates!);
    }
    default:
      return undefined;
  }
}

/** All rates that a chain needs. */
export interface Rates {
  readonly failure: readonly number[];
  /** By group, then stage; empty for groups that are not mended. */
  readonly repair: readonly (readonly number[])[];
  readonly stopped: readonly number[];
  readonly inspection: readonly number[];
  readonly maintenance: readonly { readonly begin: number; readonly end: number }[];
  readonly recovery: readonly number[];
  readonly takeover: readonly number[];
  readonly sites: readonly { readonly failure: number; readonly repair: number }[];
  readonly shocks: readonly number[];
}

/** @throws MODEL_NOT_MARKOV */
export function ratesOfPlan(plan: SystemPlan): Rates {
  const one = (distribution: Distribution | undefined, what: string): number => {
    if (distribution === undefined) return 0;
    const rates = stageRates(distribution, what);
    if (rates.length > 1)
      throw new HoldfastError('MODEL_NOT_MARKOV', `${what} has ${rates.length} stages: in a chain only repairs of units may`, {
        hint: 'Simulate this system.',
      });
    return rates[0]!;
  };
  return {
    failure: plan.groups.map(({ name, failure }) => one(failure, `the life of '${name}'`)),
    repair: plan.groups.map(({ name, repair }) => (repair === undefined ? [] : stageRates(repair, `the repair of '${name}'`))),
    stopped: plan.groups.map(({ name, coverage }) => one(coverage?.recovery, `the recovery of '${name}'`)),
    // A failure waits half an interval on average.
    inspection: plan.groups.map(({ inspection }) => (inspection === undefined ? 0 : 2 / inspection.interval)),
    maintenance: plan.groups.map(({ name, maintenance }) => ({
      begin: maintenance === undefined ? 0 : 1 / maintenance.interval,
      end: one(maintenance?.duration, `the maintenance of '${name}'`),
    })),
    recovery: plan.sets.map(({ name, recovery }) => one(recovery, `the recovery of '${name}'`)),
    takeover: plan.sets.map(({ name, takeover }) => one(takeover, `the take-over of '${name}'`)),
    sites: plan.sites.map(({ name, failure, repair }) => ({
      failure: one(failure, `the life of site '${name}'`),
      repair: one(repair, `the repair of site '${name}'`),
    })),
    shocks: plan.shocks.map(({ name, time }) => one(time, `common cause '${name}'`)),
  };
}

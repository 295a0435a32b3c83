import { HoldfastError } from '../../core/errors.ts';
import { absorption } from './absorption.ts';
import { withoutExits, type Chain } from './chain.ts';
import { steadyState, type SteadyState, type SteadyStateOptions } from './steady-state.ts';
import { transient, type TransientOptions } from './transient.ts';
import { dot, sumOf } from './vectors.ts';

/** Whether the service is up in a state. */
export type IsUp = (state: number) => boolean;

/** What a repairable system does in the long run. Times and frequencies are in the chain's unit of time. */
export interface LongRunMeasures {
  readonly availability: number;
  /** Summed by itself, so that 10⁻¹⁵ keeps its digits. */
  readonly unavailability: number;
  /** Failures of the service per unit of time. */
  readonly failureFrequency: number;
  /** Mean time from one failure to the next: 1 / failureFrequency. */
  readonly mtbf: number;
  /** Mean length of a time up: availability / failureFrequency. */
  readonly meanUpTime: number;
  /** Mean length of a time down (often called MTTR of the system). */
  readonly meanDownTime: number;
  readonly steadyState: SteadyState;
}

/**
 * Frequency and duration of failures (Singh, Billinton: System Reliability Modelling and Evaluation, 1977): ν = Σ_up πᵢ Σ_down qᵢⱼ.
 * @throws MODEL_CHAIN_REDUCIBLE see {@link steadyState}
 */
export function longRunMeasures(chain: Chain, isUp: IsUp, options?: SteadyStateOptions): LongRunMeasures {
  const solved = steadyState(chain, options);
  const { probabilities } = solved;
  const availability = weightWhere(probabilities, isUp);
  const unavailability = weightWhere(probabilities, (state) => !isUp(state));
  const failureFrequency = dot(probabilities, failureRates(chain, isUp));
  return {
    availability,
    unavailability,
    failureFrequency,
    mtbf: 1 / failureFrequency,
    meanUpTime: availability / failureFrequency,
    meanDownTime: failureFrequency === 0 ? 0 : unavailability / failureFrequency,
    steadyState: solved,
  };
}

/** Rate at which each up state goes down; 0 for down states. */
export function failureRates(chain: Chain, isUp: IsUp): Float64Array {
  const rates = new Float64Array(chain.size);
  for (let state = 0; state < chain.size; state++) {
    if (!isUp(state)) continue;
    for (let at = chain.rowStart[state]!; at < chain.rowStart[state + 1]!; at++) {
      if (!isUp(chain.target[at]!)) rates[state]! += chain.rate[at]!;
    }
  }
  return rates;
}

/**
 * Mean time to the first failure from the given beginning, repairs of what is redundant included.
 * @returns Infinity never: @throws MODEL_CHAIN_NOT_ABSORBED where the service may never fail
 */
export function meanTimeToFailure(chain: Chain, isUp: IsUp, initial: Float64Array): number {
  return absorption(chain, initial, (state) => !isUp(state)).meanTime;
}

/** The service at one time. */
export interface AvailabilityPoint {
  readonly time: number;
  /** Probability of being up then. */
  readonly availability: number;
  readonly unavailability: number;
  /** Mean share of the time from 0 until then that it is up; at 0 that of the beginning. */
  readonly intervalAvailability: number;
  /** Mean time down until then. */
  readonly downTime: number;
  /** Mean number of failures until then. */
  readonly failures: number;
}

/** Availability over time, its mean over the interval, and how many failures to expect. */
export function availabilityOverTime(
  chain: Chain,
  isUp: IsUp,
  initial: Float64Array,
  times: readonly number[],
  options: Omit<TransientOptions, 'occupancy'> = {},
): AvailabilityPoint[] {
  const rates = failureRates(chain, isUp);
  return transient(chain, initial, times, { ...options, occupancy: true }).points.map(({ time, probabilities, occupancy }) => {
    const availability = weightWhere(probabilities, isUp);
    return {
      time,
      availability,
      unavailability: weightWhere(probabilities, (state) => !isUp(state)),
      intervalAvailability: time === 0 ? availability : weightWhere(occupancy!, isUp) / time,
      downTime: weightWhere(occupancy!, (state) => !isUp(state)),
      failures: dot(occupancy!, rates),
    };
  });
}

/** Whether the service has failed at least once. */
export interface SurvivalPoint {
  readonly time: number;
  /** R(t): up all the time from 0 until then. */
  readonly survival: number;
  /** 1 − R(t), summed by itself. */
  readonly failureProbability: number;
}

/** R(t) of a service that may repair what is redundant, but counts as failed from its first time down on. */
export function survivalOverTime(
  chain: Chain,
  isUp: IsUp,
  initial: Float64Array,
  times: readonly number[],
  options: Omit<TransientOptions, 'occupancy'> = {},
): SurvivalPoint[] {
  return transient(withoutExits(chain, isUp), initial, times, options).points.map(({ time, probabilities }) => ({
    time,
    survival: weightWhere(probabilities, isUp),
    failureProbability: weightWhere(probabilities, (state) => !isUp(state)),
  }));
}

/** Mean reward per unit of time in the long run: Σ π·r. */
export function rewardRate(probabilities: Float64Array, rewards: Float64Array): number {
  if (probabilities.length !== rewards.length)
    throw new HoldfastError('MODEL_CHAIN_INVALID', `there are ${rewards.length} rewards for ${probabilities.length} states`);
  return dot(probabilities, rewards);
}

function weightWhere(weights: Float64Array, is: IsUp): number {
  return sumOf(weights.filter((_, state) => is(state)));
}

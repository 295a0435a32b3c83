import { absorption } from '../chain/absorption.ts';
import type { DescribedChain } from '../chain/chain.ts';
import { describedChain } from '../chain/chain.ts';
import { classesOf } from '../chain/classes.ts';
import { availabilityOverTime, longRunMeasures, meanTimeToFailure, rewardRate, survivalOverTime } from '../chain/up-down.ts';
import { transient } from '../chain/transient.ts';
import type { ChainAnswer } from './answer.ts';
import { describeChain, withoutSteadyState } from './check-chains.ts';
import { longRunOf } from './evaluate-structure.ts';
import type { Model } from './schema.ts';

/** States whose probabilities are told one by one. */
const toldMax = 1000;

/** An explicit Markov chain: what was asked of it, or all that it has an answer to. */
export function evaluateChain(input: NonNullable<Model['chains']>[string], times: readonly number[]): ChainAnswer {
  const chain = describedChain(describeChain(input));
  const isUp = (state: number) => chain.up[state] === 1;
  const asked = (what: 'steady-state' | 'transient' | 'survival' | 'absorption') =>
    input.compute === undefined || input.compute.includes(what);
  const noLongRun = withoutSteadyState(chain);
  const longRun = noLongRun === undefined && asked('steady-state') ? longRunAnswer(chain, isUp) : undefined;
  const survival = asked('survival') ? survivalOverTime(chain, isUp, chain.initial, times) : undefined;
  const points = asked('transient') || survival ? transient(chain, chain.initial, times).points : [];
  const availability = points.length > 0 ? availabilityOverTime(chain, isUp, chain.initial, times) : [];
  const mttf = asked('survival') && fails(chain, isUp) ? meanTimeToFailure(chain, isUp, chain.initial) : undefined;
  const ends = noLongRun !== undefined && asked('absorption') && chain.exit.includes(0);
  return {
    states: chain.size,
    ...(longRun === undefined ? {} : { longRun }),
    ...(noLongRun === undefined ? {} : { noLongRun }),
    at: points.map(({ time, probabilities }, index) => ({
      hours: time,
      availability: availability[index]!.availability,
      unavailability: availability[index]!.unavailability,
      ...(survival ? { survival: survival[index]!.survival } : {}),
      probabilities: told(chain, probabilities),
    })),
    ...(mttf === undefined || !Number.isFinite(mttf) ? {} : { mttf }),
    ...(ends ? { absorption: endsOf(chain) } : {}),
    assumptions: ['times in each state are exponential', 'a year has 365 days, a month 30'],
  };
}

function longRunAnswer(chain: DescribedChain, isUp: (state: number) => boolean): NonNullable<ChainAnswer['longRun']> {
  const { availability, unavailability, failureFrequency, steadyState } = longRunMeasures(chain, isUp);
  return {
    ...longRunOf({ q: unavailability, a: availability, w: failureFrequency }),
    probabilities: told(chain, steadyState.probabilities),
    rewardRate: rewardRate(steadyState.probabilities, chain.rewards),
  };
}

function endsOf(chain: DescribedChain): NonNullable<ChainAnswer['absorption']> {
  const { meanTime, probabilities } = absorption(chain, chain.initial);
  const ends = told(chain, probabilities);
  return { meanTime, probabilities: Object.fromEntries(Object.entries(ends).filter(([, probability]) => probability > 0)) };
}

/** Whether it can be down at all, and does not stay up for ever with some probability. */
function fails(chain: DescribedChain, isUp: (state: number) => boolean): boolean {
  const { classOf, closed } = classesOf(chain);
  const downs = new Set<number>();
  for (let state = 0; state < chain.size; state++) if (!isUp(state)) downs.add(classOf[state]!);
  for (let state = 0; state < chain.size; state++) if (closed[classOf[state]!] === 1 && !downs.has(classOf[state]!)) return false;
  return downs.size > 0;
}

function told(chain: DescribedChain, probabilities: Float64Array): Record<string, number> {
  return Object.fromEntries(
    Array.from(probabilities.subarray(0, toldMax), (probability, state) => [chain.nameOf(state), probability] as const),
  );
}

import { HoldfastError } from '../../core/errors.ts';
import type { When } from './event.ts';
import { evaluate, type SolvedStructure } from './solve.ts';

/** How often a system fails and for how long, at one time. All in the structure's unit of time. */
export interface FailureFrequency {
  readonly unavailability: number;
  readonly availability: number;
  /** w: expected failures of the system per unit of time. */
  readonly frequency: number;
  /** Mean time between failures, 1/w: of one failure to the next, repair included. */
  readonly meanTimeBetweenFailures: number;
  /** Mean time that the system works without a break, A/w. */
  readonly meanUpTime: number;
  /** Mean time that it is down at once, Q/w. */
  readonly meanDownTime: number;
  /** λ of the working system, w/A: Vesely's failure rate. */
  readonly conditionalIntensity: number;
}

/**
 * Exact for independent events: the system fails when an event happens while the system's state hangs on it,
 *
 *     w = Σ Bᵢ·wᵢ
 *
 * with B Birnbaum's measure; where an event also brings the system back (non-coherent), Σ (raisesᵢ·wᵢ + lowersᵢ·vᵢ) with v the intensity of repairs.
 * The means of times are of the steady state.
 * Sources: Vesely: A time-dependent methodology for fault tree evaluation, Nuclear Engineering and Design 13 (1970); Schneeweiss: Computing failure
 * frequency, MTBF and MTTR via mixed products of availabilities and unavailabilities, IEEE Trans. Reliability R-30 (1981); Becker, Camarinopoulos:
 * Failure frequencies of non-coherent structures, Reliability Engineering and System Safety 41 (1993).
 *
 * @throws MODEL_NO_STEADY_STATE
 * @throws MODEL_NO_FREQUENCY when an event that matters does not say how often it happens
 */
export function failureFrequency(solved: SolvedStructure, when: When): FailureFrequency {
  const { top, events, influences } = evaluate(solved, when);
  let frequency = 0;
  for (const [index, { raises, lowers }] of influences().entries()) {
    const { intensity, repairs } = events[index]!;
    if (raises > 0) frequency += raises * (intensity ?? unknown(solved.compiled.events[index]!.name));
    if (lowers > 0) frequency += lowers * (repairs ?? unknown(solved.compiled.events[index]!.name));
  }
  return {
    unavailability: top.q,
    availability: top.a,
    frequency,
    meanTimeBetweenFailures: 1 / frequency,
    meanUpTime: top.a / frequency,
    meanDownTime: top.q / frequency,
    conditionalIntensity: frequency / top.a,
  };
}

function unknown(name: string): never {
  throw new HoldfastError(
    'MODEL_NO_FREQUENCY',
    `'${name}' is a probability without a frequency, so how often the system fails can not be told.`,
    {
      hint: 'give it a rate and a repair time, or a frequency besides its probability',
    },
  );
}

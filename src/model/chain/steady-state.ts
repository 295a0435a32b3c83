import { HoldfastError } from '../../core/errors.ts';
import type { Chain } from './chain.ts';
import { assertIrreducible } from './classes.ts';
import { eliminate } from './elimination.ts';
import { multilevel } from './multilevel.ts';
import type { EliminationBudget } from './symbolic.ts';
import { normalize, transposed } from './vectors.ts';

export interface SteadyStateOptions {
  /** What elimination may cost; beyond it the multi-level iteration takes over. */
  readonly budget?: EliminationBudget;
  /** Relative error of every probability that the iteration must reach. Default 1e-12. */
  readonly accuracy?: number;
}

export interface SteadyState {
  /** Long-run share of time in each state. Below about 10⁻³⁰⁸ they are 0. */
  readonly probabilities: Float64Array;
  readonly method: 'elimination' | 'multilevel';
  /** Greatest relative imbalance |inflow − outflow| / outflow of any state: what rounding and iteration left. */
  readonly residual: number;
  /** Bound (elimination: n·2⁻⁵³ times a small constant) or estimate (multilevel) of the relative error of every probability. */
  readonly errorEstimate: number;
  /** Cycles of the iteration; 0 where everything was eliminated. */
  readonly cycles: number;
}

const DEFAULT_ACCURACY = 1e-12;
/** An elimination that lasts longer than a few seconds is left to the iteration. */
const DEFAULT_BUDGET: EliminationBudget = { fillMax: 2e7, operationsMax: 4e9 };

/**
 * Steady state π·Q = 0, Σπ = 1. Each probability carries its digits however small it is: by GTH elimination in a fill-reducing order where
 * that fits the budget, else by multi-level iteration, which says how far it came.
 *
 * @throws MODEL_CHAIN_REDUCIBLE where there is no single steady state
 * @throws MODEL_NOT_CONVERGED where the iteration does not reach the accuracy
 */
export function steadyState(chain: Chain, options: SteadyStateOptions = {}): SteadyState {
  assertIrreducible(chain);
  if (chain.size === 1) return { probabilities: Float64Array.of(1), method: 'elimination', residual: 0, errorEstimate: 0, cycles: 0 };
  const solved = eliminate({ ...chain, leave: new Float64Array(chain.size) }, options.budget ?? DEFAULT_BUDGET);
  if (solved !== undefined) {
    const probabilities = normalize(solved.stationary());
    const residual = imbalance(chain, probabilities);
    return { probabilities, method: 'elimination', residual, errorEstimate: Math.max(residual, chain.size * 2 ** -53), cycles: 0 };
  }
  const accuracy = options.accuracy ?? DEFAULT_ACCURACY;
  const { probabilities, errorEstimate, cycles } = multilevel(chain, accuracy);
  if (!(errorEstimate <= accuracy)) {
    throw new HoldfastError(
      'MODEL_NOT_CONVERGED',
      `after ${cycles} cycles the steady state of ${chain.size} states is known to a relative ${errorEstimate.toExponential(1)}, asked was ${accuracy}`,
      { hint: 'Ask for less accuracy, raise the budget of the elimination, or put alike components together.' },
    );
  }
  return { probabilities, method: 'multilevel', residual: imbalance(chain, probabilities), errorEstimate, cycles };
}

function imbalance(chain: Chain, probabilities: Float64Array): number {
  const back = transposed(chain);
  let worst = 0;
  for (let state = 0; state < chain.size; state++) {
    let inflow = 0;
    for (let at = back.rowStart[state]!; at < back.rowStart[state + 1]!; at++) inflow += probabilities[back.target[at]!]! * back.rate[at]!;
    const outflow = probabilities[state]! * chain.exit[state]!;
    // Where numbers end, digits do too.
    if (outflow > 1e-290) worst = Math.max(worst, Math.abs(inflow - outflow) / outflow);
  }
  return worst;
}

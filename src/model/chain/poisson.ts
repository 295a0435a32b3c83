/** Probabilities of so many events, from `left` on, in one row. */
export interface PoissonWeights {
  readonly left: number;
  /** Adds up to 1. */
  readonly weights: Float64Array;
}

/** Weights below this part of the greatest are left out: far more than a result's last digit, so that tiny probabilities keep theirs. */
const RELATIVE_CUT = 1e-100;

/**
 * Poisson probabilities e^(−λ)·λᵏ/k!, by recurrence outwards from the mode and scaled by their own sum, so that neither e^(−λ) nor k! is
 * ever formed (Fox, Glynn: "Computing Poisson probabilities", Comm. ACM 31, 1988). About 43·√λ + 60 weights.
 */
export function poissonWeights(mean: number): PoissonWeights {
  const mode = Math.floor(mean);
  const below: number[] = [];
  for (let k = mode, weight = 1; k > 0; k--) {
    weight *= k / mean;
    if (weight < RELATIVE_CUT) break;
    below.push(weight);
  }
  const above: number[] = [];
  for (let k = mode + 1, weight = 1; ; k++) {
    weight *= mean / k;
    if (!(weight >= RELATIVE_CUT)) break;
    above.push(weight);
  }
  const weights = Float64Array.from([...below.toReversed(), 1, ...above]);
  // Smallest first on both sides: the sum is then good to the last digits.
  const sum = 1 + below.reduceRight((total, weight) => total + weight, 0) + above.reduceRight((total, weight) => total + weight, 0);
  for (let at = 0; at < weights.length; at++) weights[at]! /= sum;
  return { left: mode - below.length, weights };
}

import { assertProbability } from './domain.ts';
import { gammaTails, inverseGammaP, inverseGammaQ } from './incomplete-gamma.ts';

// All through the incomplete gamma function of parameter ½: erf(x) = P(½, x²) (DLMF 7.11.1), which keeps its digits in both tails.

/** The error function. */
export function erf(x: number): number {
  return Math.sign(x) * gammaTails(0.5, x * x).lower;
}

/** 1 − erf(x), to full relative precision for large x. */
export function erfc(x: number): number {
  const { lower, upper } = gammaTails(0.5, x * x);
  return x >= 0 ? upper : 1 + lower;
}

/** Φ(z), the probability that a standard normal variable is at most z; keeps its digits for z of −38. */
export function normalCdf(z: number): number {
  return erfc(-z / Math.SQRT2) / 2;
}

/** z with Φ(z) = p; infinite for p of 0 and 1. For a p near 1 ask for −z of 1 − p, if that is known more exactly. */
export function normalQuantile(p: number): number {
  assertProbability('the probability of a quantile', p);
  // Around the median from the area between −z and z, farther out from that beyond them.
  const beyond = Math.min(p, 1 - p) * 2;
  const half = beyond > 0.5 ? inverseGammaP(0.5, Math.abs(2 * p - 1)) : inverseGammaQ(0.5, beyond);
  return Math.sign(p - 0.5) * Math.sqrt(2 * half);
}

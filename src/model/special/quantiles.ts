import { assertConfidence, assertPositive, assertWhole } from './domain.ts';
import { betaI, betaTails, inverseBetaTails } from './incomplete-beta.ts';
import { inverseGammaP } from './incomplete-gamma.ts';

// The quantiles that confidence bounds are made of.

/** χ² with `degrees` of freedom (any positive number) that is not exceeded with probability p (A&S 26.4.19). */
export function chiSquareQuantile(p: number, degrees: number): number {
  assertConfidence('the probability of a quantile', p);
  assertPositive('degrees of freedom', degrees);
  return 2 * inverseGammaP(degrees / 2, p);
}

/** Student's t with `degrees` of freedom that is not exceeded with probability p (A&S 26.7.1). */
export function studentQuantile(p: number, degrees: number): number {
  assertConfidence('the probability of a quantile', p);
  assertPositive('degrees of freedom', degrees);
  if (p === 0.5) return 0;
  // Near the median t is known from the area between −t and t, farther out from that beyond them.
  const beyond = 2 * Math.min(p, 1 - p);
  const between = Math.abs(2 * p - 1);
  // t²/(ν+t²) and ν/(ν+t²)
  const { x, y } = inverseBetaTails(beyond > 0.5 ? between : 1 - beyond, beyond, 0.5, degrees / 2);
  return Math.sign(p - 0.5) * Math.sqrt((degrees * x) / y);
}

/** F with m and n degrees of freedom that is not exceeded with probability p (A&S 26.6.2). */
export function fisherQuantile(p: number, m: number, n: number): number {
  assertConfidence('the probability of a quantile', p);
  const { x, y } = inverseBetaTails(p, 1 - p, m / 2, n / 2);
  return (n * x) / (m * y);
}

/** P(X ≤ k), X the number of successes in n trials of probability p each (DLMF 8.17.5). */
export function binomialCdf(k: number, n: number, p: number): number {
  assertWhole('the number of trials', n, 0);
  if (k < 0) return 0;
  return k >= n ? 1 : betaTails(1 - p, p, n - k, k + 1).lower;
}

/** P(at least k of n), each independently with probability p. */
export function atLeast(k: number, n: number, p: number): number {
  assertWhole('the number of trials', n, 0);
  if (k <= 0) return 1;
  return k > n ? 0 : betaI(p, k, n - k + 1);
}

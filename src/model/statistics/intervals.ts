import { assertConfidence, assertNonNegative, assertPositive, assertProbability, assertWhole } from '../special/domain.ts';
import { inverseBetaTails } from '../special/incomplete-beta.ts';
import { normalQuantile } from '../special/normal.ts';
import { binomialCdf, chiSquareQuantile, fisherQuantile } from '../special/quantiles.ts';

/** Between these a parameter lies with the confidence that was asked for. */
export interface Interval {
  readonly low: number;
  readonly high: number;
}

/** Whether both ends share the risk of being wrong, or the lower one has it all. */
export type Sides = 'two' | 'lower';

/** What ended an observation: a time fixed before, or the last failure itself. */
export type Truncation = 'time' | 'failure';

/**
 * Confidence bounds of the mean time between failures from `failures` in a total operating time `total`, when times between failures are
 * exponential: 2T/χ². Truncated by time, the lower bound has 2r+2 degrees of freedom, truncated by the r-th failure 2r
 * (Epstein and Sobel 1953; NIST/SEMATECH e-Handbook 8.4.5.1; MIL-HDBK-189). Units are those of `total`.
 */
export function mtbfBounds(
  total: number,
  failures: number,
  { confidence = 0.9, sides = 'two', truncation = 'time' }: { confidence?: number; sides?: Sides; truncation?: Truncation } = {},
): Interval {
  assertPositive('the operating time', total);
  assertWhole('the number of failures', failures, truncation === 'failure' ? 1 : 0);
  assertConfidence('the confidence', confidence);
  const risk = sides === 'two' ? (1 - confidence) / 2 : 1 - confidence;
  const degrees = 2 * failures;
  return {
    low: (2 * total) / chiSquareQuantile(1 - risk, truncation === 'time' ? degrees + 2 : degrees),
    high: sides === 'lower' || failures === 0 ? Infinity : (2 * total) / chiSquareQuantile(risk, degrees),
  };
}

/** The MTBF that a time without any failure proves: T / −ln(1 − C) (the case r = 0 of `mtbfBounds`). */
export function zeroFailureMtbf(total: number, confidence: number): number {
  assertPositive('the operating time', total);
  assertConfidence('the confidence', confidence);
  return -total / Math.log1p(-confidence);
}

/** The operating time that must pass with at most `failures` to prove an MTBF: MTBF·χ²(C; 2r+2)/2 (NIST e-Handbook 8.3.1.3). */
export function timeToProveMtbf(mtbf: number, failures: number, confidence: number): number {
  assertPositive('the MTBF', mtbf);
  assertWhole('the number of failures', failures, 0);
  return (mtbf * chiSquareQuantile(confidence, 2 * failures + 2)) / 2;
}

/**
 * Confidence bounds of the mean of repair times. 'exponential': χ² with 2n degrees of freedom. 'lognormal', as repair times mostly are: Cox's
 * method on the logarithms, ȳ + s²/2 ± z·√(s²/n + s⁴/(2(n−1))) (Zhou and Gao 1997); it needs at least two times, none of them 0.
 */
export function mttrBounds(
  times: readonly number[],
  { confidence = 0.9, law = 'exponential' }: { confidence?: number; law?: 'exponential' | 'lognormal' } = {},
): Interval {
  assertConfidence('the confidence', confidence);
  assertWhole('the number of repair times', times.length, law === 'exponential' ? 1 : 2);
  for (const time of times) (law === 'exponential' ? assertNonNegative : assertPositive)('a repair time', time);
  const n = times.length;
  const risk = (1 - confidence) / 2;
  if (law === 'exponential') {
    const total = times.reduce((sum, time) => sum + time, 0);
    return { low: (2 * total) / chiSquareQuantile(1 - risk, 2 * n), high: (2 * total) / chiSquareQuantile(risk, 2 * n) };
  }
  const logs = times.map(Math.log);
  const mean = logs.reduce((sum, value) => sum + value, 0) / n;
  const variance = logs.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (n - 1);
  const middle = mean + variance / 2;
  const half = -normalQuantile(risk) * Math.sqrt(variance / n + variance ** 2 / (2 * (n - 1)));
  return { low: Math.exp(middle - half), high: Math.exp(middle + half) };
}

/**
 * Confidence bounds of the unavailability after n failures and repairs, both exponential: MTTR/MTBF as measured, over what it is, has the F
 * distribution with 2n and 2n degrees of freedom (Birolini, Reliability Engineering, A8.2.2.4).
 */
export function unavailabilityBounds(mtbf: number, mttr: number, failures: number, confidence = 0.9): Interval {
  assertPositive('the MTBF', mtbf);
  assertNonNegative('the MTTR', mttr);
  assertWhole('the number of failures', failures, 1);
  assertConfidence('the confidence', confidence);
  const factor = fisherQuantile(1 - (1 - confidence) / 2, 2 * failures, 2 * failures);
  const unavailability = (ratio: number) => ratio / (1 + ratio);
  return { low: unavailability(mttr / mtbf / factor), high: unavailability((mttr / mtbf) * factor) };
}

/** Exact bounds of a probability of which k of n tries were successes (Clopper and Pearson 1934). Each end has half of the risk. */
export function clopperPearson(successes: number, tries: number, confidence = 0.95): Interval {
  assertWhole('the number of tries', tries, 1);
  assertWhole('the number of successes', successes, 0, tries);
  assertConfidence('the confidence', confidence);
  const risk = (1 - confidence) / 2;
  return { low: lowerBound(successes, tries, risk), high: 1 - lowerBound(tries - successes, tries, risk) };
}

/** The lower bound alone, with the whole risk on it: "at least so much with confidence C". n may be a weighted number of tries. */
export function provenProbability(successes: number, tries: number, confidence: number): number {
  assertNonNegative('the number of successes', successes);
  assertConfidence('the confidence', confidence);
  return tries === 0 ? 0 : lowerBound(successes, tries, 1 - confidence);
}

function lowerBound(successes: number, tries: number, risk: number): number {
  return successes === 0 ? 0 : inverseBetaTails(risk, 1 - risk, successes, tries - successes + 1).x;
}

/** Beyond so many drills nobody goes. */
const drillsMax = 1_000_000_000;

/**
 * How many drills prove, with confidence C, that a recovery works with probability R, when `failures` of them may fail. None:
 * n = ln(1 − C) / ln R, rounded up (success-run theorem); else the least n with P(X ≤ failures | n, 1 − R) ≤ 1 − C.
 */
export function drillsToProve(reliability: number, confidence: number, failures = 0): number {
  assertConfidence('the reliability to prove', reliability);
  assertConfidence('the confidence', confidence);
  assertWhole('the number of failures', failures, 0);
  const enough = (n: number) => binomialCdf(failures, n, 1 - reliability) <= (1 - confidence) * (1 + 1e-12);
  if (failures === 0) return Math.ceil((Math.log1p(-confidence) / Math.log(reliability)) * (1 - 1e-12));
  let [few, many] = [failures, failures + 1];
  for (; !enough(many) && many < drillsMax; many *= 2) few = many;
  while (many - few > 1) {
    const middle = Math.floor((few + many) / 2);
    if (enough(middle)) many = middle;
    else few = middle;
  }
  return many;
}

/** The probability that n clean drills prove with confidence C: (1 − C)^(1/n). */
export function reliabilityProven(drills: number, confidence: number): number {
  assertPositive('the number of drills', drills);
  assertConfidence('the confidence', confidence);
  return Math.exp(Math.log1p(-confidence) / drills);
}

/** The confidence with which n clean drills prove R: 1 − Rⁿ. */
export function confidenceProven(drills: number, reliability: number): number {
  assertProbability('the reliability', reliability);
  return reliability === 0 ? 1 : -Math.expm1(drills * Math.log(reliability));
}

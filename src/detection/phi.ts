const SQRT_PI = Math.sqrt(Math.PI);
/** Below, erf by its series; from here on, erfc by its continued fraction. Both carry at least 12 digits at the seam. */
const SEAM = 2;
/** Terms after which either expansion has long converged. */
const TERMS_MAX = 300;

/**
 * Suspicion level φ of the phi accrual failure detector (Hayashibara, Défago, Yared, Katayama: "The φ Accrual Failure Detector", SRDS 2004):
 *
 *     φ = −log10( P_later(t) ),   P_later(t) = 1 − F(t) = ½·erfc( y/√2 ),   y = (t − μ)/σ
 *
 * where F is the normal distribution of the intervals between heartbeats. φ = 1, 2, 3 mean that suspecting now is wrong in one case of
 * 10, 100, 1000. Computed through log(erfc), so it stays exact far into the tail, where 1 − F is zero in floating point (from y = 8.3).
 *
 * @param elapsedMs time since the last heartbeat
 * @param meanMs μ of the intervals
 * @param deviationMs σ of the intervals; with 0, φ is 0 up to the mean and infinite beyond it
 * @returns φ ≥ 0, without a unit
 */
export function phi(elapsedMs: number, meanMs: number, deviationMs: number): number {
  if (!(deviationMs >= 0)) throw new RangeError(`deviationMs must be 0 or more, but is ${deviationMs}`);
  if (deviationMs === 0) return elapsedMs > meanMs ? Infinity : 0;
  const x = (elapsedMs - meanMs) / deviationMs / Math.SQRT2;
  if (Number.isNaN(x)) throw new RangeError('elapsedMs and meanMs must be numbers');
  return Math.max(0, -log10HalfErfc(x));
}

export interface PhiOptions {
  /** Only the last so many intervals count. Default 1000, as in the paper's experiments. */
  window?: number;
  /** σ is never taken smaller than this: guards against a long calm making a small delay look like death. Default 0: the published formula as it is. */
  minimumDeviationMs?: number;
  /** Added to the mean: a pause that is always tolerated. Default 0. */
  acceptablePauseMs?: number;
}

/**
 * φ at `nowMs` for heartbeats that arrived at `arrivalsMs` (ascending). μ and σ are the mean and the population standard deviation
 * (divisor n) of the intervals in the window. With fewer than two arrivals there is no interval to judge by: 0.
 */
export function phiOfArrivals(arrivalsMs: readonly number[], nowMs: number, options: PhiOptions = {}): number {
  const { window = 1000, minimumDeviationMs = 0, acceptablePauseMs = 0 } = options;
  const last = arrivalsMs.at(-1);
  if (last === undefined || arrivalsMs.length < 2) return 0;
  const intervals: number[] = [];
  for (let i = Math.max(1, arrivalsMs.length - window); i < arrivalsMs.length; i++) {
    intervals.push(arrivalsMs[i]! - arrivalsMs[i - 1]!);
  }
  const { mean, deviation } = momentsOf(intervals);
  return phi(nowMs - last, mean + acceptablePauseMs, Math.max(deviation, minimumDeviationMs));
}

export interface Moments {
  readonly mean: number;
  readonly deviation: number;
}

/** Mean and population standard deviation, by two passes (no cancellation). */
export function momentsOf(values: readonly number[]): Moments {
  let sum = 0;
  for (const value of values) sum += value;
  const mean = sum / values.length;
  let squares = 0;
  for (const value of values) squares += (value - mean) * (value - mean);
  return { mean, deviation: Math.sqrt(squares / values.length) };
}

/** log10(½·erfc(x)), exact for all x. */
function log10HalfErfc(x: number): number {
  if (x >= SEAM) return (-x * x + Math.log(erfcScaled(x) / 2)) / Math.LN10;
  if (x >= 0) return Math.log10((1 - erfSeries(x)) / 2);
  // ½·erfc(x) = 1 − ½·erfc(−x): near 1, so through log1p.
  const half = -x >= SEAM ? (Math.exp(-x * x) * erfcScaled(-x)) / 2 : (1 - erfSeries(-x)) / 2;
  return Math.log1p(-half) / Math.LN10;
}

/** erf(x) = 2/√π · e^(−x²) · Σ 2ⁿ x^(2n+1) / (2n+1)!!  (Abramowitz & Stegun 7.1.6): all terms positive. */
function erfSeries(x: number): number {
  let term = x;
  let sum = x;
  for (let n = 1; n < TERMS_MAX && term > sum * 1e-18; n++) {
    term *= (2 * x * x) / (2 * n + 1);
    sum += term;
  }
  return (2 / SQRT_PI) * Math.exp(-x * x) * sum;
}

/** e^(x²)·erfc(x) by the continued fraction 1/√π · 1/(x + ½/(x + 1/(x + 3⁄2/(x + …)))) (Abramowitz & Stegun 7.1.14), evaluated from its tail. */
function erfcScaled(x: number): number {
  let tail = x;
  for (let n = TERMS_MAX; n >= 1; n--) tail = x + n / 2 / tail;
  return 1 / (SQRT_PI * tail);
}

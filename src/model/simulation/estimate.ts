import { studentQuantile } from '../special/quantiles.ts';
import { clopperPearson } from '../statistics/intervals.ts';

/** What a simulation found, and how sure it is. */
export interface Estimate {
  readonly mean: number;
  /** Between these the true value lies with the confidence asked for. */
  readonly low: number;
  readonly high: number;
  /** Half the interval over the mean; Infinity where nothing was seen. */
  readonly relativeHalfWidth: number;
  /** False where the interval rests on so few observations that it means little; `remark` says which. */
  readonly useful: boolean;
  readonly remark?: string;
}

/** Observations of the rarer outcome below which an interval means little. */
const OBSERVATIONS_MIN = 30;

/**
 * Mean of independent replications with Student's interval.
 * @param seen replications that contributed anything but 0: with few of them the normal approximation does not hold
 */
export function estimateMean(sum: number, squares: number, replications: number, seen: number, confidence: number): Estimate {
  const mean = sum / replications;
  const variance = Math.max(0, squares / replications - mean * mean) * (replications / Math.max(1, replications - 1));
  const half = replications < 2 ? Infinity : studentQuantile((1 + confidence) / 2, replications - 1) * Math.sqrt(variance / replications);
  const estimate = { mean, low: Math.max(0, mean - half), high: mean + half, relativeHalfWidth: mean > 0 ? half / mean : Infinity };
  return seen >= OBSERVATIONS_MIN ? { ...estimate, useful: true } : { ...estimate, useful: false, remark: tooFew(seen, replications) };
}

/** A probability, from how often something was seen: the exact interval of Clopper and Pearson (Biometrika 26, 1934). */
export function estimateProbability(seen: number, replications: number, confidence: number): Estimate {
  const mean = seen / replications;
  const { low, high } = clopperPearson(seen, replications, confidence);
  const estimate = { mean, low, high, relativeHalfWidth: mean > 0 ? (high - low) / 2 / mean : Infinity };
  return seen >= OBSERVATIONS_MIN ? { ...estimate, useful: true } : { ...estimate, useful: false, remark: tooFew(seen, replications) };
}

function tooFew(seen: number, replications: number): string {
  return `seen in ${seen} of ${replications} replications only: too rare to be simulated plainly; solve it exactly, or simulate far longer`;
}

import { HoldfastError } from '../../core/errors.ts';
import { assertConfidence, assertNonNegative, assertPositive } from '../special/domain.ts';
import { studentQuantile } from '../special/quantiles.ts';
import type { Interval } from '../statistics/intervals.ts';
import { median, theilSen } from './robust.ts';

/** What one restore drill measured. */
export interface DrillRecord {
  readonly bytes: number;
  /** Time that copying them back took. */
  readonly copyMs: number;
  /** The history that was replayed, and how long that took, start-up included. */
  readonly replayedMs: number;
  readonly replayMs: number;
  /** Everything else: provision, verify, cut over. Default 0. */
  readonly otherMs?: number;
}

/** What drills say about the next recovery. */
export interface Calibration {
  readonly bytesPerSecond: number;
  readonly rampup: number;
  /** With 90 % confidence; a high end of 1 or more means that catching up may never end. */
  readonly rampupBounds: Interval;
  readonly startMs: number;
  readonly otherMs: number;
  readonly drills: number;
  /** measured / predicted of each drill, predicted from all the others. In the order of the records. */
  readonly errors: readonly number[];
  readonly method: string;
}

/** Fewer drills can not be left out in turn and still give a line. */
const drillsMin = 4;

/**
 * Fits a, ρ and the rate to drills: replay = a + ρ·w by Theil and Sen (drills that went astray hardly move it), the rate as the median of
 * bytes per second, everything else as its median.
 * @throws MODEL_TOO_FEW_DRILLS with less than four drills, or all of one window
 */
export function calibrate(records: readonly DrillRecord[]): Calibration {
  for (const { bytes, copyMs, replayedMs, replayMs, otherMs = 0 } of records) {
    assertPositive('bytes of a drill', bytes);
    assertPositive('copyMs of a drill', copyMs);
    for (const value of [replayedMs, replayMs, otherMs]) assertNonNegative('a time of a drill', value);
  }
  if (records.length < drillsMin) throw tooFew(`${records.length} drills are too few: ${drillsMin} at least`);
  const fitted = fit(records);
  const errors = records.map((record, index) => total(record) / predict(fit(records.toSpliced(index, 1)), record));
  return {
    ...fitted,
    drills: records.length,
    errors,
    method: 'replay = a + ρ·w by Theil–Sen; rate and the rest by medians; each error measured/predicted with that drill left out',
  };
}

/** An upper limit of the time of the next recovery. */
export interface Promise95 {
  readonly expectedMs: number;
  /** Not exceeded with this probability. */
  readonly probability: number;
  readonly limitMs: number;
  readonly method: string;
}

/**
 * The time that the next recovery of so many bytes and so much history keeps to with probability p: the prediction times a limit of its errors.
 * With enough drills (n+1 ≥ 1/(1−p): 19 for 95 %) the limit is the ⌈p(n+1)⌉-th of the errors, whatever their distribution (Wilks 1941; as in
 * conformal prediction); with fewer, that of one more lognormal error: exp(m + t·s·√(1 + 1/n)), t of Student with n−1 degrees of freedom.
 */
export function promise(
  calibration: Calibration,
  next: { readonly bytes: number; readonly replayedMs: number },
  probability = 0.95,
): Promise95 {
  assertConfidence('the probability of a promise', probability);
  const expectedMs = predict(calibration, next);
  const { errors } = calibration;
  const n = errors.length;
  const rank = Math.ceil(probability * (n + 1) - 1e-9);
  if (rank <= n) {
    const limit = Float64Array.from(errors).toSorted()[rank - 1]!;
    return {
      expectedMs,
      probability,
      limitMs: expectedMs * limit,
      method: `error number ${rank} of ${n} in order of size: free of any distribution`,
    };
  }
  const logs = errors.map(Math.log);
  const mean = logs.reduce((sum, value) => sum + value, 0) / n;
  const deviation = Math.sqrt(logs.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (n - 1));
  const limit = Math.exp(mean + studentQuantile(probability, n - 1) * deviation * Math.sqrt(1 + 1 / n));
  return {
    expectedMs,
    probability,
    limitMs: expectedMs * limit,
    method: `errors of ${n} drills taken as lognormal, Student's t with ${n - 1} degrees of freedom`,
  };
}

type Fit = Pick<Calibration, 'bytesPerSecond' | 'rampup' | 'rampupBounds' | 'startMs' | 'otherMs'>;

function fit(records: readonly DrillRecord[]): Fit {
  const line = theilSen(records.map(({ replayedMs, replayMs }) => [replayedMs, replayMs]));
  if (line === undefined) throw tooFew('all drills replayed the same length of history, so that start-up and rampup can not be told apart');
  return {
    bytesPerSecond: median(records.map(({ bytes, copyMs }) => (bytes / copyMs) * 1000)),
    rampup: Math.max(0, line.slope),
    rampupBounds: line.slopeBounds,
    startMs: Math.max(0, line.intercept),
    otherMs: median(records.map(({ otherMs = 0 }) => otherMs)),
  };
}

function predict({ bytesPerSecond, rampup, startMs, otherMs }: Fit, { bytes, replayedMs }: { bytes: number; replayedMs: number }): number {
  return (bytes / bytesPerSecond) * 1000 + startMs + rampup * replayedMs + otherMs;
}

function total({ copyMs, replayMs, otherMs = 0 }: DrillRecord): number {
  return copyMs + replayMs + otherMs;
}

function tooFew(what: string): HoldfastError {
  return new HoldfastError('MODEL_TOO_FEW_DRILLS', what, {
    hint: 'Rehearse restores to several points in time, with different amounts of history after the base backup.',
  });
}

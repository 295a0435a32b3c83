import { assertWhole } from '../special/domain.ts';
import { normalQuantile } from '../special/normal.ts';
import type { Interval } from '../statistics/intervals.ts';

/** A straight line y = intercept + slope·x. */
export interface Line {
  readonly slope: number;
  readonly intercept: number;
  /** Of the slope, by the distribution of Kendall's τ. */
  readonly slopeBounds: Interval;
}

/** Pairs are quadratic in number: beyond this the points are thinned evenly. */
const pointsMax = 2000;

export function median(values: readonly number[]): number {
  assertWhole('the number of values', values.length, 1);
  const sorted = Float64Array.from(values).toSorted();
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/**
 * The line of Theil (1950) and Sen (1968): its slope is the median of the slopes through all pairs of points, its intercept the median of what is
 * left. Up to 29 % of the points may be anything. undefined unless there are two different x.
 */
export function theilSen(points: readonly (readonly [x: number, y: number])[], confidence = 0.9): Line | undefined {
  const used = thin(points);
  const slopes: number[] = [];
  for (const [i, [x, y]] of used.entries()) {
    for (let j = 0; j < i; j++) {
      const [otherX, otherY] = used[j]!;
      if (x !== otherX) slopes.push((y - otherY) / (x - otherX));
    }
  }
  if (slopes.length === 0) return undefined;
  const slope = median(slopes);
  const sorted = Float64Array.from(slopes).toSorted();
  // Sen 1968: the ranks that are z·√(n(n−1)(2n+5)/18) apart; ties of x are passed over.
  const n = used.length;
  const spread = normalQuantile((1 + confidence) / 2) * Math.sqrt((n * (n - 1) * (2 * n + 5)) / 18);
  const low = sorted[Math.max(0, Math.floor((sorted.length - spread) / 2))]!;
  const high = sorted[Math.min(sorted.length - 1, Math.ceil((sorted.length + spread) / 2))]!;
  return { slope, intercept: median(used.map(([x, y]) => y - slope * x)), slopeBounds: { low, high } };
}

function thin<T>(values: readonly T[]): readonly T[] {
  if (values.length <= pointsMax) return values;
  return Array.from({ length: pointsMax }, (_, index) => values[Math.floor((index * values.length) / pointsMax)]!);
}

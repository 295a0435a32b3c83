/** What is told of a list of measured values, in their unit. */
export interface Summary {
  readonly count: number;
  readonly median: number;
  /** Nearest rank: the least value that nine of ten do not exceed. */
  readonly p90: number;
  readonly worst: number;
}

/** Undefined where nothing was measured. `worst` is the greatest. */
export function summarize(values: readonly number[]): Summary | undefined {
  if (values.length === 0) return undefined;
  const sorted = values.toSorted((a, b) => a - b);
  return { count: sorted.length, median: median(sorted), p90: sorted[Math.ceil(sorted.length * 0.9) - 1]!, worst: sorted.at(-1)! };
}

function median(sorted: readonly number[]): number {
  const middle = sorted.length / 2;
  return sorted.length % 2 === 1 ? sorted[Math.floor(middle)]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

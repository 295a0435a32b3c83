/** Where a computation over time stands: changed in place. */
export interface Progress {
  probabilities: Float64Array;
  /** Mean time spent in each state so far; undefined when it was not asked for. */
  occupancy: Float64Array | undefined;
}

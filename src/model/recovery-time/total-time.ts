import { assertConfidence } from '../special/domain.ts';

/** The law of one step of a recovery; times in any one unit. */
export interface StepLaw {
  readonly mean: number;
  /** F(t). */
  readonly cdf: (time: number) => number;
  /** The least t with F(t) ≥ p. */
  readonly quantile: (p: number) => number;
}

/** The law of all steps one after the other. */
export interface TotalTime {
  readonly mean: number;
  /** The time that is not exceeded with probability p, to within `resolution`. */
  readonly quantile: (p: number) => number;
  /** The probability to be done by then. */
  readonly within: (time: number) => number;
  readonly resolution: number;
}

/** Cells of the grid that all steps share. */
const cells = 4096;
/** What is beyond this quantile of a step stands at it. */
const cutAt = 1e-5;

/**
 * The sum of independent times, by convolution on a grid: each step's probability is gathered at the middle of each cell, which keeps its mean to the
 * second order of the cell. Steps that always last the same only shift it.
 */
export function totalTime(steps: readonly StepLaw[]): TotalTime {
  const fixed = steps.filter((step) => step.quantile(1 - cutAt) === step.quantile(cutAt));
  const random = steps.filter((step) => !fixed.includes(step));
  const shift = fixed.reduce((sum, { mean }) => sum + mean, 0);
  const mean = steps.reduce((sum, step) => sum + step.mean, 0);
  const range = random.reduce((sum, step) => sum + step.quantile(1 - cutAt), 0);
  if (random.length === 0) return { mean, quantile: () => shift, within: (time) => (time >= shift ? 1 : 0), resolution: 0 };
  const cell = range / cells;
  const masses = random.map((step) => massesOf(step, cell)).reduce(convolve);
  const cumulative = new Float64Array(masses.length);
  masses.reduce((sum, mass, index) => (cumulative[index] = sum + mass), 0);
  // Cell i reaches from (i − ½) to (i + ½) cells.
  const edge = (index: number) => shift + (index + 0.5) * cell;
  return {
    mean,
    resolution: cell,
    within: (time) => {
      const place = (time - shift) / cell - 0.5;
      const below = Math.floor(place);
      if (below >= cumulative.length - 1) return 1;
      const [low, high] = [cumulative[below] ?? 0, cumulative[below + 1] ?? 0];
      return time < shift ? 0 : low + (high - low) * (place - below);
    },
    quantile: (p) => {
      assertConfidence('the probability of a quantile', p);
      const index = cumulative.findIndex((sum) => sum >= p);
      if (index < 0) return edge(cumulative.length - 1);
      const before = index === 0 ? 0 : cumulative[index - 1]!;
      return Math.max(shift, edge(index - 1) + (cell * (p - before)) / (cumulative[index]! - before));
    },
  };
}

function massesOf(step: StepLaw, cell: number): Float64Array {
  const last = Math.ceil(step.quantile(1 - cutAt) / cell);
  const masses = new Float64Array(last + 1);
  let before = 0;
  for (let index = 0; index <= last; index++) {
    const upTo = index === last ? 1 : step.cdf((index + 0.5) * cell);
    masses[index] = upTo - before;
    before = upTo;
  }
  return masses;
}

function convolve(a: Float64Array, b: Float64Array): Float64Array {
  const sum = new Float64Array(a.length + b.length - 1);
  for (const [i, mass] of a.entries()) {
    if (mass === 0) continue;
    for (let j = 0; j < b.length; j++) sum[i + j]! += mass * b[j]!;
  }
  return sum;
}

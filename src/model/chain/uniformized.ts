import type { Chain } from './chain.ts';
import { poissonWeights } from './poisson.ts';
import type { Progress } from './progress.ts';
import { sumOf } from './vectors.ts';

/** Probabilities below are taken for 0. */
const UNFOLLOWED = 1e-290;
/** Jumps between two corrections of the sum of all probabilities. */
const CORRECTION_EVERY = 256;

/**
 * A chain that jumps at one speed in all states, staying where it is where it has nothing else to do (Jensen 1953; Grassmann 1977):
 * p(t) = Σₖ e^(−Λt)(Λt)ᵏ/k! · p(0)·Pᵏ with P = I + Q/Λ.
 */
export class Uniformized {
  /** Λ: jumps per unit of time. */
  readonly speed: number;
  private readonly chain: Chain;
  /** Probabilities of the jumps, and of staying. */
  private readonly jump: Float64Array;
  private readonly stay: Float64Array;

  constructor(chain: Chain) {
    this.chain = chain;
    this.speed = chain.exit.reduce((most, rate) => Math.max(most, rate), 0);
    this.jump = chain.rate.map((rate) => rate / this.speed);
    this.stay = chain.exit.map((rate) => (this.speed === 0 ? 1 : (this.speed - rate) / this.speed));
  }

  /** @returns matrix–vector products done */
  advance(progress: Progress, duration: number): number {
    if (this.speed === 0) {
      addScaled(progress.occupancy, progress.probabilities, duration);
      return 0;
    }
    const { left, weights } = poissonWeights(this.speed * duration);
    const last = left + weights.length - 1;
    const above = tailsOf(weights);
    let vector = progress.probabilities;
    const result = new Float64Array(this.chain.size);
    for (let jumps = 0; jumps <= last; jumps++) {
      if (jumps > 0) vector = this.step(vector);
      if (jumps % CORRECTION_EVERY === CORRECTION_EVERY - 1) correct(vector);
      if (jumps >= left) addScaled(result, vector, weights[jumps - left]!);
      // ∫ of the weight of k jumps over time is P(more than k jumps) / Λ.
      addScaled(progress.occupancy, vector, (jumps < left ? 1 : above[jumps - left]!) / this.speed);
    }
    progress.probabilities = correct(result);
    return last;
  }

  private step(vector: Float64Array): Float64Array {
    const { size, rowStart, target } = this.chain;
    const next = new Float64Array(size);
    for (let state = 0; state < size; state++) {
      const value = vector[state]!;
      // Numbers at the very end of their range would make every operation slow.
      if (value < UNFOLLOWED) continue;
      next[state]! += value * this.stay[state]!;
      for (let at = rowStart[state]!; at < rowStart[state + 1]!; at++) next[target[at]!]! += value * this.jump[at]!;
    }
    return next;
  }
}

/** Sums of all weights behind each. */
function tailsOf(weights: Float64Array): Float64Array {
  const tails = new Float64Array(weights.length);
  for (let at = weights.length - 2; at >= 0; at--) tails[at] = tails[at + 1]! + weights[at + 1]!;
  return tails;
}

function addScaled(into: Float64Array | undefined, values: Float64Array, factor: number): void {
  if (into === undefined) return;
  for (let at = 0; at < into.length; at++) into[at]! += values[at]! * factor;
}

/** Takes back what rounding added to the whole. */
function correct(vector: Float64Array): Float64Array {
  const sum = sumOf(vector);
  for (let at = 0; at < vector.length; at++) vector[at]! /= sum;
  return vector;
}

import { hasCode } from '../../core/errors.ts';
import type { Chain } from './chain.ts';
import type { ChainClasses } from './classes.ts';
import { steadyState } from './steady-state.ts';
import type { Progress } from './progress.ts';
import { sumOf } from './vectors.ts';

/**
 * log(β/α) that rounding makes. What stays below it over two slices, the second twice as long, moves no more: the changes of a form that is
 * still on its way are seen as long as they would matter over as many slices.
 */
const ROUNDING = 1e-13;
const SLICES_MAX = 1e6;
/** Probabilities below are not followed any more. */
export const TINY = 1e-280;

/**
 * Recognizes, with a proof, that a chain has taken the form that it keeps:
 *
 * - a chain that hangs together: every probability within `accuracy` of its steady state, relatively. The greatest relative deviation
 *   never grows again, as each step averages it (by the reversed chain);
 * - a chain whose only ends are absorbing states: what is not absorbed shrinks alike everywhere. From α·v ≤ v·P ≤ β·v, with P what a slice
 *   of time does to it, follows αⁿ·v ≤ v·Pⁿ ≤ βⁿ·v (Collatz–Wielandt; P has no negative entry), so n·log(β/α) bounds the relative error.
 *   Where that is but rounding, twice in a row, it is taken for none.
 */
export class LongRun {
  private readonly chain: Chain;
  private readonly accuracy: number;
  private kind: 'steady' | 'absorbing' | 'other';
  private steady: Float64Array | undefined;
  /** log(β/α) of the slice before. */
  private changeBefore = Infinity;
  /** Rate at which what is not absorbed shrinks. */
  private decay = 0;

  constructor(chain: Chain, { count, classOf, closed }: ChainClasses, accuracy: number) {
    this.chain = chain;
    this.accuracy = accuracy;
    const absorbs = chain.exit.every((rate, state) => closed[classOf[state]!] === 0 || rate === 0);
    this.kind = count === 1 ? 'steady' : absorbs ? 'absorbing' : 'other';
  }

  /**
   * Whether the form is reached well enough for going on in closed form.
   * @param before the probabilities one slice ago
   * @param slices how many more such slices there are to go
   */
  reached(before: Float64Array, { probabilities }: Progress, slices: number): boolean {
    if (this.kind === 'steady') {
      this.steady ??= this.solve();
      return (
        this.steady !== undefined &&
        this.steady.every((value, state) => Math.abs(probabilities[state]! - value) <= Math.max(this.accuracy * value, TINY))
      );
    }
    return this.kind === 'absorbing' && this.shrinksEvenly(before, probabilities, slices);
  }

  /** A long run that can not be solved is none to wait for. */
  private solve(): Float64Array | undefined {
    try {
      return steadyState(this.chain).probabilities;
    } catch (error) {
      if (!hasCode(error, 'MODEL_NOT_CONVERGED')) throw error;
      this.kind = 'other';
      return undefined;
    }
  }

  private shrinksEvenly(before: Float64Array, after: Float64Array, slices: number): boolean {
    const { chain } = this;
    let least = Infinity;
    let most = 0;
    let lost = 0;
    let alive = 0;
    for (let state = 0; state < chain.size; state++) {
      if (chain.exit[state] === 0) continue;
      const value = after[state]!;
      alive += value;
      if (value <= TINY) continue;
      least = Math.min(least, value / before[state]!);
      most = Math.max(most, value / before[state]!);
      for (let at = chain.rowStart[state]!; at < chain.rowStart[state + 1]!; at++)
        if (chain.exit[chain.target[at]!] === 0) lost += value * chain.rate[at]!;
    }
    const change = alive === 0 ? 0 : Math.log(most / least);
    const settled = change <= ROUNDING && this.changeBefore <= ROUNDING && slices <= SLICES_MAX;
    this.changeBefore = change;
    if (!settled && !(change * slices <= this.accuracy)) return false;
    this.decay = alive === 0 ? 0 : lost / alive;
    return true;
  }

  advance(progress: Progress, duration: number): void {
    const { chain } = this;
    if (this.kind === 'steady') {
      progress.probabilities = this.steady!.slice();
      progress.occupancy?.forEach((value, state) => (progress.occupancy![state] = value + this.steady![state]! * duration));
      return;
    }
    const before = progress.probabilities;
    const after = before.slice();
    // ∫₀ᵗ e^(−θu) du: the factor of all time spent and all flow.
    const spent = this.decay === 0 ? duration : -Math.expm1(-this.decay * duration) / this.decay;
    for (let state = 0; state < chain.size; state++) {
      if (chain.exit[state] === 0) continue;
      after[state] = before[state]! * Math.exp(-this.decay * duration);
      if (progress.occupancy !== undefined) progress.occupancy[state]! += before[state]! * spent;
      for (let at = chain.rowStart[state]!; at < chain.rowStart[state + 1]!; at++) {
        if (chain.exit[chain.target[at]!] === 0) after[chain.target[at]!]! += before[state]! * chain.rate[at]! * spent;
      }
    }
    const total = sumOf(after);
    progress.probabilities = after.map((value) => value / total);
    this.addTimeAbsorbed(progress, before, duration);
  }

  /** Time in absorbing states: what was there all along, and what arrived for what was left of the time. */
  private addTimeAbsorbed({ occupancy }: Progress, before: Float64Array, duration: number): void {
    if (occupancy === undefined) return;
    const { chain, decay } = this;
    const x = decay * duration;
    // ∫₀ᵗ (t − u)·e^(−θu) du = (x − 1 + e^(−x)) / θ², by its series where that cancels.
    const late =
      x < 0.05
        ? duration ** 2 * (1 / 2 - x / 6 + x ** 2 / 24 - x ** 3 / 120 + x ** 4 / 720 - x ** 5 / 5040 + x ** 6 / 40_320)
        : (x + Math.expm1(-x)) / decay ** 2;
    for (let state = 0; state < chain.size; state++) {
      if (chain.exit[state] === 0) {
        occupancy[state]! += before[state]! * duration;
        continue;
      }
      for (let at = chain.rowStart[state]!; at < chain.rowStart[state + 1]!; at++) {
        if (chain.exit[chain.target[at]!] === 0) occupancy[chain.target[at]!]! += before[state]! * chain.rate[at]! * late;
      }
    }
  }
}

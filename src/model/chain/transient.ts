import { HoldfastError } from '../../core/errors.ts';
import { assertInitial, type Chain } from './chain.ts';
import { classesOf } from './classes.ts';
import { LongRun } from './long-run.ts';
import type { Progress } from './progress.ts';
import { advanceBySquaring, SQUARING_STATES_MAX } from './squaring.ts';
import { Uniformized } from './uniformized.ts';

export interface TransientOptions {
  /** Also tells how long the chain was in each state until then. */
  readonly occupancy?: boolean;
  /** Relative deviation from the long-run form at which a chain counts as having reached it. Default 1e-11. */
  readonly accuracy?: number;
}

/** How the chain stands at one time. */
export interface TransientPoint {
  readonly time: number;
  readonly probabilities: Float64Array;
  /** Mean time spent in each state from 0 until then; absent when it was not asked for. */
  readonly occupancy: Float64Array | undefined;
}

export interface Transient {
  /** In the order in which the times were asked. */
  readonly points: readonly TransientPoint[];
  /**
   * `uniformisation`: step by step; `squaring`: by squaring of a dense matrix; `long-run`: step by step until the chain provably keeps its
   * form within `accuracy`, from there in closed form.
   */
  readonly methods: readonly ('uniformisation' | 'squaring' | 'long-run')[];
  /** Matrix–vector products done. */
  readonly steps: number;
}

/** Multiplications after which a step-by-step answer is not worth waiting for. */
const WORK_MAX = 1.5e10;
/** Products between two looks at whether the long run has begun: the first, then twice as many each time. */
const FIRST_SLICE = 512;
/** Part of a slice that is not worth a look at the long run. */
const NEGLIGIBLE = 1e-9;
/** From so many products on, squaring keeps more digits than stepping. */
const SQUARING_STEPS_MIN = 20_000;

/**
 * Probabilities of the states at the given times, and the time spent in each until then. No subtraction anywhere: small probabilities
 * keep their digits. Stiff chains (λt of 10⁷ and beyond) are squared when they are small, and followed only until they take their long-run
 * form when they are large.
 *
 * @param initial probabilities at time 0
 * @param times from 0 on, in any order
 * @throws MODEL_TIME_INVALID, MODEL_CHAIN_INVALID (`initial`)
 * @throws MODEL_CHAIN_TOO_STIFF where none of these is affordable
 */
export function transient(chain: Chain, initial: Float64Array, times: readonly number[], options: TransientOptions = {}): Transient {
  for (const time of times) {
    if (!(time >= 0 && time < Infinity))
      throw new HoldfastError('MODEL_TIME_INVALID', `a time must be a finite number of 0 or more, but is ${time}`);
  }
  assertInitial(chain, initial);
  const walker = new Walker(chain, options.accuracy ?? 1e-11, Math.max(0, ...times));
  const progress: Progress = {
    probabilities: initial.slice(),
    occupancy: options.occupancy === true ? new Float64Array(chain.size) : undefined,
  };
  const points: TransientPoint[] = [];
  let now = 0;
  for (const index of times.map((_, at) => at).toSorted((a, b) => times[a]! - times[b]!)) {
    walker.advance(progress, times[index]! - now);
    now = times[index]!;
    points[index] = { time: now, probabilities: progress.probabilities.slice(), occupancy: progress.occupancy?.slice() };
  }
  return { points, methods: [...walker.methods], steps: walker.steps };
}

/** Moves a chain on in time, by whatever is cheapest and keeps the digits. */
class Walker {
  readonly methods = new Set<Transient['methods'][number]>();
  steps = 0;
  private readonly chain: Chain;
  private readonly uniformized: Uniformized;
  private readonly longRun: LongRun;
  private slice = FIRST_SLICE;
  /** Time that is still ahead, up to the last that was asked. */
  private ahead: number;
  private settled = false;

  constructor(chain: Chain, accuracy: number, end: number) {
    this.chain = chain;
    this.ahead = end;
    this.uniformized = new Uniformized(chain);
    this.longRun = new LongRun(chain, classesOf(chain), accuracy);
  }

  advance(progress: Progress, duration: number): void {
    const jumps = this.uniformized.speed * duration;
    const squares = jumps > SQUARING_STEPS_MIN && this.chain.size <= SQUARING_STATES_MAX;
    // Even where squaring is affordable, a chain that settles at once is done sooner.
    const left = this.settled
      ? duration
      : this.advanceBySlices(progress, duration, squares ? squaringWork(this.chain.size, jumps) : WORK_MAX);
    if (left === 0) return;
    this.ahead -= left;
    if (this.settled) {
      this.longRun.advance(progress, left);
      this.methods.add('long-run');
    } else if (squares) {
      advanceBySquaring(this.chain, progress, left, this.uniformized.speed);
      this.methods.add('squaring');
    } else throw tooStiff(this.chain, this.uniformized.speed * left);
  }

  /** Until the chain has settled, or the work was done. @returns what is left of the duration */
  private advanceBySlices(progress: Progress, duration: number, workMax: number): number {
    let left = duration;
    let work = 0;
    while (left > 0 && !this.settled) {
      const step = Math.min(left, this.slice / this.uniformized.speed);
      work += this.uniformized.speed * step * (this.chain.target.length + this.chain.size);
      if (work > workMax) break;
      const before = progress.probabilities;
      this.steps += this.uniformized.advance(progress, step);
      this.methods.add('uniformisation');
      left = step === left ? 0 : left - step;
      this.ahead -= step;
      this.settled = this.ahead > step * NEGLIGIBLE && this.longRun.reached(before, progress, this.ahead / step);
      if (left > 0) this.slice *= 2;
    }
    return left;
  }
}

function squaringWork(size: number, jumps: number): number {
  return size ** 3 * Math.log2(jumps);
}

function tooStiff(chain: Chain, jumps: number): HoldfastError {
  const text = `the chain of ${chain.size} states still has ${jumps.toExponential(1)} jumps of its fastest state ahead and no long-run form yet`;
  return new HoldfastError('MODEL_CHAIN_TOO_STIFF', text, {
    hint: `Ask for an earlier time, put alike states together (${SQUARING_STATES_MAX} states can be squared instead), or leave out what is very fast.`,
  });
}

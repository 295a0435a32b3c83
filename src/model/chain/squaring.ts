import type { Chain } from './chain.ts';
import { poissonWeights } from './poisson.ts';
import type { Progress } from './progress.ts';

/** Dense matrices of so many states are squared in a second or so. */
export const SQUARING_STATES_MAX = 400;

/**
 * p·e^(Qt) for small stiff chains: e^(Qh) for an h within which nothing jumps twice, squared until h has become t. All entries stay
 * positive and every row is scaled to 1 again after each squaring, so that errors grow with log t and small entries keep their digits
 * (Xue, Ye: "Computing exponentials of essentially non-negative matrices entrywise to high relative accuracy", Math. Comp. 82, 2013).
 */
export function advanceBySquaring(chain: Chain, progress: Progress, duration: number, speed: number): void {
  const doublings = Math.max(0, Math.ceil(Math.log2(speed * duration)) + 1);
  const step = duration / 2 ** doublings;
  let { power, integral } = shortStep(chain, step, speed, progress.occupancy !== undefined);
  for (let doubling = 0; doubling < doublings; doubling++) {
    // ∫ over twice the time: the first half, and the second half begun where the first ended.
    if (integral !== undefined) integral = sum(integral, product(power, integral, chain.size));
    power = normalizeRows(product(power, power, chain.size), chain.size);
  }
  const before = progress.probabilities;
  progress.probabilities = times(before, power, chain.size);
  if (integral === undefined) return;
  const spent = times(before, integral, chain.size);
  spent.forEach((value, state) => (progress.occupancy![state]! += value));
}

/** e^(Qh) and ∫₀ʰ e^(Qu) du by their Poisson series. */
function shortStep(
  chain: Chain,
  step: number,
  speed: number,
  withIntegral: boolean,
): { power: Float64Array; integral: Float64Array | undefined } {
  const { size } = chain;
  const jump = new Float64Array(size * size);
  for (let state = 0; state < size; state++) {
    jump[state * size + state] = (speed - chain.exit[state]!) / speed;
    for (let at = chain.rowStart[state]!; at < chain.rowStart[state + 1]!; at++)
      jump[state * size + chain.target[at]!] = chain.rate[at]! / speed;
  }
  // The mean is below 1, so the weights begin with no jump at all.
  const { weights } = poissonWeights(speed * step);
  let term = identity(size);
  const power = new Float64Array(size * size);
  const integral = withIntegral ? new Float64Array(size * size) : undefined;
  let tail = weights.reduceRight((total, weight, at) => (at === 0 ? total : total + weight), 0);
  for (let jumps = 0; jumps < weights.length && weights[jumps]! > 1e-40; jumps++) {
    if (jumps > 0) {
      term = product(term, jump, size);
      tail = weights.subarray(jumps + 1).reduceRight((total, weight) => total + weight, 0);
    }
    for (let at = 0; at < power.length; at++) power[at]! += weights[jumps]! * term[at]!;
    if (integral !== undefined) for (let at = 0; at < power.length; at++) integral[at]! += (tail / speed) * term[at]!;
  }
  return { power: normalizeRows(power, size), integral };
}

function identity(size: number): Float64Array {
  const matrix = new Float64Array(size * size);
  for (let at = 0; at < size; at++) matrix[at * size + at] = 1;
  return matrix;
}

function product(a: Float64Array, b: Float64Array, size: number): Float64Array {
  const result = new Float64Array(size * size);
  for (let i = 0; i < size; i++) {
    for (let k = 0; k < size; k++) {
      const factor = a[i * size + k]!;
      if (factor === 0) continue;
      const row = k * size;
      const into = i * size;
      for (let j = 0; j < size; j++) result[into + j]! += factor * b[row + j]!;
    }
  }
  return result;
}

function sum(a: Float64Array, b: Float64Array): Float64Array {
  return a.map((value, at) => value + b[at]!);
}

function times(vector: Float64Array, matrix: Float64Array, size: number): Float64Array {
  const result = new Float64Array(size);
  for (let i = 0; i < size; i++) {
    const value = vector[i]!;
    if (value !== 0) for (let j = 0; j < size; j++) result[j]! += value * matrix[i * size + j]!;
  }
  return result;
}

function normalizeRows(matrix: Float64Array, size: number): Float64Array {
  for (let i = 0; i < size; i++) {
    let total = 0;
    for (let j = 0; j < size; j++) total += matrix[i * size + j]!;
    for (let j = 0; j < size; j++) matrix[i * size + j]! /= total;
  }
  return matrix;
}

import { assertPositive } from './domain.ts';

/** Euler's constant γ (DLMF 5.2.3). */
export const eulerGamma = 0.577_215_664_901_532_9;

const halfLogTwoPi = 0.918_938_533_204_672_8;

/** Where the asymptotic series takes over: from here on its seventh term is below 10⁻¹⁷. */
const asymptoticFrom = 10;

/** B₂ₖ / (2k(2k−1)), k = 1…8: Stirling's series (DLMF 5.11.1). */
const stirlingCoefficients = [1 / 12, -1 / 360, 1 / 1260, -1 / 1680, 1 / 1188, -691 / 360_360, 1 / 156, -3617 / 122_400] as const;

/** (ζ(k) − 1) / k, k = 2…32. */
const zetaMinusOneOverK = Array.from({ length: 31 }, (_, index) => zetaMinusOne(index + 2) / (index + 2));

/**
 * ln Γ(x) for x > 0, relative error below 10⁻¹⁴ also beside its zeros 1 and 2.
 * Near them by the series in ζ(k) − 1 (A&S 6.1.33, DLMF 5.7.3), from 10 on by Stirling's (DLMF 5.11.1), between by recurrence.
 */
export function logGamma(x: number): number {
  assertPositive('the argument of ln Γ', x);
  if (x < 0.5) return logGammaNearTwo(x) - Math.log1p(x) - Math.log(x);
  if (x < 1.5) return logGammaNearTwo(x - 1) - Math.log1p(x - 1);
  if (x >= asymptoticFrom) return (x - 0.5) * Math.log(x) - x + halfLogTwoPi + stirlingCorrection(x);
  let product = 1;
  let rest = x;
  for (; rest >= 2.5; product *= rest) rest -= 1;
  return logGammaNearTwo(rest - 2) + Math.log(product);
}

/** ln Γ(1 + w) for w > −1; keeps the digits of a tiny w, which 1 + w would lose. */
export function logGammaOnePlus(w: number): number {
  return Math.abs(w) <= 0.5 ? logGammaNearTwo(w) - Math.log1p(w) : logGamma(1 + w);
}

/** Γ(x) for 0 < x; infinite from 171.7 on. */
export function gamma(x: number): number {
  assertPositive('the argument of Γ', x);
  if (Number.isInteger(x) && x <= 171) {
    let factorial = 1;
    for (let k = 2; k < x; k++) factorial *= k;
    return factorial;
  }
  return Math.exp(logGamma(x));
}

/** ln Γ(x) − [(x − ½) ln x − x + ½ ln 2π] for x > 0: what Stirling's formula lacks. To full absolute precision for all x. */
export function stirlingCorrection(x: number): number {
  if (x < asymptoticFrom) return logGamma(x) - ((x - 0.5) * Math.log(x) - x + halfLogTwoPi);
  const square = 1 / (x * x);
  let sum = 0;
  for (const coefficient of stirlingCoefficients.toReversed()) sum = coefficient + square * sum;
  return sum / x;
}

/** ln of the binomial coefficient "n over k". */
export function logChoose(n: number, k: number): number {
  return k === 0 || k === n ? 0 : logGamma(n + 1) - logGamma(k + 1) - logGamma(n - k + 1);
}

/** ln Γ(2 + w), −½ ≤ w ≤ ½: (1 − γ)w + Σ (−1)ᵏ (ζ(k) − 1) wᵏ/k. */
function logGammaNearTwo(w: number): number {
  let sum = 0;
  for (const coefficient of zetaMinusOneOverK.toReversed()) sum = coefficient - w * sum;
  return w * (1 - eulerGamma + w * sum);
}

/** ζ(s) − 1 = Σ n⁻ˢ from 2: the terms below 12, and the rest by Euler's and Maclaurin's formula (DLMF 25.2.9). */
function zetaMinusOne(s: number): number {
  const from = 12;
  let sum = 0;
  let correction = 0;
  // B₂ₖ/(2k)! · s(s+1)…(s+2k−2) · N^(1−s−2k), k = 1…6
  let factor = s / from;
  for (const [index, bernoulli] of [1 / 12, -1 / 720, 1 / 30_240, -1 / 1_209_600, 1 / 47_900_160, -691 / 1_307_674_368_000].entries()) {
    correction += bernoulli * factor;
    factor *= ((s + 2 * index + 1) * (s + 2 * index + 2)) / (from * from);
  }
  const rest = from ** -s * (from / (s - 1) + 0.5 + correction);
  for (let n = from - 1; n >= 2; n--) sum += n ** -s;
  return sum + rest;
}

import { assertNonNegative, assertPositive, assertProbability } from './domain.ts';
import { logGamma, logGammaOnePlus, stirlingCorrection } from './gamma.ts';
import { log1pMinus } from './logarithms.ts';
import { roughNormalQuantile } from './rough-quantile.ts';
import { solveIncreasing } from './solve.ts';

/** About 8·√a terms are needed at worst: enough for a of 10¹¹. */
const termsMax = 4_000_000;

/** P and Q = 1 − P, each to full relative precision however small it is. */
export interface Tails {
  readonly lower: number;
  readonly upper: number;
}

/** P(a, x) = γ(a, x) / Γ(a), the regularised lower incomplete gamma function (DLMF 8.2.4), for a > 0, x ≥ 0. */
export function gammaP(a: number, x: number): number {
  return gammaTails(a, x).lower;
}

/** Q(a, x) = 1 − P(a, x) (DLMF 8.2.4). Keeps its digits far into the tail. */
export function gammaQ(a: number, x: number): number {
  return gammaTails(a, x).upper;
}

/** Both at once. Series (DLMF 8.11.4) below a + 1, continued fraction (DLMF 8.9.2) above it; Temme's form of Q for small a and x. */
export function gammaTails(a: number, x: number): Tails {
  assertPositive('the parameter of the incomplete gamma function', a);
  if (x === Infinity) return { lower: 1, upper: 0 };
  assertNonNegative('the argument of the incomplete gamma function', x);
  if (x === 0) return { lower: 0, upper: 1 };
  if (a < 1 && x <= 1.1) return tailsOfSmall(a, x);
  if (x < a + 1 && !(a < 1)) {
    const lower = Math.min(1, leading(a, x) * series(a, x));
    return { lower, upper: 1 - lower };
  }
  const upper = Math.min(1, a * leading(a, x) * fraction(a, x));
  return { lower: 1 - upper, upper };
}

/** The x with P(a, x) = p. */
export function inverseGammaP(a: number, p: number): number {
  assertPositive('the parameter of the incomplete gamma function', a);
  assertProbability('the value of P', p);
  return inverse(a, p, 1 - p);
}

/** The x with Q(a, x) = q. Keeps its digits for q near 0. */
export function inverseGammaQ(a: number, q: number): number {
  assertPositive('the parameter of the incomplete gamma function', a);
  assertProbability('the value of Q', q);
  return inverse(a, 1 - q, q);
}

/** Newton's method in ln x on the logarithm of the smaller tail, which is nearly straight there. */
function inverse(a: number, p: number, q: number): number {
  if (p === 0) return 0;
  if (q === 0) return Infinity;
  const f = (logX: number) => {
    const x = Math.exp(logX);
    const { lower, upper } = gammaTails(a, x);
    const density = a * leading(a, x);
    if (p <= q) return { value: Math.log(lower / p), slope: density / lower };
    return { value: -Math.log(upper / q), slope: density / upper };
  };
  // P(a, x) ≥ xᵃ e⁻ˣ / Γ(a+1), and ≤ xᵃ / Γ(a+1): no x below this has so much.
  const least = (Math.log(p) + logGamma(a + 1)) / a;
  if (least < Math.log(Number.MIN_VALUE)) return 0;
  const start = Math.max(wilsonHilferty(a, p, q), Math.exp(least));
  return Math.exp(solveIncreasing(f, least - 1e-9, 700, Math.log(start)));
}

/** A first guess: the cube root of a chi-square variable is nearly normal (A&S 26.4.17). */
function wilsonHilferty(a: number, p: number, q: number): number {
  const z = p <= q ? roughNormalQuantile(p) : -roughNormalQuantile(q);
  return a * Math.max(0, 1 - 1 / (9 * a) + z / (3 * Math.sqrt(a))) ** 3;
}

/** xᵃ e⁻ˣ / Γ(a + 1), without the cancellation that logarithms of large numbers bring. */
function leading(a: number, x: number): number {
  if (a < 10) return Math.exp(a * Math.log(x) - x - logGamma(a + 1));
  const u = (x - a) / a;
  const exponent = u < -0.5 ? Math.log(x / a) - u : log1pMinus(u);
  return Math.exp(a * exponent - stirlingCorrection(a)) / Math.sqrt(2 * Math.PI * a);
}

/** Σ xⁿ / ((a+1)…(a+n)). */
function series(a: number, x: number): number {
  let term = 1;
  let sum = 1;
  for (let n = 1; n < termsMax && term > sum * Number.EPSILON * 0.1; n++) {
    term *= x / (a + n);
    sum += term;
  }
  return sum;
}

/** Γ(a, x) / (xᵃ e⁻ˣ), by the modified method of Lentz (Thompson and Barnett 1986). */
function fraction(a: number, x: number): number {
  const tiny = 1e-300;
  let b = x + 1 - a;
  let c = 1 / tiny;
  let d = 1 / b;
  let product = d;
  for (let n = 1; n < termsMax; n++) {
    const numerator = -n * (n - a);
    b += 2;
    d = 1 / nonZero(numerator * d + b, tiny);
    c = nonZero(b + numerator / c, tiny);
    product *= d * c;
    if (Math.abs(d * c - 1) <= Number.EPSILON) break;
  }
  return product;
}

function nonZero(value: number, tiny: number): number {
  return Math.abs(value) < tiny ? tiny : value;
}

/** a < 1, x ≤ 1.1: with g = xᵃ/Γ(1+a), P = g·(1 − s) and Q = (1 − g) + g·s, s = −a Σ (−x)ⁿ / ((a+n) n!) (Gautschi 1979, Temme 1994). */
function tailsOfSmall(a: number, x: number): Tails {
  const logFactor = a * Math.log(x) - logGammaOnePlus(a);
  const factor = Math.exp(logFactor);
  let term = 1;
  let sum = 0;
  for (let n = 1; n <= 40 && Math.abs(term) > 1e-20; n++) {
    term *= -x / n;
    sum -= (a * term) / (a + n);
  }
  const upper = -Math.expm1(logFactor) + factor * sum;
  return { lower: factor * (1 - sum), upper };
}

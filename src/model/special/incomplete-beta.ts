import { assertPositive, assertProbability } from './domain.ts';
import { logGamma, stirlingCorrection } from './gamma.ts';
import type { Tails } from './incomplete-gamma.ts';
import { log1pMinus } from './logarithms.ts';
import { solveIncreasing } from './solve.ts';

/** About √max(a, b) terms are needed. */
const termsMax = 4_000_000;

/** I(x; a, b), the regularised incomplete beta function (DLMF 8.17.2), for a, b > 0, 0 ≤ x ≤ 1. */
export function betaI(x: number, a: number, b: number): number {
  return betaTails(x, 1 - x, a, b).lower;
}

/**
 * I(x; a, b) and its complement, each to full relative precision. `y` is 1 − x, which the caller may know more exactly than a subtraction
 * would give it. By the continued fraction (DLMF 8.17.22) on the side of the mean on which it converges quickly.
 */
export function betaTails(x: number, y: number, a: number, b: number): Tails {
  assertPositive('the first parameter of the incomplete beta function', a);
  assertPositive('the second parameter of the incomplete beta function', b);
  assertProbability('the argument of the incomplete beta function', x);
  if (x === 0 || y === 1) return { lower: x === 0 ? 0 : leading(x, y, a, b) / a, upper: 1 };
  if (y === 0) return { lower: 1, upper: 0 };
  const factor = leading(x, y, a, b);
  if (x * (a + b + 2) < a + 1) {
    const lower = Math.min(1, (factor * fraction(x, a, b)) / a);
    return { lower, upper: 1 - lower };
  }
  const upper = Math.min(1, (factor * fraction(y, b, a)) / b);
  return { lower: 1 - upper, upper };
}

/** The x with I(x; a, b) = p. */
export function inverseBetaI(p: number, a: number, b: number): number {
  assertProbability('the value of I', p);
  return inverseBetaTails(p, 1 - p, a, b).x;
}

/** x with I(x; a, b) = p = 1 − q, and y = 1 − x, each to full relative precision. */
export function inverseBetaTails(p: number, q: number, a: number, b: number): { readonly x: number; readonly y: number } {
  assertPositive('the first parameter of the incomplete beta function', a);
  assertPositive('the second parameter of the incomplete beta function', b);
  if (p === 0 || q === 0) return { x: p === 0 ? 0 : 1, y: p === 0 ? 1 : 0 };
  if (betaI(0.5, a, b) >= p) {
    const x = inverse(p, q, a, b);
    return { x, y: 1 - x };
  }
  const y = inverse(q, p, b, a);
  return { x: 1 - y, y };
}

/** x ≤ ½ with I(x; a, b) = p, q = 1 − p: Newton's method in ln x on the logarithm of the smaller tail. */
function inverse(p: number, q: number, a: number, b: number): number {
  const f = (logX: number) => {
    const x = Math.exp(logX);
    const { lower, upper } = betaTails(x, -Math.expm1(logX), a, b);
    // d/d(ln x) of the integral.
    const density = leading(x, 1 - x, a, b) / (1 - x);
    if (p <= q) return { value: Math.log(lower / p), slope: density / lower };
    return { value: -Math.log(upper / q), slope: density / upper };
  };
  // I ≤ xᵃ / (a B(a, b)) · max(1, (1−x)^(b−1)): no x below this has so much.
  const bound = (Math.log(p) + Math.log(a) + logBeta(a, b) - Math.max(0, 1 - b) * Math.LN2) / a;
  if (bound < Math.log(Number.MIN_VALUE)) return 0;
  const mean = Math.log(a / (a + b));
  return Math.exp(solveIncreasing(f, Math.min(bound, -Math.LN2) - 1e-9, -Math.LN2 + 1e-9, Math.max(bound, Math.min(mean, -0.7))));
}

/** ln B(a, b). */
export function logBeta(a: number, b: number): number {
  if (a < 10 && b < 10) return logGamma(a) + logGamma(b) - logGamma(a + b);
  const correction = stirlingCorrection(a) + stirlingCorrection(b) - stirlingCorrection(a + b);
  const [small, large] = a < b ? [a, b] : [b, a];
  // (a−½) ln a + (b−½) ln b − (a+b−½) ln(a+b) + ½ ln 2π + corrections, with the large terms taken together.
  return (
    (small - 0.5) * Math.log(small / (small + large)) +
    correction -
    large * Math.log1p(small / large) -
    0.5 * Math.log(large) +
    0.5 * Math.log(2 * Math.PI)
  );
}

/** xᵃ yᵇ / B(a, b). For large a and b about the mean a/(a+b), where the exponents cancel (Loader 2000). */
function leading(x: number, y: number, a: number, b: number): number {
  if (Math.min(a, b) < 10) return Math.exp(a * Math.log(x) + b * (x < 0.5 ? Math.log1p(-x) : Math.log(y)) - logBeta(a, b));
  const exponent = a * deviation((x * (a + b)) / a) + b * deviation((y * (a + b)) / b);
  const correction = stirlingCorrection(a + b) - stirlingCorrection(a) - stirlingCorrection(b);
  return Math.sqrt(((a / (a + b)) * b) / (2 * Math.PI)) * Math.exp(exponent + correction);
}

/** ln r − (r − 1). */
function deviation(ratio: number): number {
  return ratio < 0.5 ? Math.log(ratio) - (ratio - 1) : log1pMinus(ratio - 1);
}

/** By the modified method of Lentz; coefficients of DLMF 8.17.22. */
function fraction(x: number, a: number, b: number): number {
  const tiny = 1e-300;
  let c = 1;
  let d = 1 / nonZero(1 - ((a + b) * x) / (a + 1), tiny);
  let product = d;
  const step = (numerator: number) => {
    d = 1 / nonZero(1 + numerator * d, tiny);
    c = nonZero(1 + numerator / c, tiny);
    product *= d * c;
  };
  for (let m = 1; m < termsMax; m++) {
    step((m * (b - m) * x) / ((a + 2 * m - 1) * (a + 2 * m)));
    step((-(a + m) * (a + b + m) * x) / ((a + 2 * m) * (a + 2 * m + 1)));
    if (Math.abs(d * c - 1) <= Number.EPSILON) break;
  }
  return product;
}

function nonZero(value: number, tiny: number): number {
  return Math.abs(value) < tiny ? tiny : value;
}

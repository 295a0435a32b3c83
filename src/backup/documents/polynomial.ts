// Polynomials over GF(2), bit i standing for x^i: what restic's chunker needs in `config`. A random irreducible polynomial of degree 53
// (M. O. Rabin, "Fingerprinting by Random Polynomials"; test of irreducibility by M. Ben-Or).
import { randomBytes } from 'node:crypto';

export const degree = 53;
const candidatesMax = 1_000_000;

export function randomPolynomial(): bigint {
  const top = 1n << BigInt(degree);
  for (let candidate = 0; candidate < candidatesMax; candidate += 1) {
    // Without a constant term it would be divisible by x.
    const polynomial = (randomBytes(8).readBigUInt64BE() & (top - 1n)) | top | 1n;
    if (isIrreducible(polynomial)) return polynomial;
  }
  throw new Error('no irreducible polynomial was found: the random numbers of this machine can not be right');
}

/** Degree of a polynomial; -1 of the zero polynomial. */
export function degreeOf(polynomial: bigint): number {
  return polynomial === 0n ? -1 : polynomial.toString(2).length - 1;
}

/** Ben-Or: f has no factor of degree i exactly when gcd(f, x^(2^i) - x) is 1; one of the factors has at most half the degree. */
export function isIrreducible(polynomial: bigint): boolean {
  const half = Math.floor(degreeOf(polynomial) / 2);
  if (degreeOf(polynomial) < 1) return false;
  let power = 2n;
  for (let i = 1; i <= half; i += 1) {
    power = remainder(square(power), polynomial);
    if (gcd(polynomial, power ^ 2n) !== 1n) return false;
  }
  return true;
}

export function remainder(dividend: bigint, divisor: bigint): bigint {
  const size = degreeOf(divisor);
  let rest = dividend;
  for (let at = degreeOf(rest); at >= size; at = degreeOf(rest)) rest ^= divisor << BigInt(at - size);
  return rest;
}

function gcd(a: bigint, b: bigint): bigint {
  let [left, right] = [a, b];
  while (right !== 0n) [left, right] = [right, remainder(left, right)];
  return left;
}

/** Over GF(2), squaring puts a zero between the coefficients. */
function square(polynomial: bigint): bigint {
  return BigInt(`0b${polynomial.toString(2).split('').join('0')}`);
}

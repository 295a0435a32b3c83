// GF(2^8) as bytes: addition is exclusive or, multiplication that of polynomials modulo x^8 + x^4 + x^3 + x^2 + 1 (0x11d), in which x is a
// generator. J. S. Plank, "A Tutorial on Reed-Solomon Coding for Fault-Tolerance in RAID-like Systems" (1997); H. P. Anvin, "The mathematics of RAID-6".

const polynomial = 0x11d;
/** Elements other than 0. */
const order = 255;

/** `powers[n]` is x^n, for n of 0 to 509, so that the sum of two logarithms needs no reduction. */
const powers = new Uint8Array(2 * order);
const logarithms = new Uint8Array(256);
for (let n = 0, value = 1; n < order; n += 1) {
  powers[n] = value;
  powers[n + order] = value;
  logarithms[value] = n;
  value <<= 1;
  if (value > 255) value ^= polynomial;
}

export function multiply(a: number, b: number): number {
  return a === 0 || b === 0 ? 0 : powers[logarithms[a]! + logarithms[b]!]!;
}

/** @param a not 0 */
export function inverse(a: number): number {
  if (a === 0) throw new RangeError('0 has no inverse');
  return powers[order - logarithms[a]!]!;
}

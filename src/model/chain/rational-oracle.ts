/** Exact fractions for tests: what a solver in floating point is compared with. */
export interface Fraction {
  readonly top: bigint;
  readonly bottom: bigint;
}

/** The fraction that a double is, exactly. */
export function fractionOf(value: number): Fraction {
  let bottom = 1n;
  let scaled = value;
  while (!Number.isInteger(scaled)) {
    scaled *= 2;
    bottom *= 2n;
  }
  return reduced(BigInt(scaled), bottom);
}

export function numberOf({ top, bottom }: Fraction): number {
  if (top === 0n) return 0;
  // 80 bits of quotient, then the exponent: no overflow and no double rounding that matters.
  const shift = BigInt(Math.max(0, 80 - (top.toString(2).length - bottom.toString(2).length)));
  return Number((top << shift) / bottom) / 2 ** Number(shift / 2n) / 2 ** Number(shift - shift / 2n);
}

function reduced(top: bigint, bottom: bigint): Fraction {
  let [a, b] = [top < 0n ? -top : top, bottom];
  while (b !== 0n) [a, b] = [b, a % b];
  return a === 0n ? { top: 0n, bottom: 1n } : { top: top / a, bottom: bottom / a };
}

export const add = (a: Fraction, b: Fraction): Fraction => reduced(a.top * b.bottom + b.top * a.bottom, a.bottom * b.bottom);
export const subtract = (a: Fraction, b: Fraction): Fraction => reduced(a.top * b.bottom - b.top * a.bottom, a.bottom * b.bottom);
export const multiply = (a: Fraction, b: Fraction): Fraction => reduced(a.top * b.top, a.bottom * b.bottom);
export function divide(a: Fraction, b: Fraction): Fraction {
  return b.top < 0n ? reduced(-a.top * b.bottom, a.bottom * -b.top) : reduced(a.top * b.bottom, a.bottom * b.top);
}
export const zero: Fraction = { top: 0n, bottom: 1n };
export const one: Fraction = { top: 1n, bottom: 1n };

/** x with A·x = b by Gaussian elimination, exactly. */
export function solve(matrix: readonly (readonly Fraction[])[], right: readonly Fraction[]): Fraction[] {
  const rows = matrix.map((row, at) => [...row, right[at]!]);
  const size = rows.length;
  for (let column = 0; column < size; column++) {
    const pivot = rows.findIndex((row, at) => at >= column && row[column]!.top !== 0n);
    [rows[column], rows[pivot]] = [rows[pivot]!, rows[column]!];
    for (let row = 0; row < size; row++) {
      if (row === column || rows[row]![column]!.top === 0n) continue;
      const factor = divide(rows[row]![column]!, rows[column]![column]!);
      rows[row] = rows[row]!.map((value, at) => (at < column ? value : subtract(value, multiply(factor, rows[column]![at]!))));
    }
  }
  return rows.map((row, at) => divide(row[size]!, row[at]!));
}

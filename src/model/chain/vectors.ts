/** Row sums of a sparse matrix (CSR). */
export function exitRates({ size, rowStart, rate }: { size: number; rowStart: Int32Array; rate: Float64Array }): Float64Array {
  const exit = new Float64Array(size);
  for (let row = 0; row < size; row++) {
    let sum = 0;
    for (let at = rowStart[row]!; at < rowStart[row + 1]!; at++) sum += rate[at]!;
    exit[row] = sum;
  }
  return exit;
}

/** Sum with the rounding errors carried along (Neumaier, ZAMM 54, 1974): good to the last digit or two whatever the length. */
export function sumOf(values: ArrayLike<number>): number {
  let sum = 0;
  let lost = 0;
  for (let at = 0; at < values.length; at++) {
    const value = values[at]!;
    const next = sum + value;
    lost += Math.abs(sum) >= Math.abs(value) ? sum - next + value : value - next + sum;
    sum = next;
  }
  return sum + lost;
}

/** Scales what is not negative so that it adds up to 1, in place. */
export function normalize(values: Float64Array): Float64Array {
  const sum = sumOf(values);
  for (let at = 0; at < values.length; at++) values[at]! /= sum;
  return values;
}

/** Σ a·b. */
export function dot(a: ArrayLike<number>, b: ArrayLike<number>): number {
  const products = new Float64Array(a.length);
  for (let at = 0; at < a.length; at++) products[at] = a[at]! * b[at]!;
  return sumOf(products);
}

/** The sparse matrix turned over: rows become columns. */
export function transposed(matrix: { size: number; rowStart: Int32Array; target: Int32Array; rate: Float64Array }): {
  rowStart: Int32Array;
  target: Int32Array;
  rate: Float64Array;
} {
  const { size } = matrix;
  const rowStart = new Int32Array(size + 1);
  for (const to of matrix.target) rowStart[to + 1]! += 1;
  for (let row = 0; row < size; row++) rowStart[row + 1]! += rowStart[row]!;
  const next = rowStart.slice(0, size);
  const target = new Int32Array(matrix.target.length);
  const rate = new Float64Array(matrix.target.length);
  for (let row = 0; row < size; row++) {
    for (let at = matrix.rowStart[row]!; at < matrix.rowStart[row + 1]!; at++) {
      const place = next[matrix.target[at]!]!++;
      target[place] = row;
      rate[place] = matrix.rate[at]!;
    }
  }
  return { rowStart, target, rate };
}

import { inverse, multiply } from './field.ts';

/** Rows of bytes, elements of GF(2^8). */
export type Matrix = readonly Uint8Array[];

/** Most shards of one object: the matrix needs that many different elements of the field. */
export const SHARDS_MAX = 256;

/**
 * What the parity shards are of the data shards: `parity` rows of `data` columns. Together with the identity above it every `data` rows are
 * independent, so any `data` shards rebuild all others.
 *
 * It is a Cauchy matrix, 1 / (x + y) with x = data + row and y = column, whose columns are divided by their first entry: the first parity
 * shard is the exclusive or of the data shards. (J. Blömer et al., "An XOR-Based Erasure-Resilient Coding Scheme", 1995; the scaling: J. S.
 * Plank, L. Xu, "Optimizing Cauchy Reed-Solomon Codes for Fault-Tolerant Network Storage Applications", 2006. A column of a square part times
 * anything but 0 leaves its determinant other than 0.)
 */
export function parityRows(data: number, parity: number): Matrix {
  if (data < 1 || parity < 0 || data + parity > SHARDS_MAX) throw new RangeError(`no code of ${data} + ${parity} shards`);
  return Array.from({ length: parity }, (_, row) =>
    Uint8Array.from({ length: data }, (__, column) => multiply(inverse((data + row) ^ column), data ^ column)),
  );
}

/** The row that makes shard `index`, data or parity, of the data shards. */
export function shardRow(rows: Matrix, data: number, index: number): Uint8Array {
  if (index >= data) return rows[index - data]!;
  const row = new Uint8Array(data);
  row[index] = 1;
  return row;
}

/** How shards `wanted` are made of the `data` shards `present` (in that order): one row for each that is wanted. */
export function rebuildingRows(rows: Matrix, data: number, present: readonly number[], wanted: readonly number[]): Matrix {
  if (present.length !== data) throw new RangeError(`${data} shards rebuild, not ${present.length}`);
  const toData = invert(present.map((index) => shardRow(rows, data, index)));
  return wanted.map((index) => (index < data ? toData[index]! : timesMatrix(shardRow(rows, data, index), toData)));
}

function timesMatrix(row: Uint8Array, matrix: Matrix): Uint8Array {
  const result = new Uint8Array(matrix[0]!.length);
  for (const [at, factor] of row.entries()) addScaled(result, matrix[at]!, factor);
  return result;
}

/** By Gauss and Jordan. @throws RangeError for one that has no inverse: a shard was named twice */
function invert(matrix: Matrix): Uint8Array[] {
  const size = matrix.length;
  const left = matrix.map((row) => row.slice());
  const right = matrix.map((_, at) => Uint8Array.from({ length: size }, (__, column) => Number(column === at)));
  for (let column = 0; column < size; column += 1) {
    const pivot = left.findIndex((row, at) => at >= column && row[column] !== 0);
    if (pivot === -1) throw new RangeError('these shards do not rebuild: one is named twice');
    for (const side of [left, right]) [side[column], side[pivot]] = [side[pivot]!, side[column]!];
    const factor = inverse(left[column]![column]!);
    scale(left[column]!, factor);
    scale(right[column]!, factor);
    for (let row = 0; row < size; row += 1) {
      const times = left[row]![column]!;
      if (row === column || times === 0) continue;
      addScaled(left[row]!, left[column]!, times);
      addScaled(right[row]!, right[column]!, times);
    }
  }
  return right;
}

function scale(row: Uint8Array, factor: number): void {
  for (let at = 0; at < row.length; at += 1) row[at] = multiply(row[at]!, factor);
}

function addScaled(row: Uint8Array, other: Uint8Array, factor: number): void {
  for (let at = 0; at < row.length; at += 1) row[at]! ^= multiply(other[at]!, factor);
}

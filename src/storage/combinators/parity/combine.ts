import { multiply } from './field.ts';
import type { Matrix } from './matrix.ts';

/**
 * Fills each output with the sum of the inputs, each times its factor in the output's row. All outputs have the same size; an input that is
 * shorter counts as followed by zeros.
 */
export type Combine = (rows: Matrix, inputs: readonly Uint8Array[], outputs: readonly Uint8Array[]) => void;

/** In plain JavaScript: what the kernel is compared with. */
export const combineByTables: Combine = (rows, inputs, outputs) => {
  for (const [at, output] of outputs.entries()) {
    output.fill(0);
    for (const [column, input] of inputs.entries()) addProducts(output, input, rows[at]![column]!);
  }
};

function addProducts(output: Uint8Array, input: Uint8Array, factor: number): void {
  if (factor === 0) return;
  const products = Uint8Array.from({ length: 256 }, (_, value) => multiply(factor, value));
  const sizeBytes = Math.min(output.length, input.length);
  for (let at = 0; at < sizeBytes; at += 1) output[at]! ^= products[input[at]!]!;
}

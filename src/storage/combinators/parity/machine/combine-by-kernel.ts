import { readFileSync } from 'node:fs';
import type { Combine } from '../combine.ts';
import { multiply } from '../field.ts';
import type { Matrix } from '../matrix.ts';

/** Bytes of each input that the kernel takes at once: a dozen of them fit the second level of any cache. */
const tileBytes = 16 * 1024;
/** The kernel works in steps of so many bytes. */
const stepBytes = 32;
const tableBytes = 32;
const pageBytes = 65_536;

type Rows = (input: number, stride: number, count: number, tables: number, output: number, size: number) => void;

/** What Node.js has of it and its types do not tell. */
declare const WebAssembly: {
  Module: new (bytes: Uint8Array) => object;
  Instance: new (module: object, imports: object) => { readonly exports: unknown };
};

interface Kernel {
  readonly memory: { readonly buffer: ArrayBuffer };
  baseOffset(): number;
  growTo(bytes: number): void;
  readonly sum: (input: number, stride: number, count: number, output: number, size: number) => void;
  readonly rows1: Rows;
  readonly rows2: Rows;
  readonly rows4: Rows;
}

let kernel: Kernel | undefined;

/** By tools/kernels/gf256.ts: WebAssembly with 128-bit vectors. */
export const combineByKernel: Combine = (rows, inputs, outputs) => {
  if (outputs.length === 0) return;
  kernel ??= load();
  const tables = tablesOf(rows);
  const tablesAt = kernel.baseOffset();
  const inputAt = aligned(tablesAt + tables.length);
  const outputAt = inputAt + inputs.length * tileBytes;
  const endBytes = outputAt + outputs.length * tileBytes;
  if (kernel.memory.buffer.byteLength < endBytes) kernel.growTo(Math.ceil(endBytes / pageBytes) * pageBytes);
  const memory = new Uint8Array(kernel.memory.buffer);
  memory.set(tables, tablesAt);
  const sizeBytes = outputs[0]!.length;
  for (let from = 0; from < sizeBytes; from += tileBytes) {
    const tile = Math.min(tileBytes, sizeBytes - from);
    for (const [at, input] of inputs.entries()) {
      const piece = input.subarray(Math.min(from, input.length), Math.min(from + tile, input.length));
      const to = inputAt + at * tileBytes;
      memory.set(piece, to);
      if (piece.length < tile) memory.fill(0, to + piece.length, to + tile);
    }
    run(kernel, rows, { tablesAt, inputAt, outputAt, size: Math.ceil(tile / stepBytes) * stepBytes });
    for (const [at, output] of outputs.entries()) {
      const to = outputAt + at * tileBytes;
      output.set(memory.subarray(to, to + tile), from);
    }
  }
};

interface Places {
  readonly tablesAt: number;
  readonly inputAt: number;
  readonly outputAt: number;
  readonly size: number;
}

/** Four rows at once, as long as there are four; a row of ones is only a sum. */
function run({ sum, rows1, rows2, rows4 }: Kernel, rows: Matrix, { tablesAt, inputAt, outputAt, size }: Places): void {
  const count = rows[0]!.length;
  for (let row = 0; row < rows.length;) {
    const output = outputAt + row * tileBytes;
    const left = rows.length - row;
    const tables = tablesAt + row * count * tableBytes;
    if (left !== 4 && left !== 2 && rows[row]!.every((factor) => factor === 1)) {
      sum(inputAt, tileBytes, count, output, size);
      row += 1;
    } else {
      const taken = left >= 4 ? 4 : left >= 2 ? 2 : 1;
      const kernelRows = taken === 4 ? rows4 : taken === 2 ? rows2 : rows1;
      kernelRows(inputAt, tileBytes, count, tables, output, size);
      row += taken;
    }
  }
}

/** For each factor its products with 0x00 … 0x0f and with 0x00, 0x10 … 0xf0. */
function tablesOf(rows: Matrix): Uint8Array {
  const count = rows[0]!.length;
  const tables = new Uint8Array(rows.length * count * tableBytes);
  let at = 0;
  for (const row of rows) {
    for (const factor of row) {
      for (let value = 0; value < 16; value += 1) {
        tables[at + value] = multiply(factor, value);
        tables[at + 16 + value] = multiply(factor, value << 4);
      }
      at += tableBytes;
    }
  }
  return tables;
}

function aligned(offset: number): number {
  return Math.ceil(offset / 64) * 64;
}

function load(): Kernel {
  const module = new WebAssembly.Module(readFileSync(new URL('./gf256.wasm', import.meta.url)));
  return new WebAssembly.Instance(module, {}).exports as Kernel;
}

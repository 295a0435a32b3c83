// How fast shards are made and rebuilt: the kernel beside plain JavaScript, in this process alone, without any storage. See --help.
import { randomBytes } from 'node:crypto';
import { parseArgs } from 'node:util';
import { combineByTables, type Combine } from '../../src/storage/combinators/parity/combine.ts';
import { combineByKernel } from '../../src/storage/combinators/parity/machine/combine-by-kernel.ts';
import { type Matrix, parityRows, rebuildingRows } from '../../src/storage/combinators/parity/matrix.ts';
import { describeMachine } from '../kit/machine.ts';
import { summarize } from '../kit/statistics.ts';
import { formatTable } from '../kit/table.ts';

const help = `npm run bench -- parity [options]

GB/s (10^9 bytes of object data per second of this process's CPU time) of Reed-Solomon over GF(2^8), for 2+1, 4+2 and 10+4: making the parity
shards, and rebuilding as many lost data shards. The kernel (WebAssembly, 128-bit vectors) beside plain JavaScript with one table of 256
products per factor. Every result is compared with the other's and with what was lost before anything is timed.

  --mebibytes N     of the object (32)
  --repetitions N   of the kernel; a fourth as many of plain JavaScript, at least 3 (20)
  --json            JSON instead of a table

Exit 0: both ways agree; 2: it could not run, or they do not.`;

const codes = [
  [2, 1],
  [4, 2],
  [10, 4],
] as const;
const plainShare = 1 / 4;
const plainMin = 3;
const ways: Readonly<Record<string, Combine>> = { kernel: combineByKernel, plain: combineByTables };

interface Result {
  readonly code: string;
  readonly work: 'encode' | 'rebuild';
  /** GB/s, median and best of the repetitions. */
  readonly kernel: Rate;
  readonly plain: Rate;
}

interface Rate {
  readonly median: number;
  readonly best: number;
}

function main(): Result[] | undefined {
  const { values } = parseArgs({
    options: {
      help: { type: 'boolean' },
      json: { type: 'boolean', default: false },
      mebibytes: { type: 'string', default: '32' },
      repetitions: { type: 'string', default: '20' },
    },
  });
  if (values.help === true) {
    process.stdout.write(`${help}\n`);
    return undefined;
  }
  const sizeBytes = positive('--mebibytes', values.mebibytes) * 1024 * 1024;
  const repetitions = positive('--repetitions', values.repetitions);
  return codes.flatMap(([data, parity]) => measure(data, parity, sizeBytes, repetitions));
}

function measure(data: number, parity: number, objectBytes: number, repetitions: number): Result[] {
  const sizeBytes = Math.ceil(objectBytes / data);
  const shards = Array.from({ length: data }, () => new Uint8Array(randomBytes(sizeBytes)));
  const rows = parityRows(data, parity);
  const parityShards = combined(combineByKernel, rows, shards, sizeBytes);
  assertSame(parityShards, combined(combineByTables, rows, shards, sizeBytes), `${data}+${parity}: kernel and plain JavaScript`);
  const all = [...shards, ...parityShards];
  // The first shards are lost: all that may be, and no more than there are of data.
  const lost = Array.from({ length: Math.min(parity, data) }, (_, index) => index);
  const present = Array.from({ length: data }, (_, at) => at + lost.length);
  const back = rebuildingRows(rows, data, present, lost);
  const left = present.map((index) => all[index]!);
  assertSame(combined(combineByKernel, back, left, sizeBytes), shards.slice(0, lost.length), `${data}+${parity}: rebuilt and lost`);
  return (['encode', 'rebuild'] as const).map((work) => {
    const [matrix, inputs] = work === 'encode' ? [rows, shards] : [back, left];
    const outputs = matrix.map(() => new Uint8Array(sizeBytes));
    const rate = (way: string, times: number): Rate => timed(() => ways[way]!(matrix, inputs, outputs), sizeBytes * data, times);
    return {
      code: `${data}+${parity}`,
      work,
      kernel: rate('kernel', repetitions),
      plain: rate('plain', Math.max(plainMin, Math.round(repetitions * plainShare))),
    };
  });
}

/** By CPU time: other processes on the machine take their turns. */
function timed(work: () => void, bytes: number, times: number): Rate {
  work();
  const rates = Array.from({ length: times }, () => {
    const before = process.cpuUsage();
    work();
    const { user, system } = process.cpuUsage(before);
    return bytes / 1e3 / (user + system);
  });
  return { median: summarize(rates)!.median, best: Math.max(...rates) };
}

function combined(combine: Combine, rows: Matrix, inputs: readonly Uint8Array[], sizeBytes: number): Uint8Array[] {
  const outputs = rows.map(() => new Uint8Array(sizeBytes));
  combine(rows, inputs, outputs);
  return outputs;
}

function assertSame(found: readonly Uint8Array[], expected: readonly Uint8Array[], what: string): void {
  if (found.some((bytes, at) => Buffer.compare(bytes, expected[at]!) !== 0)) throw new Error(`${what} differ`);
}

function positive(option: string, text: string): number {
  const value = Number(text);
  if (!(value > 0) || !Number.isInteger(value)) throw new Error(`${option}: '${text}' is no positive number`);
  return value;
}

try {
  const results = main();
  if (results !== undefined) {
    const machine = await describeMachine();
    const rows = results.map(({ code, work, kernel, plain }) => [
      `${code} ${work}`,
      ...[kernel.median, kernel.best, plain.median, plain.best].map((value) => value.toFixed(2)),
      `${(kernel.median / plain.median).toFixed(1)}×`,
    ]);
    const text = process.argv.includes('--json')
      ? JSON.stringify({ machine, results }, undefined, 1)
      : `${formatTable(['GB/s', 'kernel', 'best', 'plain JS', 'best', 'ratio'], rows)}\nload of the machine meanwhile: ${machine.loadAverage.map((one) => one.toFixed(1)).join(' ')}`;
    process.stdout.write(`${text}\n`);
  }
} catch (error) {
  process.stderr.write(`error: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 2;
}

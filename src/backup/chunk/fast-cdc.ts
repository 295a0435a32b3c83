import { createHash } from 'node:crypto';
import type { Cutter } from './cutter.ts';

export interface ChunkSizes {
  readonly minBytes: number;
  /** A power of two. The mean is about a fifth more, as no chunk ends within its first `minBytes`. */
  readonly averageBytes: number;
  readonly maxBytes: number;
}

/** As restic's own limits are: its readers hold no larger chunk. */
export const fileChunkSizes: ChunkSizes = { minBytes: 512 * 1024, averageBytes: 1024 * 1024, maxBytes: 8 * 1024 * 1024 };

/**
 * How many bits the mask is harder before the average and easier after it. Level 2 of the paper: narrows the distribution of sizes
 * without hurting what is found again.
 */
const normalisation = 2;

/**
 * 256 random words, the same for every stream of a repository and unlike those of any other: who sees only the sizes of chunks can not
 * compare them with those of known files.
 */
export function gearTable(seed: string): Int32Array {
  const bytes = Buffer.concat(
    Array.from({ length: 32 }, (_, block) => createHash('sha256').update(`holdfast gear ${block} ${seed}`).digest()),
  );
  return Int32Array.from({ length: 256 }, (_, index) => bytes.readInt32LE(4 * index));
}

/**
 * FastCDC: Xia et al., "FastCDC: a Fast and Efficient Content-Defined Chunking Approach for Data Deduplication", USENIX ATC 2016, and
 * "The Design of Fast Content-Defined Chunking for Data Deduplication Based Storage Systems", IEEE TPDS 31(9), 2020: gear hash, cut-point
 * skipping, normalised chunking, two bytes a step. The word has 32 bits and the mask takes its uppermost: each depends on the last 32 bytes.
 */
export function createFastCdc(gear: Int32Array, sizes: ChunkSizes = fileChunkSizes): Cutter {
  const bits = Math.log2(sizes.averageBytes);
  if (!Number.isInteger(bits) || bits < 6 || bits > 28 || sizes.minBytes >= sizes.averageBytes || sizes.averageBytes >= sizes.maxBytes) {
    throw new RangeError('minimum < average < maximum, and the average a power of two between 64 B and 256 MiB');
  }
  const hardMask = upperBits(bits + normalisation);
  const easyMask = upperBits(bits - normalisation);
  let length = 0;
  let hash = 0;

  /** The first end of a chunk in `data[from, to)` under `mask`, or -1; leaves the hash of the last byte looked at. */
  const scan = (data: Uint8Array, from: number, to: number, mask: number): number => {
    let word = hash;
    let at = from;
    for (; at + 1 < to; at += 2) {
      word = ((word << 1) + (gear[data[at] as number] as number)) | 0;
      if ((word & mask) === 0) return end(at + 1);
      word = ((word << 1) + (gear[data[at + 1] as number] as number)) | 0;
      if ((word & mask) === 0) return end(at + 2);
    }
    if (at < to) {
      word = ((word << 1) + (gear[data[at] as number] as number)) | 0;
      if ((word & mask) === 0) return end(at + 1);
    }
    hash = word;
    length += to - from;
    return -1;
  };
  const end = (at: number): number => {
    length = 0;
    hash = 0;
    return at;
  };

  return {
    maxBytes: sizes.maxBytes,
    ...(sizes === fileChunkSizes ? { cutting: { kind: 'content', gear } as const } : {}),
    next(data, from, to) {
      let at = from;
      if (length < sizes.minBytes) {
        const skipped = Math.min(sizes.minBytes - length, to - at);
        length += skipped;
        at += skipped;
      }
      if (at < to && length < sizes.averageBytes) {
        const stop = Math.min(to, at + sizes.averageBytes - length);
        const found = scan(data, at, stop, hardMask);
        if (found !== -1) return found;
        at = stop;
      }
      if (at < to) {
        const stop = Math.min(to, at + sizes.maxBytes - length);
        const found = scan(data, at, stop, easyMask);
        if (found !== -1) return found;
        at = stop;
      }
      return length === sizes.maxBytes ? end(at) : -1;
    },
  };
}

function upperBits(count: number): number {
  return (-1 << (32 - count)) | 0;
}

import type { Cutter } from './cutter.ts';

/** Fills `into[offset, offset + sizeBytes)` as far as it can and says how many bytes it wrote; 0 is the end. */
export type ReadInto = (into: Buffer, offset: number, sizeBytes: number) => Promise<number>;

/** Buffers that go round: what is being read and saved at once is bounded by them. */
export interface BufferPool {
  /** Waits for one to be free. */
  take(): Promise<Buffer>;
  give(buffer: Buffer): void;
}

/** At most `count` buffers of `sizeBytes`; made when first needed, and pages that are never written cost no memory. */
export function createBufferPool(count: number, sizeBytes: number): BufferPool {
  const free: Buffer[] = [];
  const waiting: ((buffer: Buffer) => void)[] = [];
  let made = 0;
  return {
    take() {
      const buffer = free.pop();
      if (buffer !== undefined) return Promise.resolve(buffer);
      if (made < count) {
        made += 1;
        return Promise.resolve(Buffer.allocUnsafeSlow(sizeBytes));
      }
      return new Promise((resolve) => waiting.push(resolve));
    },
    give(buffer) {
      const next = waiting.shift();
      if (next === undefined) free.push(buffer);
      else next(buffer);
    },
  };
}

/** One chunk: `data` lies in `buffer`, which its taker gives back to the pool. */
export interface Chunk {
  readonly data: Buffer;
  readonly buffer: Buffer;
}

/** Large enough that a call costs nothing beside it, small enough that little of it is copied into the next chunk's buffer. */
const readBytes = 256 * 1024;

/**
 * The chunks of a stream, in order. The pool's buffers must hold `cutter.maxBytes`. The reader holds two buffers while it looks for the next
 * chunk: a pool that several use needs more than one for each beyond those being saved.
 */
export async function* readChunks(read: ReadInto, cutter: Cutter, pool: BufferPool): AsyncGenerator<Chunk, void, undefined> {
  let buffer = await pool.take();
  try {
    let filled = 0;
    let looked = 0;
    for (;;) {
      const end = looked < filled ? cutter.next(buffer, looked, filled) : -1;
      if (end !== -1) {
        const next = await pool.take();
        buffer.copy(next, 0, end, filled);
        const chunk = { data: buffer.subarray(0, end), buffer };
        buffer = next;
        filled -= end;
        looked = 0;
        yield chunk;
        continue;
      }
      looked = filled;
      const got = await read(buffer, filled, Math.min(readBytes, cutter.maxBytes - filled));
      if (got === 0) break;
      filled += got;
    }
    if (filled === 0) return;
    const last = { data: buffer.subarray(0, filled), buffer };
    buffer = emptyBuffer;
    yield last;
  } finally {
    if (buffer !== emptyBuffer) pool.give(buffer);
  }
}

const emptyBuffer = Buffer.alloc(0);

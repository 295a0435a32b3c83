import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createBufferPool, readChunks, type ReadInto } from './chunks.ts';
import { createFixedCutter, type Cutter } from './cutter.ts';
import { createFastCdc, fileChunkSizes, gearTable } from './fast-cdc.ts';

const small = { minBytes: 64, averageBytes: 256, maxBytes: 2048 };
const gear = gearTable('a repository');

/** Bytes that look random, the same for a seed. */
function noise(seed: number, sizeBytes: number): Buffer {
  const blocks = Array.from({ length: Math.ceil(sizeBytes / 32) }, (_, block) => createHash('sha256').update(`${seed} ${block}`).digest());
  return Buffer.concat(blocks).subarray(0, sizeBytes);
}

function cut(cutter: Cutter, data: Buffer, reads: readonly number[] = []): Buffer[] {
  const chunks: Buffer[] = [];
  let begin = 0;
  let at = 0;
  for (let read = 0; at < data.length; read += 1) {
    const to = Math.min(data.length, at + (reads[read % reads.length] ?? data.length));
    for (;;) {
      const end = at < to ? cutter.next(data, at, to) : -1;
      if (end === -1) break;
      chunks.push(data.subarray(begin, end));
      begin = end;
      at = end;
    }
    at = to;
  }
  if (begin < data.length) chunks.push(data.subarray(begin));
  return chunks;
}

/** Text of few different bytes, noise, and runs of one byte: what files are made of. */
const content = fc
  .array(
    fc.oneof(
      fc.tuple(fc.integer(), fc.integer({ min: 1, max: 6000 })).map(([seed, size]) => noise(seed, size)),
      fc.tuple(fc.integer({ min: 0, max: 255 }), fc.integer({ min: 1, max: 6000 })).map(([byte, size]) => Buffer.alloc(size, byte)),
      fc.string({ maxLength: 3000 }).map((text) => Buffer.from(text)),
    ),
    { maxLength: 8 },
  )
  .map((parts) => Buffer.concat(parts));
const reads = fc.array(fc.integer({ min: 1, max: 3000 }), { minLength: 1, maxLength: 10 });

describe.each([
  ['FastCDC', () => createFastCdc(gear, small), small.maxBytes],
  ['fixed', () => createFixedCutter(512), 512],
] as const)('%s', (_, create, max) => {
  test('the chunks are the stream, none is empty, none too large', () =>
    fc.assert(
      fc.property(content, (data) => {
        const chunks = cut(create(), data);
        expect(Buffer.concat(chunks).equals(data)).toBe(true);
        for (const chunk of chunks) expect(chunk.length).toSatisfy((length: number) => length >= 1 && length <= max);
      }),
    ));

  test('how it is read makes no difference', () =>
    fc.assert(
      fc.property(content, reads, (data, sizes) => {
        const lengths = (chunks: readonly Buffer[]): number[] => chunks.map((chunk) => chunk.length);
        expect(lengths(cut(create(), data, sizes))).toEqual(lengths(cut(create(), data)));
      }),
    ));

  test('reads into buffers of a bounded pool', () =>
    fc.assert(
      fc.asyncProperty(content, reads, async (data, sizes) => {
        const pool = createBufferPool(3, max);
        const got: Buffer[] = [];
        for await (const chunk of readChunks(readerOf(data, sizes), create(), pool)) {
          got.push(Buffer.from(chunk.data));
          pool.give(chunk.buffer);
        }
        expect(got.map((chunk) => chunk.toString('hex'))).toEqual(cut(create(), data).map((chunk) => chunk.toString('hex')));
        // All three are there again.
        await Promise.all([pool.take(), pool.take(), pool.take()]);
      }),
    ));
});

function readerOf(data: Buffer, sizes: readonly number[]): ReadInto {
  let at = 0;
  let call = 0;
  return (into, offset, sizeBytes) => {
    const size = Math.min(sizes[call++ % sizes.length] as number, sizeBytes, data.length - at);
    data.copy(into, offset, at, at + size);
    at += size;
    return Promise.resolve(size);
  };
}

describe('FastCDC', () => {
  test('after an insertion the same chunks come again', () =>
    fc.assert(
      fc.property(
        fc.integer(),
        fc.integer({ min: 0, max: 4000 }),
        fc.uint8Array({ minLength: 1, maxLength: 100 }),
        (seed, at, inserted) => {
          const data = noise(seed, 100_000);
          const before = cut(createFastCdc(gear, small), data).map(hashOf);
          const changed = Buffer.concat([data.subarray(0, at), inserted, data.subarray(at)]);
          const after = new Set(cut(createFastCdc(gear, small), changed).map(hashOf));
          const lost = before.filter((hash) => !after.has(hash)).length;
          // It fails to meet the old ends with odds that fall by half or more with every chunk.
          expect(lost).toBeLessThan(30);
        },
      ),
      { numRuns: 50 },
    ));

  test('sizes of random data lie as computed', () => {
    const lengths = cut(createFastCdc(gear, small), noise(1, 4_000_000))
      .map((chunk) => chunk.length)
      .slice(0, -1);
    const mean = lengths.reduce((sum, length) => sum + length, 0) / lengths.length;
    // E = min + 192 steps at 1/1024, then 1/64 each: 64 + 1024(1 - q) + 64 q with q = (1 - 1/1024)^192.
    const survives = (1 - 1 / 1024) ** 192;
    expect(mean).toBeCloseTo(64 + 1024 * (1 - survives) + 64 * survives, -1);
    expect(Math.min(...lengths)).toBeGreaterThan(64);
  });

  test('each repository cuts elsewhere', () => {
    const data = noise(2, 200_000);
    const ours = new Set(cut(createFastCdc(gear, small), data).map(hashOf));
    const theirs = cut(createFastCdc(gearTable('another'), small), data).map(hashOf);
    expect(theirs.filter((hash) => ours.has(hash)).length).toBeLessThanOrEqual(1);
  });

  test('its table and ends are those of every release: another would store all anew', () => {
    const table = gearTable('0'.repeat(64));
    expect(hashOf(Buffer.from(table.buffer))).toMatchInlineSnapshot(`"0d081e65a8bafe7b"`);
    expect(cut(createFastCdc(table, fileChunkSizes), noise(3, 5_000_000)).map((chunk) => chunk.length)).toMatchInlineSnapshot(`
      [
        1405134,
        1420598,
        1068310,
        800834,
        305124,
      ]
    `);
  });

  test.each([{ averageBytes: 1000 }, { minBytes: 300 }, { maxBytes: 256 }])('refuses sizes that do not fit: %o', (sizes) =>
    expect(() => createFastCdc(gear, { ...small, ...sizes })).toThrow(RangeError),
  );
});

function hashOf(data: Uint8Array): string {
  return createHash('sha256').update(data).digest('hex').slice(0, 16);
}

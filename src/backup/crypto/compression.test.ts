import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { compress, decompress, decompressForNow } from './compression.ts';
import { compressByContext, decompressByContext } from './zstd-context.ts';

const level = 2;
const byNode = (plain: Uint8Array): Buffer => zstdCompressSync(plain, { params: { [constants.ZSTD_c_compressionLevel]: level } });

const plains: fc.Arbitrary<Uint8Array> = fc
  .record({ seed: fc.uint8Array({ minLength: 1, maxLength: 40 }), sizeBytes: fc.integer({ min: 1, max: 300_000 }), noise: fc.nat(50) })
  .map(({ seed, sizeBytes, noise }) =>
    Uint8Array.from({ length: sizeBytes }, (_, at) => (at % 50 < noise ? (at * at) >> 3 : seed[at % seed.length]!)),
  );

test("this Node's streams do what its functions do: a context is used", () => {
  expect(compressByContext(Buffer.from('text'), level)).toBeDefined();
  expect(decompressByContext(byNode(Buffer.from('text')), 4)).toBeDefined();
});

test('Safety: a frame is what it would be alone, whatever was packed before it, and so is what it has', () => {
  fc.assert(
    fc.property(plains, (plain) => {
      const packed = compress(plain);
      expect(byNode(plain).compare(packed)).toBe(0);
      expect(packed.buffer.byteLength).toBe(packed.byteLength);
      expect(zstdDecompressSync(packed).compare(plain)).toBe(0);
      expect(Buffer.compare(decompressForNow(packed, plain.byteLength), plain)).toBe(0);
      expect(Buffer.compare(decompress(packed, plain.byteLength), plain)).toBe(0);
    }),
    { numRuns: 60 },
  );
});

test('Safety: what is no whole frame, or of another size, is told as ever, and the next frame is read right. Method: cut, flipped, longer, two in one', () => {
  const good = byNode(Buffer.from('what comes next'));
  const outcome = (work: () => Uint8Array): unknown => {
    try {
      return Buffer.from(work()).toString('hex');
    } catch (error) {
      return (error as NodeJS.ErrnoException).code;
    }
  };
  fc.assert(
    fc.property(
      plains,
      fc.double({ min: 0, max: 1, noNaN: true }),
      fc.constantFrom('cut', 'flipped', 'longer', 'twice', 'smaller', 'larger'),
      (plain, share, kind) => {
        let packed: Buffer = byNode(plain);
        const at = Math.floor(share * (packed.length - 1));
        if (kind === 'cut') packed = packed.subarray(0, at);
        if (kind === 'flipped') packed[at]! ^= 16;
        if (kind === 'longer') packed = Buffer.concat([packed, Buffer.from('more')]);
        if (kind === 'twice') packed = Buffer.concat([packed, packed]);
        const size = plain.byteLength + (kind === 'smaller' ? -1 : kind === 'larger' ? 1 : 0);
        // In one buffer, as always: piece by piece, zstd refuses a header that tells of a larger window, too.
        const inOne = { maxOutputLength: Math.max(1, size), chunkSize: Math.max(64, size + 1) };
        const expected = outcome(() => zstdDecompressSync(packed, inOne));
        expect(outcome(() => decompressForNow(packed, size))).toBe(expected);
        expect(Buffer.from(decompressForNow(good, 15)).toString()).toBe('what comes next');
      },
    ),
    { numRuns: 200 },
  );
});

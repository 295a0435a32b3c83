import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { randomSealingKey, seal } from '../crypto/seal.ts';
import { decodeHeader, encodeHeader, headerBytes, type PackEntry, PackHeaderError } from './header.ts';
import { inspectHeader, inspectSlice, type PackFault, type PackSlice, slicesOf } from './inspect.ts';
import { sealRun } from '../reading/sealed-run.ts';
import { sha256 } from '../documents/ids.ts';

const key = randomSealingKey();

/** Blobs one behind the other. */
export const packEntries: fc.Arbitrary<PackEntry[]> = fc
  .array(
    fc.record({
      type: fc.constantFrom('data' as const, 'tree' as const),
      id: fc.uint8Array({ minLength: 32, maxLength: 32 }).map((bytes) => Buffer.from(bytes).toString('hex')),
      sizeBytes: fc.integer({ min: 32, max: 2 ** 20 }),
      compressedFrom: fc.option(fc.integer({ min: 1, max: 2 ** 32 - 1 })),
    }),
    { minLength: 1, maxLength: 60 },
  )
  .map((blobs) => {
    let offset = 0;
    return blobs.map(({ type, id, sizeBytes, compressedFrom }) => {
      const entry = { type, id, offset, sizeBytes, plainSizeBytes: compressedFrom ?? sizeBytes - 32, compressed: compressedFrom !== null };
      offset += sizeBytes;
      return entry;
    });
  });

describe('headers of packs', () => {
  test('Safety: what is written is read as it was. Method: blobs of both types, compressed or not', () => {
    fc.assert(
      fc.property(packEntries, (entries) => {
        const header = encodeHeader(key, entries);
        expect(header.byteLength).toBe(headerBytes(entries));
        const blobs = entries.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
        const tail = Buffer.concat([randomBytes(20), header]);
        expect(decodeHeader(key, tail, blobs + header.byteLength)).toEqual(entries);
      }),
    );
  });

  test('Safety: nonsense is refused, whatever it is. Method: random tails, cut headers, wrong sizes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), fc.nat(2 ** 20), (tail, more) => {
        expect(() => decodeHeader(key, tail, tail.length + more)).toThrow(PackHeaderError);
      }),
    );
    const [entry] = fc.sample(packEntries, 1)[0]!;
    const header = encodeHeader(key, [entry!]);
    const size = entry!.sizeBytes + header.byteLength;
    expect(decodeHeader(key, header, size)).toHaveLength(1);
    expect(() => decodeHeader(key, header, size + 1)).toThrow(PackHeaderError);
    expect(() => decodeHeader(key, header.subarray(1), size - 1)).toThrow(PackHeaderError);
    expect(() => decodeHeader(randomSealingKey(), header, size)).toThrow(PackHeaderError);
  });

  test.each([
    ['an unknown type', Buffer.concat([Buffer.from([4]), Buffer.alloc(36)]), 'unknown type 4'],
    ['an entry that ends early', Buffer.concat([Buffer.from([2]), Buffer.alloc(36)]), 'ends within an entry'],
    ['a blob that is shorter than a seal', Buffer.alloc(37), 'less than sealing adds'],
  ])('%s is refused', (_, plain, message) => {
    const sealed = seal(key, plain);
    const length = Buffer.alloc(4);
    length.writeUInt32LE(sealed.byteLength);
    const tail = Buffer.concat([sealed, length]);
    expect(() => decodeHeader(key, tail, tail.length + 100)).toThrow(message);
  });
});

describe('inspecting a pack', () => {
  function packOf(...plains: readonly Buffer[]): { readonly pack: Buffer; readonly entries: PackEntry[] } {
    let offset = 0;
    const run = sealRun(
      key,
      'data',
      plains.map((data) => ({ id: sha256(data), data })),
      true,
    );
    const entries = run.blobs.map((blob): PackEntry => {
      const entry = { ...blob, offset };
      offset += blob.sizeBytes;
      return entry;
    });
    return { pack: Buffer.concat([run.stored, encodeHeader(key, entries)]), entries };
  }
  const { pack, entries } = packOf(Buffer.from('text '.repeat(1000)), randomBytes(1000), Buffer.from('x'));

  const inspect = (bytes: Buffer, known: readonly PackEntry[], bytesMax: number): PackFault[] => {
    const slices = slicesOf(known, bytes.length, bytesMax);
    const partOf = ({ offset, sizeBytes }: PackSlice): Buffer => bytes.subarray(offset, offset + sizeBytes);
    const blobs = slices.flatMap((slice) => inspectSlice(key, new Uint8Array(partOf(slice)), slice));
    return [...inspectHeader(key, partOf(slices.at(-1)!), bytes.length, known), ...blobs];
  };

  describe.each([1, 1200, Infinity])('in slices of %d bytes', (bytesMax) => {
    test('finds nothing wrong with a whole one', () => expect(inspect(pack, entries, bytesMax)).toEqual([]));

    test('names the blob in which a bit flipped', () => {
      const flipped = Buffer.from(pack);
      flipped[entries[1]!.offset + 40]! ^= 4;
      const faults = inspect(flipped, entries, bytesMax);
      expect(faults.map(({ entry }) => entry)).toEqual([entries[1]]);
    });

    test('tells what lies beyond the end, and that the header is gone', () => {
      const cut = pack.subarray(0, entries[1]!.offset + 10);
      const faults = inspect(cut, entries, bytesMax);
      expect(faults.filter(({ entry }) => entry !== undefined).map(({ problem }) => problem)).toEqual([
        'lies beyond the end of its pack',
        'lies beyond the end of its pack',
      ]);
    });

    test('finds nothing wrong with a blob that indexes tell of twice, and a wrong name beside the right one', () => {
      const wrong = { ...entries[0]!, id: 'ab'.repeat(32) };
      expect(inspect(pack, [...entries, ...entries], bytesMax)).toEqual([]);
      const found = inspect(pack, [wrong, ...entries], bytesMax).filter(({ entry }) => entry !== undefined);
      expect(found).toEqual([{ problem: 'is not the blob that it is said to be', entry: wrong }]);
    });

    test('tells where header and index are at odds', () => {
      const other = { ...entries[2]!, id: 'ab'.repeat(32) };
      const problems = inspect(pack, [entries[0]!, entries[1]!, other], bytesMax).map(({ problem }) => problem);
      expect(problems).toEqual([
        'holds 1 blobs that its index does not know',
        'does not hold 1 blobs that its index tells of',
        'is not the blob that it is said to be',
      ]);
    });
  });

  test('a pack is cut between its blobs, every byte is in one slice, and a blob that is said to lie across another is not cut', () => {
    const bytesOf = (slices: readonly PackSlice[]): (readonly number[])[] =>
      slices.map(({ offset, sizeBytes, entries: within }) => [offset, sizeBytes, within.length]);
    const [first, second, third] = entries.map(({ offset }) => offset) as [number, number, number];
    expect(bytesOf(slicesOf(entries, pack.length, 1))).toEqual([
      [0, second, 1],
      [second, third - second, 1],
      [third, pack.length - third, 1],
    ]);
    expect(first).toBe(0);
    const across = { ...entries[0]!, sizeBytes: second + 1 };
    expect(bytesOf(slicesOf([across, ...entries.slice(1)], pack.length, 1))).toEqual([
      [0, third, 2],
      [third, pack.length - third, 1],
    ]);
    expect(bytesOf(slicesOf([{ ...entries[0]!, offset: 1e9 }], pack.length, 1))).toEqual([[0, pack.length, 1]]);
    expect(bytesOf(slicesOf([], pack.length, 1))).toEqual([[0, pack.length, 0]]);
  });
});

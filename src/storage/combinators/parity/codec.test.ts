import { readFile } from 'node:fs/promises';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { seededRandom } from '../../../sim/index.ts';
import { compileKernel, readKernels } from '../../../../tools/build-kernels.ts';
import { Codec } from './codec.ts';
import { combineByTables } from './combine.ts';
import { inverse, multiply } from './field.ts';
import { combineByKernel } from './machine/combine-by-kernel.ts';
import { parityRows, rebuildingRows, shardRow } from './matrix.ts';

const bytesOf = (sizeBytes: number, seed: number): Uint8Array => {
  const random = seededRandom(seed);
  return Uint8Array.from({ length: sizeBytes }, () => Math.floor(random.next() * 256));
};
const none = async (): Promise<void> => {};

describe('the field', () => {
  test('multiplies as polynomials do, modulo 0x11d', () => {
    const byShifts = (a: number, b: number): number => {
      let product = 0;
      for (let bit = 0; bit < 8; bit += 1) if ((b >> bit) & 1) product ^= a << bit;
      for (let bit = 14; bit >= 8; bit -= 1) if ((product >> bit) & 1) product ^= 0x11d << (bit - 8);
      return product;
    };
    for (let a = 0; a < 256; a += 1)
      for (let b = 0; b < 256; b += 1) if (multiply(a, b) !== byShifts(a, b)) expect.unreachable(`${a} × ${b}`);
  });

  test('every element but 0 has an inverse', () => {
    for (let a = 1; a < 256; a += 1) expect(multiply(a, inverse(a))).toBe(1);
    expect(() => inverse(0)).toThrow(RangeError);
  });
});

describe('the matrix', () => {
  test('its first row adds the data shards, as RAID 5 does', () => {
    expect([...parityRows(7, 3)[0]!]).toEqual([1, 1, 1, 1, 1, 1, 1]);
  });

  // Safety: any k of k + m shards rebuild all. Method: every choice of k rows of small codes can be inverted, and gives back the identity.
  test.each([
    [1, 1],
    [2, 1],
    [3, 3],
    [4, 2],
    [5, 4],
    [10, 4],
  ])('any %d of %d more rows rebuild all', (data, parity) => {
    const rows = parityRows(data, parity);
    const all = Array.from({ length: data + parity }, (_, index) => index);
    for (const present of choices(all, data)) {
      const back = rebuildingRows(rows, data, present, all);
      for (const [index, row] of back.entries()) {
        const product = new Uint8Array(data);
        for (const [at, factor] of row.entries())
          for (const [column, value] of shardRow(rows, data, present[at]!).entries()) product[column]! ^= multiply(factor, value);
        if (Buffer.compare(product, shardRow(rows, data, index)) !== 0) expect.unreachable(`${present.join(',')} → ${index}`);
      }
    }
  });

  test('has as many shards as the field elements', () => {
    expect(parityRows(200, 56)).toHaveLength(56);
    expect(() => parityRows(200, 57)).toThrow(RangeError);
    expect(() => rebuildingRows(parityRows(2, 1), 2, [1, 1], [0])).toThrow('named twice');
  });
});

describe('the kernel', () => {
  test('is what its source compiles to', async () => {
    const kernel = (await readKernels())['gf256']!;
    const committed = await readFile(new URL(`../../../../${kernel.to}`, import.meta.url));
    expect(Buffer.compare(await compileKernel('gf256', kernel), committed), 'node tools/build-kernels.ts').toBe(0);
  });

  // Method: sizes around its tiles and steps, inputs shorter than the rest, every number of rows that takes another way through it.
  test('computes what plain JavaScript does', () => {
    const sizes = [0, 1, 15, 16, 17, 31, 32, 33, 1000, 16_383, 16_384, 16_385, 40_000];
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 12 }),
        fc.integer({ min: 0, max: 9 }),
        fc.constantFrom(...sizes),
        fc.nat(),
        (count, outputs, sizeBytes, seed) => {
          const random = seededRandom(seed);
          const inputs = Array.from({ length: count }, (_, n) =>
            bytesOf(random.next() < 0.2 ? Math.floor(sizeBytes * random.next()) : sizeBytes, seed + n),
          );
          const rows = Array.from({ length: outputs }, () =>
            Uint8Array.from({ length: count }, () => (random.next() < 0.3 ? 1 : Math.floor(random.next() * 256))),
          );
          if (random.next() < 0.3) rows[0]?.fill(1);
          const [byKernel, byTables] = [combineByKernel, combineByTables].map((combine) => {
            const found = Array.from({ length: outputs }, () => new Uint8Array(sizeBytes).fill(7));
            combine(rows, inputs, found);
            return Buffer.concat(found);
          });
          expect(Buffer.compare(byKernel!, byTables!)).toBe(0);
        },
      ),
      { numRuns: 150 },
    );
  });
});

describe('the codec', () => {
  // Safety: any k shards make the object. Method: random codes, sizes and losses; rebuilt shards are those that were lost.
  test('joins and rebuilds from any k shards', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 6 }),
        fc.integer({ min: 1, max: 4 }),
        fc.nat(70_000),
        fc.nat(),
        async (data, parity, sizeBytes, seed) => {
          const codec = new Codec(data, parity, none);
          const object = bytesOf(sizeBytes, seed);
          const whole = Math.ceil(sizeBytes / data);
          const padded = (await codec.split(object)).map((payload) => {
            const full = new Uint8Array(whole);
            full.set(payload);
            return full;
          });
          const random = seededRandom(seed);
          const order = padded.map((_, index) => ({ index, at: random.next() })).toSorted((a, b) => a.at - b.at);
          const present = new Map(order.slice(0, data).map(({ index }) => [index, padded[index]!]));
          expect(Buffer.compare(await codec.join(present, sizeBytes), object)).toBe(0);
          const lost = order.slice(data).map(({ index }) => index);
          const rebuilt = await codec.rebuild(present, lost, whole);
          for (const [at, index] of lost.entries()) expect(Buffer.compare(rebuilt[at]!, padded[index]!)).toBe(0);
        },
      ),
      { numRuns: 60 },
    );
  });

  test('lets others run while it works on much', async () => {
    let pauses = 0;
    const codec = new Codec(2, 1, async () => void (pauses += 1));
    await codec.split(new Uint8Array(10 * 1024 * 1024));
    expect(pauses).toBe(2);
  });
});

function choices(from: readonly number[], count: number): number[][] {
  if (count === 0) return [[]];
  return from.flatMap((first, at) => choices(from.slice(at + 1), count - 1).map((rest) => [first, ...rest]));
}

import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { compileKernel, readKernels } from '../../../tools/build-kernels.ts';
import { checksumOfPage, isPageIntact } from '../../core/page-checksum.ts';
import { countIntactPages } from './intact-pages.ts';

/** A page that a server would take for its own at that place. */
function pageOf(pageBytes: number, block: number): Buffer {
  const page = randomBytes(pageBytes);
  page.writeUInt16LE(checksumOfPage(page, block), 8);
  return page;
}

test('Safety: a page counts as intact exactly when it is. Method: pages of all sizes, at all numbers, with and without a bit that fell over', () => {
  const damage = fc.option(fc.record({ page: fc.nat(4), bit: fc.nat(8 * 1024 - 1) }));
  const sizes = fc.constantFrom(1024, 8192, 32_768);
  fc.assert(
    fc.property(sizes, fc.oneof(fc.nat(1_000), fc.integer({ min: 2 ** 31 - 3, max: 2 ** 32 - 8 })), damage, (pageBytes, block, harm) => {
      const pages = Array.from({ length: 5 }, (_, at) => (at === 2 ? Buffer.alloc(pageBytes) : pageOf(pageBytes, block + at)));
      if (harm !== null) pages[harm.page]![harm.bit >> 3]! ^= 1 << (harm.bit & 7);
      const expected = pages.findIndex((page, at) => !isPageIntact(page, block + at));
      const before = Buffer.concat(pages);
      const data = Buffer.from(before);
      expect(countIntactPages(data, pageBytes, block)).toBe(expected < 0 ? 5 : expected);
      expect(data.equals(before)).toBe(true);
    }),
    { numRuns: 60 },
  );
});

test('more pages than are looked at together, the rest of one, and none', () => {
  const [pageBytes, block] = [8192, 7];
  const page = Buffer.concat([pageOf(pageBytes, block), Buffer.alloc(40 * pageBytes)]);
  expect(countIntactPages(page, pageBytes, block)).toBe(41);
  page.writeUInt8(1, 40 * pageBytes + 1);
  expect(countIntactPages(page, pageBytes, block)).toBe(40);
  expect(countIntactPages(page.subarray(0, pageBytes + 100), pageBytes, block)).toBe(1);
  expect(countIntactPages(page.subarray(0, 100), pageBytes, block)).toBe(0);
});

test('the kernel is what its source compiles to', async () => {
  const { 'page-checksum': kernel } = await readKernels();
  const compiled = await compileKernel('page-checksum', kernel!);
  expect(Buffer.from(compiled).equals(readFileSync(new URL('./page-checksum.wasm', import.meta.url)))).toBe(true);
});

/**
 * Whether a page's checksum fits its content (pg_checksum_page of checksum_impl.h: 32 interleaved FNV-1a sums, mixed with the block
 * number). New pages, all zeros, have none.
 * @param block number of the block within its relation fork, over all its segment files
 */
export function isPageIntact(page: Buffer, block: number): boolean {
  const words = wordsOf(page);
  const stated = page.readUInt16LE(checksumOffset);
  if (stated === 0 && words.every((word) => word === 0)) return true;
  return pageChecksum(words, block) === stated;
}

/** What `isPageIntact` expects a page to state, whatever it does. */
export function checksumOfPage(page: Buffer, block: number): number {
  return pageChecksum(wordsOf(page), block);
}

function wordsOf(page: Buffer): Int32Array {
  // Whole words only lie at multiples of four.
  const { buffer, byteOffset } = page.byteOffset % 4 === 0 ? page : new Uint8Array(page);
  return new Int32Array(buffer, byteOffset, page.length / 4);
}

/** pd_checksum in PageHeaderData: bytes 8 and 9. */
const checksumOffset = 8;
const lanes = 32;
const prime = 16_777_619;

/** checksumBaseOffsets of checksum_impl.h. */
const offsets = new Int32Array([
  0x5b1f36e9, 0xb8525960, 0x02ab50aa, 0x1de66d2a, 0x79ff467a, 0x9bb9f8a3, 0x217e7cd2, 0x83e13d2c, 0xf8d4474f, 0xe39eb970, 0x42c6ae16,
  0x993216fa, 0x7b093b5d, 0x98daff3c, 0xf718902a, 0x0b1c9cdb, 0xe58f764b, 0x187636bc, 0x5d7b3bb1, 0xe73de7de, 0x92bec979, 0xcca6c0b2,
  0x304a0979, 0x85aa43d4, 0x783125bb, 0x6ca8eaa2, 0xe407eac6, 0x4b5cfc3e, 0x9fbf8c76, 0x15ca20be, 0xf2ca9fd3, 0x959bd756,
]);

function pageChecksum(words: Int32Array, block: number): number {
  const sums = offsets.slice();
  for (let at = 0; at < words.length; at += lanes) {
    for (let lane = 0; lane < lanes; lane += 1) {
      // The checksum itself counts as zero: the lower half of the third word.
      const word = at === 0 && lane === 2 ? words[2]! & ~0xffff : words[at + lane]!;
      const mixed = sums[lane]! ^ word;
      sums[lane] = Math.imul(mixed, prime) ^ (mixed >>> 17);
    }
  }
  let result = 0;
  for (let lane = 0; lane < lanes; lane += 1) {
    let sum = sums[lane]!;
    // Two more rounds of zeros.
    sum = Math.imul(sum, prime) ^ (sum >>> 17);
    sum = Math.imul(sum, prime) ^ (sum >>> 17);
    result ^= sum;
  }
  return (((result ^ block) >>> 0) % 65_535) + 1;
}

// Checksums of PostgreSQL's pages (pg_checksum_page of checksum_impl.h): 32 interleaved FNV-1a sums of 32 bits, four to a vector, mixed with
// the block's number. src/core/page-checksum.ts is the same in words.

/** Pages that are looked at together, one behind the other; the caller's to fill, and changed by each look. */
const input: usize = 4096;
const inputSize: usize = 131072;

/** checksumBaseOffsets of checksum_impl.h. */
const offsets = memory.data<u32>([
  0x5b1f36e9, 0xb8525960, 0x02ab50aa, 0x1de66d2a, 0x79ff467a, 0x9bb9f8a3, 0x217e7cd2, 0x83e13d2c, 0xf8d4474f, 0xe39eb970, 0x42c6ae16,
  0x993216fa, 0x7b093b5d, 0x98daff3c, 0xf718902a, 0x0b1c9cdb, 0xe58f764b, 0x187636bc, 0x5d7b3bb1, 0xe73de7de, 0x92bec979, 0xcca6c0b2,
  0x304a0979, 0x85aa43d4, 0x783125bb, 0x6ca8eaa2, 0xe407eac6, 0x4b5cfc3e, 0x9fbf8c76, 0x15ca20be, 0xf2ca9fd3, 0x959bd756,
]);
/** pd_checksum of PageHeaderData. */
const checksumOffset: usize = 8;

export function inputOffset(): usize {
  return input;
}

export function inputBytes(): usize {
  return inputSize;
}

// @ts-ignore: decorator
@inline
function mix(sum: v128, words: v128): v128 {
  const mixed = v128.xor(sum, words);
  return v128.xor(i32x4.mul(mixed, i32x4.splat(16777619)), i32x4.shr_u(mixed, 17));
}

// @ts-ignore: decorator
@inline
function twiceZero(sum: v128): v128 {
  return mix(mix(sum, i32x4.splat(0)), i32x4.splat(0));
}

function isZero(page: usize, size: usize): bool {
  let any = i64x2.splat(0);
  for (let at: usize = 0; at < size; at += 16) any = v128.or(any, v128.load(page + at));
  return !v128.any_true(any);
}

function checksum(page: usize, size: usize, block: u32): u32 {
  let a = v128.load(offsets);
  let b = v128.load(offsets, 16);
  let c = v128.load(offsets, 32);
  let d = v128.load(offsets, 48);
  let e = v128.load(offsets, 64);
  let f = v128.load(offsets, 80);
  let g = v128.load(offsets, 96);
  let h = v128.load(offsets, 112);
  for (let at = page; at < page + size; at += 128) {
    a = mix(a, v128.load(at));
    b = mix(b, v128.load(at, 16));
    c = mix(c, v128.load(at, 32));
    d = mix(d, v128.load(at, 48));
    e = mix(e, v128.load(at, 64));
    f = mix(f, v128.load(at, 80));
    g = mix(g, v128.load(at, 96));
    h = mix(h, v128.load(at, 112));
  }
  const ab = v128.xor(twiceZero(a), twiceZero(b));
  const cd = v128.xor(twiceZero(c), twiceZero(d));
  const ef = v128.xor(twiceZero(e), twiceZero(f));
  const gh = v128.xor(twiceZero(g), twiceZero(h));
  const all = v128.xor(v128.xor(ab, cd), v128.xor(ef, gh));
  const sum = i32x4.extract_lane(all, 0) ^ i32x4.extract_lane(all, 1) ^ i32x4.extract_lane(all, 2) ^ i32x4.extract_lane(all, 3);
  return ((<u32>sum ^ block) % 65535) + 1;
}

/** How many of the pages are intact before the first that is not; `count` when all are. The first has the number `block`, `size` bytes each. */
export function intact(count: u32, size: usize, block: u32): u32 {
  for (let page: u32 = 0; page < count; page++) {
    const at = input + <usize>page * size;
    const stated = <u32>load<u16>(at, checksumOffset);
    // New pages, all zeros, have none; no other has 0.
    if (stated == 0) {
      if (!isZero(at, size)) return page;
      continue;
    }
    // It counts as zero itself.
    store<u16>(at, 0, checksumOffset);
    if (checksum(at, size, block + page) != stated) return page;
  }
  return count;
}

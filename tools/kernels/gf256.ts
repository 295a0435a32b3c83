// Linear combinations over GF(2^8), 16 bytes at a time: a product by a constant is two look-ups of 16 entries, one for each half of the byte
// (J. S. Plank, K. M. Greenan, E. L. Miller, "Screaming Fast Galois Field Arithmetic Using Intel SIMD Instructions", FAST 2013).
//
// Inputs lie one after the other, `stride` bytes apart; so do outputs. A constant's table is 32 bytes: its products with 0x00 … 0x0f, then with
// 0x00, 0x10 … 0xf0. Tables stand row by row, one row for each output with one table for each input. `size` is a multiple of 32.

/** Where the tables may begin; all that follows is the caller's. */
const base: usize = 4096;

export function baseOffset(): usize {
  return base;
}

export function growTo(bytes: usize): void {
  const pages = <i32>((bytes + 0xffff) >> 16);
  if (pages > memory.size()) memory.grow(pages - memory.size());
}

// A relaxed swizzle is the plain instruction of the machine; the indices here are below 16, where all machines agree.

// @ts-ignore: decorator
@inline
function low(v: v128): v128 {
  return v128.and(v, i8x16.splat(0x0f));
}

// @ts-ignore: decorator
@inline
function high(v: v128): v128 {
  return v128.and(i16x8.shr_u(v, 4), i8x16.splat(0x0f));
}

// @ts-ignore: decorator
@inline
function times(table: usize, l: v128, h: v128): v128 {
  return v128.xor(i8x16.relaxed_swizzle(v128.load(table), l), i8x16.relaxed_swizzle(v128.load(table, 16), h));
}

/** One output that is the sum of all inputs. */
export function sum(input: usize, stride: usize, count: usize, output: usize, size: usize): void {
  for (let x: usize = 0; x < size; x += 32) {
    let at = input + x;
    let a = v128.load(at);
    let b = v128.load(at, 16);
    for (let i: usize = 1; i < count; i++) {
      at += stride;
      a = v128.xor(a, v128.load(at));
      b = v128.xor(b, v128.load(at, 16));
    }
    v128.store(output + x, a);
    v128.store(output + x, b, 16);
  }
}

export function rows1(input: usize, stride: usize, count: usize, tables: usize, output: usize, size: usize): void {
  for (let x: usize = 0; x < size; x += 32) {
    let a = i64x2.splat(0);
    let b = a;
    let table = tables;
    let at = input + x;
    for (let i: usize = 0; i < count; i++) {
      const v = v128.load(at);
      const w = v128.load(at, 16);
      a = v128.xor(a, times(table, low(v), high(v)));
      b = v128.xor(b, times(table, low(w), high(w)));
      at += stride;
      table += 32;
    }
    v128.store(output + x, a);
    v128.store(output + x, b, 16);
  }
}

export function rows2(input: usize, stride: usize, count: usize, tables: usize, output: usize, size: usize): void {
  const row = count * 32;
  for (let x: usize = 0; x < size; x += 32) {
    let a0 = i64x2.splat(0);
    let a1 = a0;
    let b0 = a0;
    let b1 = a0;
    let table = tables;
    let at = input + x;
    for (let i: usize = 0; i < count; i++) {
      const v = v128.load(at);
      const w = v128.load(at, 16);
      const vl = low(v);
      const vh = high(v);
      const wl = low(w);
      const wh = high(w);
      a0 = v128.xor(a0, times(table, vl, vh));
      b0 = v128.xor(b0, times(table, wl, wh));
      a1 = v128.xor(a1, times(table + row, vl, vh));
      b1 = v128.xor(b1, times(table + row, wl, wh));
      at += stride;
      table += 32;
    }
    v128.store(output + x, a0);
    v128.store(output + x, b0, 16);
    v128.store(output + stride + x, a1);
    v128.store(output + stride + x, b1, 16);
  }
}

export function rows4(input: usize, stride: usize, count: usize, tables: usize, output: usize, size: usize): void {
  const row = count * 32;
  for (let x: usize = 0; x < size; x += 16) {
    let a0 = i64x2.splat(0);
    let a1 = a0;
    let a2 = a0;
    let a3 = a0;
    let table = tables;
    let at = input + x;
    for (let i: usize = 0; i < count; i++) {
      const v = v128.load(at);
      const l = low(v);
      const h = high(v);
      a0 = v128.xor(a0, times(table, l, h));
      a1 = v128.xor(a1, times(table + row, l, h));
      a2 = v128.xor(a2, times(table + 2 * row, l, h));
      a3 = v128.xor(a3, times(table + 3 * row, l, h));
      at += stride;
      table += 32;
    }
    v128.store(output + x, a0);
    v128.store(output + stride + x, a1);
    v128.store(output + 2 * stride + x, a2);
    v128.store(output + 3 * stride + x, a3);
  }
}

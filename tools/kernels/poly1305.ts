// Poly1305 over whole blocks (D. J. Bernstein, "The Poly1305-AES message-authentication code"; RFC 8439 section 2.5).
//
// Numbers modulo 2^130 - 5 are five limbs of 26 bits. A product of limbs has at most 28 + 29 bits (one factor may be multiplied by 5, the
// other be a sum), ten of them fit 64 bits with room to spare: so two blocks are taken at once, as (h + m0) r^2 + m1 r, and carries once
// for both. Half of the multiplications then wait for nothing.

/** Bytes that can be handed over at once: 4096 blocks. */
const inputSize: usize = 65536;
/** The message, or the 32 bytes of the key: r, then s. */
const input: usize = 4096;

let r0: u64, r1: u64, r2: u64, r3: u64, r4: u64;
let h0: u64, h1: u64, h2: u64, h3: u64, h4: u64;
/** r^2, with all carries taken but that of its second limb. */
let q0: u64, q1: u64, q2: u64, q3: u64, q4: u64;
let s0: u64, s1: u64, s2: u64, s3: u64;
const limb: u64 = 0x3ffffff;

export function inputOffset(): usize {
  return input;
}

export function inputBytes(): usize {
  return inputSize;
}

/** Begins a message with the key in the input. */
export function begin(): void {
  const t0 = load<u64>(input);
  const t1 = load<u64>(input, 8);
  // r is clamped: the top four bits of every fourth byte and the low two bits of what follows are clear.
  const low = t0 & 0x0ffffffc0fffffff;
  const high = t1 & 0x0ffffffc0ffffffc;
  r0 = low & limb;
  r1 = (low >> 26) & limb;
  r2 = ((low >> 52) | (high << 12)) & limb;
  r3 = (high >> 14) & limb;
  r4 = high >> 40;
  s0 = load<u32>(input, 16);
  s1 = load<u32>(input, 20);
  s2 = load<u32>(input, 24);
  s3 = load<u32>(input, 28);
  square();
  h0 = 0;
  h1 = 0;
  h2 = 0;
  h3 = 0;
  h4 = 0;
}

function square(): void {
  h0 = r0;
  h1 = r1;
  h2 = r2;
  h3 = r3;
  h4 = r4;
  // A block of zeros without the bit beyond it: what is left is the product.
  store<u64>(input, 0);
  store<u64>(input, 0, 8);
  blocks(16, 0);
  q0 = h0;
  q1 = h1;
  q2 = h2;
  q3 = h3;
  q4 = h4;
}

/** Takes `size` bytes of the input, a multiple of 16; `last` is the bit beyond each block: 1 << 24, or 0 for the padded end of a message. */
function blocks(size: usize, last: u64): void {
  const a0 = r0,
    a1 = r1,
    a2 = r2,
    a3 = r3,
    a4 = r4;
  const b1 = a1 * 5,
    b2 = a2 * 5,
    b3 = a3 * 5,
    b4 = a4 * 5;
  let g0 = h0,
    g1 = h1,
    g2 = h2,
    g3 = h3,
    g4 = h4;
  for (let at: usize = input; at < input + size; at += 16) {
    const low = load<u64>(at);
    const high = load<u64>(at, 8);
    g0 += low & limb;
    g1 += (low >> 26) & limb;
    g2 += ((low >> 52) | (high << 12)) & limb;
    g3 += (high >> 14) & limb;
    g4 += (high >> 40) | last;

    const d0 = g0 * a0 + g1 * b4 + g2 * b3 + g3 * b2 + g4 * b1;
    let d1 = g0 * a1 + g1 * a0 + g2 * b4 + g3 * b3 + g4 * b2;
    let d2 = g0 * a2 + g1 * a1 + g2 * a0 + g3 * b4 + g4 * b3;
    let d3 = g0 * a3 + g1 * a2 + g2 * a1 + g3 * a0 + g4 * b4;
    let d4 = g0 * a4 + g1 * a3 + g2 * a2 + g3 * a1 + g4 * a0;

    d1 += d0 >> 26;
    d2 += d1 >> 26;
    d3 += d2 >> 26;
    d4 += d3 >> 26;
    g0 = (d0 & limb) + (d4 >> 26) * 5;
    g1 = (d1 & limb) + (g0 >> 26);
    g0 &= limb;
    g2 = d2 & limb;
    g3 = d3 & limb;
    g4 = d4 & limb;
  }
  h0 = g0;
  h1 = g1;
  h2 = g2;
  h3 = g3;
  h4 = g4;
}

/** Takes `size` bytes of the input, a multiple of 32. */
function pairs(size: usize): void {
  const a0 = r0,
    a1 = r1,
    a2 = r2,
    a3 = r3,
    a4 = r4;
  const b1 = a1 * 5,
    b2 = a2 * 5,
    b3 = a3 * 5,
    b4 = a4 * 5;
  const e0 = q0,
    e1 = q1,
    e2 = q2,
    e3 = q3,
    e4 = q4;
  const f1 = e1 * 5,
    f2 = e2 * 5,
    f3 = e3 * 5,
    f4 = e4 * 5;
  let g0 = h0,
    g1 = h1,
    g2 = h2,
    g3 = h3,
    g4 = h4;
  for (let at: usize = input; at < input + size; at += 32) {
    let low = load<u64>(at);
    let high = load<u64>(at, 8);
    g0 += low & limb;
    g1 += (low >> 26) & limb;
    g2 += ((low >> 52) | (high << 12)) & limb;
    g3 += (high >> 14) & limb;
    g4 += (high >> 40) | (1 << 24);
    low = load<u64>(at, 16);
    high = load<u64>(at, 24);
    const m0 = low & limb;
    const m1 = (low >> 26) & limb;
    const m2 = ((low >> 52) | (high << 12)) & limb;
    const m3 = (high >> 14) & limb;
    const m4 = (high >> 40) | (1 << 24);

    const d0 = m0 * a0 + m1 * b4 + m2 * b3 + m3 * b2 + m4 * b1 + g0 * e0 + g1 * f4 + g2 * f3 + g3 * f2 + g4 * f1;
    let d1 = m0 * a1 + m1 * a0 + m2 * b4 + m3 * b3 + m4 * b2 + g0 * e1 + g1 * e0 + g2 * f4 + g3 * f3 + g4 * f2;
    let d2 = m0 * a2 + m1 * a1 + m2 * a0 + m3 * b4 + m4 * b3 + g0 * e2 + g1 * e1 + g2 * e0 + g3 * f4 + g4 * f3;
    let d3 = m0 * a3 + m1 * a2 + m2 * a1 + m3 * a0 + m4 * b4 + g0 * e3 + g1 * e2 + g2 * e1 + g3 * e0 + g4 * f4;
    let d4 = m0 * a4 + m1 * a3 + m2 * a2 + m3 * a1 + m4 * a0 + g0 * e4 + g1 * e3 + g2 * e2 + g3 * e1 + g4 * e0;

    d1 += d0 >> 26;
    d2 += d1 >> 26;
    d3 += d2 >> 26;
    d4 += d3 >> 26;
    g0 = (d0 & limb) + (d4 >> 26) * 5;
    g1 = (d1 & limb) + (g0 >> 26);
    g0 &= limb;
    g2 = d2 & limb;
    g3 = d3 & limb;
    g4 = d4 & limb;
  }
  h0 = g0;
  h1 = g1;
  h2 = g2;
  h3 = g3;
  h4 = g4;
}

/** Takes `size` bytes of the input, a multiple of 16; less than all of it only at the end of a message. */
export function update(size: usize): void {
  const whole = size & ~31;
  pairs(whole);
  if (size > whole) {
    memory.copy(input, input + whole, 16);
    blocks(16, 1 << 24);
  }
}

/** Takes the last `size` bytes, 0 to 15, and writes the 16 bytes of the code to the begin of the input. */
export function finish(size: usize): void {
  if (size > 0) {
    store<u8>(input + size, 1);
    for (let at = size + 1; at < 16; at += 1) store<u8>(input + at, 0);
    blocks(16, 0);
  }
  // All carries, then the number itself or the number minus 2^130 - 5, whichever lies in range; without a branch on the secret.
  let c = h1 >> 26;
  h1 &= limb;
  h2 += c;
  c = h2 >> 26;
  h2 &= limb;
  h3 += c;
  c = h3 >> 26;
  h3 &= limb;
  h4 += c;
  c = h4 >> 26;
  h4 &= limb;
  h0 += c * 5;
  c = h0 >> 26;
  h0 &= limb;
  h1 += c;

  let g0 = h0 + 5;
  let g1 = h1 + (g0 >> 26);
  let g2 = h2 + (g1 >> 26);
  let g3 = h3 + (g2 >> 26);
  const g4 = h4 + (g3 >> 26) - (1 << 26);
  const mask = (g4 >> 63) - 1;
  g0 = (h0 & ~mask) | (g0 & limb & mask);
  g1 = (h1 & ~mask) | (g1 & limb & mask);
  g2 = (h2 & ~mask) | (g2 & limb & mask);
  g3 = (h3 & ~mask) | (g3 & limb & mask);
  const top = (h4 & ~mask) | (g4 & mask);

  const w0 = (g0 | (g1 << 26)) & 0xffffffff;
  const w1 = ((g1 >> 6) | (g2 << 20)) & 0xffffffff;
  const w2 = ((g2 >> 12) | (g3 << 14)) & 0xffffffff;
  const w3 = ((g3 >> 18) | (top << 8)) & 0xffffffff;
  let sum = w0 + s0;
  store<u32>(input, sum as u32);
  sum = w1 + s1 + (sum >> 32);
  store<u32>(input, sum as u32, 4);
  sum = w2 + s2 + (sum >> 32);
  store<u32>(input, sum as u32, 8);
  sum = w3 + s3 + (sum >> 32);
  store<u32>(input, sum as u32, 12);
}

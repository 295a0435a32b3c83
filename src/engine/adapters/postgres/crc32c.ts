/** Slicing by eight (Kounavis and Berry 2005) over the reflected Castagnoli polynomial. */
const tables = makeTables(0x82f63b78);

/**
 * CRC-32C (Castagnoli; RFC 3720 appendix B.4), as PostgreSQL protects pg_control, WAL records and backup manifests with it.
 * To go on over several chunks, pass the last result as `previous`.
 */
export function crc32c(bytes: Uint8Array, previous = 0): number {
  const [t0, t1, t2, t3, t4, t5, t6, t7] = tables;
  let crc = ~previous;
  let at = 0;
  for (const end = bytes.length - 7; at < end; at += 8) {
    crc ^= bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
    crc =
      t7[crc & 0xff]! ^
      t6[(crc >>> 8) & 0xff]! ^
      t5[(crc >>> 16) & 0xff]! ^
      t4[crc >>> 24]! ^
      t3[bytes[at + 4]!]! ^
      t2[bytes[at + 5]!]! ^
      t1[bytes[at + 6]!]! ^
      t0[bytes[at + 7]!]!;
  }
  for (; at < bytes.length; at += 1) crc = t0[(crc ^ bytes[at]!) & 0xff]! ^ (crc >>> 8);
  return ~crc >>> 0;
}

type Tables = readonly [Uint32Array, Uint32Array, Uint32Array, Uint32Array, Uint32Array, Uint32Array, Uint32Array, Uint32Array];

function makeTables(polynomial: number): Tables {
  const made = Array.from({ length: 8 }, () => new Uint32Array(256)) as unknown as Tables;
  for (let value = 0; value < 256; value += 1) {
    let crc = value;
    for (let bit = 0; bit < 8; bit += 1) crc = crc & 1 ? (crc >>> 1) ^ polynomial : crc >>> 1;
    made[0][value] = crc;
  }
  for (let value = 0; value < 256; value += 1) {
    for (let slice = 1; slice < 8; slice += 1) {
      const before = made[slice - 1]![value]!;
      made[slice]![value] = (before >>> 8) ^ made[0][before & 0xff]!;
    }
  }
  return made;
}

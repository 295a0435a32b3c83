import { expect, test } from 'vitest';
import { parseControlFile } from './control-file.ts';
import { crc32c } from './crc32c.ts';

/** What real servers write is compared in the scenarios; here only that damage is seen. */
function controlFile(version: number, crcOffset: number): Buffer {
  const bytes = Buffer.alloc(8192);
  bytes.writeBigUInt64LE(7_711_171_098_269_248_257n, 0);
  bytes.writeUInt32LE(version, 8);
  bytes.writeUInt32LE(6, 16);
  bytes.writeBigUInt64LE(0x300_0060n, 32);
  bytes.writeBigUInt64LE(0x300_0028n, 40);
  bytes.writeUInt32LE(2, 48);
  bytes.writeInt32LE(100, 180);
  bytes.writeUInt32LE(8192, 216);
  bytes.writeUInt32LE(16_777_216, 228);
  bytes.writeUInt32LE(1, 252);
  bytes.writeUInt32LE(crc32c(bytes.subarray(0, crcOffset)), crcOffset);
  return bytes;
}

test.each([
  [1300, 288],
  [1700, 288],
  [1800, 292],
])('format %i is read', (version, crcOffset) => {
  expect(parseControlFile(controlFile(version, crcOffset))).toMatchObject({
    systemId: '7711171098269248257',
    state: 'in production',
    checkpointLsn: 0x300_0060n,
    redoLsn: 0x300_0028n,
    timeline: 2,
    segmentBytes: 16_777_216n,
    checksums: true,
    standbyMinimums: { max_connections: 100 },
  });
});

test('one changed bit anywhere in it is seen', () => {
  const whole = controlFile(1700, 288);
  for (let bit = 0; bit < 292 * 8; bit += 7) {
    const damaged = Buffer.from(whole);
    damaged[bit >> 3]! ^= 1 << (bit & 7);
    expect(typeof parseControlFile(damaged), `bit ${bit}`).toBe('string');
  }
});

test('short or foreign files are refused', () => {
  expect(parseControlFile(Buffer.alloc(100))).toMatch(/too short/);
  expect(parseControlFile(controlFile(1201, 288))).toMatch(/format 1201/);
});

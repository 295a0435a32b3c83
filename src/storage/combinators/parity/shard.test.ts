import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  BLOCK_BYTES,
  blocksHolding,
  decodeBlocks,
  decodeShard,
  encodeShard,
  payloadBytes,
  shardBytes,
  shardChecksum,
  type ShardHeader,
  sizeOfObject,
  sizeOfSingle,
} from './shard.ts';

const header: ShardHeader = {
  data: 3,
  parity: 2,
  index: 4,
  blockBytes: BLOCK_BYTES,
  sizeBytes: 400_001,
  stamp: '0123456789abcdef'.repeat(2),
  digest: 'c0ffee00'.repeat(8),
};
const payload = Uint8Array.from({ length: payloadBytes(header) }, (_, at) => at * 7);

describe('a shard', () => {
  test('stands in bytes as it is described', () => {
    const shard = Buffer.from(encodeShard(header, payload));
    expect(shard.subarray(0, 16).toString('hex')).toBe('48465348415244010302040000010000');
    expect(shard.readBigUInt64BE(16)).toBe(400_001n);
    expect(shard.toString('hex', 24, 40)).toBe(header.stamp);
    expect(shard.toString('hex', 40, 72)).toBe(header.digest);
    // 133 334 bytes in three blocks, and the index times the one byte that 3 × 133 334 has more than the object.
    expect(shard.length).toBe(80 + 133_334 + 3 * 4 + 4 * 1);
    expect(decodeShard(shard)).toEqual({ header, payload });
  });

  test('any flipped bit is noticed, but for those of the zeros at its end', () => {
    const shard = encodeShard(header, payload);
    const end = shard.length - 4;
    for (const at of [
      0,
      7,
      8,
      9,
      10,
      11,
      12,
      20,
      30,
      50,
      73,
      77,
      80,
      81,
      BLOCK_BYTES + 79,
      BLOCK_BYTES + 80,
      BLOCK_BYTES + 84,
      end - 5,
      end - 1,
    ]) {
      const rotten = shard.slice();
      rotten[at]! ^= 0x10;
      expect(decodeShard(rotten), `byte ${at}`).toBeTypeOf('string');
    }
  });

  test.each([0, 1, 79, 80, 100, 133_000, 133_425])('one that was cut to %d bytes is noticed', (sizeBytes) => {
    expect(decodeShard(encodeShard(header, payload).slice(0, sizeBytes))).toBeTypeOf('string');
  });

  test('blocks of another shard, or in another order, are noticed', () => {
    const shard = encodeShard(header, payload);
    const other = { ...header, index: 3 };
    expect(decodeBlocks(other, shardChecksum(other), 0, shard.subarray(80))).toBe('has rot in block 0');
    expect(decodeBlocks(header, shardChecksum(header), 1, shard.subarray(80, 80 + BLOCK_BYTES + 4))).toBe('has rot in block 1');
  });

  test('any part of it can be read alone', () => {
    const shard = encodeShard(header, payload);
    fc.assert(
      fc.property(fc.nat(payload.length - 1), fc.nat(payload.length), (from, more) => {
        const end = Math.min(payload.length, from + 1 + more);
        const { first, offset, sizeBytes } = blocksHolding(header, from, end);
        const bytes = decodeBlocks(header, shardChecksum(header), first, shard.subarray(offset, offset + sizeBytes));
        const begin = from - first * BLOCK_BYTES;
        expect(Buffer.compare(bytes.slice(begin, begin + end - from) as Uint8Array, payload.subarray(from, end))).toBe(0);
      }),
      { numRuns: 60 },
    );
  });

  // Safety: a list of two parts tells sizes. Method: all pairs of shards of random codes and sizes.
  test('the lengths of any two tell the size of the object', () => {
    fc.assert(
      fc.property(fc.integer({ min: 2, max: 20 }), fc.integer({ min: 1, max: 6 }), fc.nat(3_000_000), (data, parity, sizeBytes) => {
        const lengths = Array.from({ length: data + parity }, (_, index) => ({
          index,
          bytes: shardBytes({ data, index, sizeBytes, blockBytes: BLOCK_BYTES }),
        }));
        for (const one of lengths)
          for (const other of lengths)
            if (one !== other && sizeOfObject(data, one, other) !== sizeBytes) expect.unreachable(`${one.index} ${other.index}`);
        expect(sizeOfSingle(shardBytes({ data: 1, index: 1, sizeBytes, blockBytes: BLOCK_BYTES }))).toBe(sizeBytes);
      }),
    );
  });
});

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { formatLsn, parseLsn, parseSegmentName, segmentName } from './lsn.ts';

const lsns = fc.bigInt({ min: 0n, max: (1n << 64n) - 1n });
const mebibyte = 1n << 20n;

test('an LSN survives being written and read', () => {
  fc.assert(
    fc.property(lsns, (lsn) => {
      expect(parseLsn(formatLsn(lsn))).toBe(lsn);
    }),
  );
  expect(parseLsn('16/B374D848')).toBe(0x16_b374_d848n);
  expect(formatLsn(0n)).toBe('0/0');
});

test.each(['', '0', '0/', '/0', '0/0/0', 'G/0', '123456789/0', ' 0/0'])('%j is no LSN', (text) => {
  expect(() => parseLsn(text)).toThrow(RangeError);
});

test('segments are named as PostgreSQL names them', () => {
  expect(segmentName(1, 0x1_6b37_4d84n, 16n * mebibyte)).toBe('00000001000000010000006B');
  expect(segmentName(0x2a, 0xffff_ffffn, 16n * mebibyte)).toBe('0000002A00000000000000FF');
  expect(segmentName(1, 0x1_0000_0000n, mebibyte)).toBe('000000010000000100000000');
  expect(segmentName(1, 0xffff_ffffn, 1024n * mebibyte)).toBe('000000010000000000000003');
});

test('a segment is found by its name', () => {
  fc.assert(
    fc.property(lsns, fc.integer({ min: 1, max: 0xffff_ffff }), fc.constantFrom(1n, 16n, 64n, 1024n), (lsn, timeline, size) => {
      const bytes = size * mebibyte;
      expect(parseSegmentName(segmentName(timeline, lsn, bytes), bytes)).toEqual({ timeline, lsn: lsn - (lsn % bytes) });
    }),
  );
  expect(parseSegmentName('00000002.history', mebibyte)).toBeUndefined();
  expect(parseSegmentName('000000010000000000000003.partial', mebibyte)).toBeUndefined();
});

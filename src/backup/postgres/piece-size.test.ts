import { expect, test } from 'vitest';
import { decidePieceBytes, pieceBytesOf } from './piece-size.ts';

const kib = 1024;
const gib = 1024 ** 3;

test.each([
  [0, undefined, 128],
  [128 * gib, undefined, 128],
  [129 * gib, undefined, 256],
  [1024 * gib, undefined, 1024],
  [1e6 * gib, undefined, 8192],
])('%d bytes, first: pieces of %s → %d KiB', (bytes, before, expected) => expect(decidePieceBytes(bytes, before)).toBe(expected * kib));

test.each([
  [gib, 512, 512],
  [512 * gib, 128, 128],
  [513 * gib, 128, 1024],
])('%d bytes, cut in pieces of %d KiB before: %d KiB', (bytes, before, expected) =>
  expect(decidePieceBytes(bytes, before * kib)).toBe(expected * kib),
);

test('only sizes that pieces can have are believed', () => {
  expect(['131072', '8388608', '131073', '65536', '16777216', 'x', '-131072', undefined].map(pieceBytesOf)).toEqual([
    131_072,
    8_388_608,
    ...Array.from({ length: 6 }, () => undefined),
  ]);
});

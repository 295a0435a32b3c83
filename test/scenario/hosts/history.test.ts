import { describe, expect, test } from 'vitest';
import { judge, type Write } from './history.ts';

const write = (row: number, timeline: number, invokedMs: number, endedMs: number, more: Partial<Write> = {}): Write => ({
  row,
  client: 'a',
  invokedMs,
  endedMs,
  outcome: 'acknowledged',
  timeline,
  server: `server${timeline}`,
  ...more,
});
const once = (...rows: number[]): Map<number, number> => new Map(rows.map((row) => [row, 1]));
const clean = { missing: [], repeated: [], invented: [], outlived: [] };

describe('the judge of histories', () => {
  test('finds nothing wrong with writes that follow each other, or overlap', () => {
    expect(judge([write(1, 1, 0, 5), write(2, 1, 6, 20), write(3, 2, 10, 15)], once(1, 2, 3))).toEqual(clean);
  });

  test('lets a write without an answer be there or not', () => {
    const lost = [write(1, 1, 0, Infinity, { outcome: 'unknown' })];
    expect(judge(lost, once(1))).toEqual(clean);
    expect(judge(lost, once())).toEqual(clean);
  });

  test('finds rows that are missing, repeated, invented', () => {
    const { missing, repeated, invented } = judge(
      [write(1, 1, 0, 5), write(2, 1, 6, 9)],
      new Map([
        [2, 2],
        [7, 1],
      ]),
    );
    expect({ missing: missing.map(({ row }) => row), repeated, invented }).toEqual({ missing: [1], repeated: [2], invented: [7] });
  });

  test('finds an old primary that goes on after a new one has begun', () => {
    const writes = [write(1, 1, 0, 5), write(2, 2, 10, 20), write(3, 1, 21, 25), write(4, 2, 30, 31)];
    expect(judge(writes, once(1, 2, 3, 4)).outlived.map(({ row }) => row)).toEqual([3]);
  });
});

import { describe, expect, test } from 'vitest';
import { commonPoints } from './rejoin-plan.ts';
import { divergence, historyName, parseHistory } from '../../../core/timeline.ts';
import { timelinesNewestFirst } from './wal-pages.ts';

const text = '1\t0/3000000\tno recovery target specified\n\n# a comment\n2\t0/5000028\tbefore 2026-01-01 00:00:00+00\n';
const history = parseHistory(3, text);

test('a history file is read as it is written', () => {
  expect(history).toEqual({
    timeline: 3,
    ancestors: [
      { timeline: 1, end: 0x300_0000n },
      { timeline: 2, end: 0x500_0028n },
    ],
  });
  expect(historyName(0x2a)).toBe('0000002A.history');
  expect(timelinesNewestFirst(history)).toEqual([
    { timeline: 3, begin: 0x500_0028n },
    { timeline: 2, begin: 0x300_0000n },
    { timeline: 1, begin: 0n },
  ]);
  expect(() => parseHistory(3, 'nonsense\n')).toThrow(RangeError);
});

describe('data can be continued along a history', () => {
  test.each([
    ['on the same timeline', 3, 0x900_0000n, true],
    ['up to just where its timeline was left', 2, 0x500_0028n, true],
    ['before that', 1, 0x200_0000n, true],
    ['not a byte beyond it', 2, 0x500_0029n, false],
    ['not on a timeline that is no ancestor', 4, 0n, false],
  ])('%s', (_name, timeline, lsn, continues) => {
    expect(divergence({ timeline, lsn }, history) === undefined).toBe(continues);
  });
});

describe('what two histories have in common', () => {
  const ends = (...pairs: [number, bigint][]) => pairs.map(([timeline, end]) => ({ timeline, end }));

  test('ends where the first of the two left the last timeline that both went through', () => {
    expect(commonPoints(ends([1, 90n]), ends([1, 50n], [2, 70n]))).toEqual([{ timeline: 1, lsn: 50n }]);
    expect(commonPoints(ends([1, 50n], [2, 60n]), ends([1, 50n], [2, 70n]))).toEqual([
      { timeline: 2, lsn: 60n },
      { timeline: 1, lsn: 50n },
    ]);
    expect(commonPoints(ends([1, 40n], [2, 60n]), ends([1, 50n], [2, 70n]))).toEqual([{ timeline: 1, lsn: 40n }]);
    expect(commonPoints(ends([1, 50n], [3, 60n]), ends([1, 50n], [2, 70n]))).toEqual([{ timeline: 1, lsn: 50n }]);
  });

  test('may be nothing', () => expect(commonPoints(ends([2, 1n]), ends([1, 1n]))).toEqual([]));
});

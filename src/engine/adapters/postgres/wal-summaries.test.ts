import { describe, expect, test } from 'vitest';
import { stretchesSince, summariesOf, type Stretch } from './wal-summaries.ts';

const history = {
  timeline: 5,
  ancestors: [
    { timeline: 1, end: 100n },
    { timeline: 3, end: 200n },
  ],
};
const stretch = (timeline: number, start: bigint, end: bigint): Stretch => ({ timeline, start, end });
const since = (timeline: number, start: bigint, endLsn: bigint, now = 300n): Stretch[] | undefined =>
  stretchesSince({ start: { timeline, lsn: start }, endLsn }, { timeline: 5, lsn: now }, history);

describe('WAL since an earlier backup', () => {
  test('of the same timeline', () => expect(since(5, 210n, 220n)).toEqual([stretch(5, 210n, 300n)]));
  test('over changes of timelines', () =>
    expect(since(1, 50n, 60n)).toEqual([stretch(1, 50n, 100n), stretch(3, 100n, 200n), stretch(5, 200n, 300n)]));
  test('none', () => expect(since(5, 300n, 300n)).toEqual([]));
  test.each([
    ['a timeline that is none of the ancestors', 2, 50n, 60n],
    ['one that went on beyond where this one branched off', 1, 50n, 101n],
    ['one that was not finished where this one begins', 5, 250n, 301n],
  ])('not of %s', (_, timeline, start, end) => expect(since(timeline, start, end)).toBeUndefined());
});

describe('summaries', () => {
  const wanted = stretch(5, 200n, 300n);
  test.each<[string, Stretch[], boolean]>([
    ['as long as it', [stretch(5, 200n, 300n)], true],
    ['several, in any order, overlapping', [stretch(5, 240n, 310n), stretch(5, 150n, 250n)], true],
    ['none', [], false],
    ['a hole', [stretch(5, 200n, 240n), stretch(5, 241n, 300n)], false],
    ['the beginning is missing', [stretch(5, 201n, 300n)], false],
    ['the end is missing', [stretch(5, 200n, 299n)], false],
    ['of another timeline', [stretch(3, 200n, 300n)], false],
  ])('%s', (_, available, complete) => expect(summariesOf(wanted, available) !== undefined).toBe(complete));
  test('only those that are needed are read', () => {
    const available = [stretch(5, 100n, 200n), wanted, stretch(5, 300n, 400n), stretch(3, 200n, 300n)];
    expect(summariesOf(wanted, available)).toEqual([wanted]);
  });
});

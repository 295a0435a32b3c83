import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decideReach, decideResume, legs, mergeRanges, type WalRange } from './coverage.ts';

const range = (timeline: number, start: number, end: number): WalRange => ({ timeline, start: BigInt(start), end: BigInt(end) });
const history = (timeline: number, ...ancestors: [number, number][]) => ({
  timeline,
  ancestors: ancestors.map(([ancestor, end]) => ({ timeline: ancestor, end: BigInt(end) })),
});
const at = (timeline: number, lsn: number) => ({ timeline, lsn: BigInt(lsn) });

test('merging keeps every byte and no other', () => {
  const ranges = fc.array(
    fc
      .tuple(fc.integer({ min: 1, max: 3 }), fc.nat(40), fc.integer({ min: 1, max: 9 }))
      .map(([timeline, start, size]) => range(timeline, start, start + size)),
  );
  const bytes = (list: readonly WalRange[]): Set<string> =>
    new Set(
      list.flatMap(({ timeline, start, end }) =>
        Array.from({ length: Number(end - start) }, (_, index) => `${timeline}:${start + BigInt(index)}`),
      ),
    );
  fc.assert(
    fc.property(ranges, (list) => {
      const merged = mergeRanges(list);
      expect(bytes(merged)).toEqual(bytes(list));
      for (const [index, one] of merged.entries()) {
        const next = merged[index + 1];
        if (next?.timeline === one.timeline) expect(next.start > one.end).toBe(true);
      }
    }),
  );
});

test('recovery goes from timeline to timeline, where each was left', () => {
  expect(legs(history(5, [1, 100], [3, 200]), at(1, 40))).toEqual([
    { timeline: 1, start: 40n, end: 100n },
    { timeline: 3, start: 100n, end: 200n },
    { timeline: 5, start: 200n, end: undefined },
  ]);
  expect(legs(history(5, [1, 100], [3, 200]), at(3, 150))).toHaveLength(2);
  expect(legs(history(5, [1, 100], [3, 200]), at(2, 150))).toEqual([]);
});

describe('how far recovery gets', () => {
  const two = history(2, [1, 100]);

  test('to the end of what is there', () => {
    expect(decideReach([range(1, 0, 60), range(1, 60, 100), range(2, 100, 130)], two, at(1, 10))).toEqual({
      reached: at(2, 130),
      missing: undefined,
    });
  });

  test('past what an old primary wrote alone', () => {
    expect(decideReach([range(1, 0, 140), range(2, 100, 130)], two, at(1, 10)).reached).toEqual(at(2, 130));
  });

  test('not past a hole, nor past the missing end of a timeline', () => {
    expect(decideReach([range(1, 0, 60), range(1, 70, 100), range(2, 100, 130)], two, at(1, 10))).toEqual({
      reached: at(1, 60),
      missing: { timeline: 1, start: 60n, end: 70n },
    });
    expect(decideReach([range(1, 0, 90), range(2, 100, 130)], two, at(1, 10)).missing).toEqual({ timeline: 1, start: 90n, end: 100n });
    expect(decideReach([range(1, 0, 100), range(2, 110, 130)], two, at(1, 10)).missing).toEqual({ timeline: 2, start: 100n, end: 110n });
  });

  test('nowhere without the WAL of its own beginning', () => {
    expect(decideReach([range(1, 20, 100)], history(1), at(1, 10))).toEqual({
      reached: at(1, 10),
      missing: { timeline: 1, start: 10n, end: 20n },
    });
  });
});

describe('where a journal goes on', () => {
  test('where it ended', () => expect(decideResume([range(1, 0, 60)], history(1))).toEqual(at(1, 60)));
  test('on the old timeline, up to where it was left', () =>
    expect(decideResume([range(1, 0, 60)], history(2, [1, 100]))).toEqual(at(1, 60)));
  test('where its timeline was left, when it has more of it', () =>
    expect(decideResume([range(1, 0, 140)], history(2, [1, 100]))).toEqual(at(1, 100)));
  test('not where an old primary wrote alone, after a hole', () =>
    expect(decideResume([range(1, 0, 60), range(1, 120, 140)], history(2, [1, 100]))).toEqual(at(1, 60)));
  test('on the newest timeline that it has', () =>
    expect(decideResume([range(1, 0, 100), range(2, 100, 120)], history(2, [1, 100]))).toEqual(at(2, 120)));
  test('after a hole that is there already', () =>
    expect(decideResume([range(1, 0, 10), range(1, 20, 30)], history(1))).toEqual(at(1, 30)));
  test('nowhere, when nothing stored belongs to this history', () =>
    expect(decideResume([range(3, 0, 60)], history(2, [1, 100]))).toBeUndefined());
});

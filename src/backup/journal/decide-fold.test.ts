import fc from 'fast-check';
import { expect, test } from 'vitest';
import { mergeRanges, type WalRange } from './coverage.ts';
import { decideBatch, decideFull, decideMerges, decideSpare } from './decide-fold.ts';

const range = (timeline: number, start: number, end: number): WalRange => ({ timeline, start: BigInt(start), end: BigInt(end) });
const at = (timeline: number, lsn: number) => ({ timeline, lsn: BigInt(lsn) });
const first = { timeline: 1, ancestors: [] };
const second = { timeline: 2, ancestors: [{ timeline: 1, end: 25n }] };

test('segments are full when all of it is stored, on the timeline or on what it came from', () => {
  const full = (...parts: WalRange[]) => decideFull(parts, [], [first, second], 10);
  expect(full(range(1, 0, 25))).toEqual([at(1, 0), at(1, 10)]);
  expect(full(range(1, 3, 25))).toEqual([at(1, 10)]);
  expect(full(range(1, 0, 15), range(1, 16, 30))).toEqual([at(1, 0), at(1, 20)]);
  expect(full(range(1, 0, 25), range(2, 25, 41))).toEqual([at(1, 0), at(1, 10), at(2, 20), at(2, 30)]);
  expect(full(range(1, 0, 24), range(2, 25, 41))).toEqual([at(1, 0), at(1, 10), at(2, 30)]);
  expect(full(range(3, 0, 40))).toEqual([]);
  expect(decideFull([range(1, 0, 30)], [range(1, 10, 20)], [first], 10)).toEqual([at(1, 0), at(1, 20)]);
  expect(decideFull([range(1, 20, 25), range(2, 25, 30)], [range(1, 0, 20)], [first, second], 10)).toEqual([at(2, 20)]);
});

test('a batch goes on where a snapshot ends, but not past a base backup, a hole or another timeline', () => {
  const full = [at(1, 20), at(1, 30), at(1, 40), at(1, 60), at(2, 70)];
  expect(decideBatch(full, [], [], 10)).toEqual({ ...range(1, 20, 50), continues: undefined });
  expect(decideBatch(full, [range(1, 10, 20), range(1, 0, 20), range(2, 0, 20)], [], 10)).toEqual({ ...range(1, 20, 50), continues: 0n });
  expect(decideBatch(full, [range(1, 0, 20)], [33n], 10)).toEqual({ ...range(1, 20, 30), continues: 0n });
  expect(decideBatch(full, [range(1, 0, 20)], [24n], 10)).toEqual({ ...range(1, 20, 50), continues: undefined });
  expect(decideBatch(full.slice(3), [], [], 10)).toEqual({ ...range(1, 60, 70), continues: undefined });
  expect(decideBatch(full, [range(1, -10_220, 20)], [], 10)).toEqual({ ...range(1, 20, 50), continues: undefined });
  expect(decideBatch([], [], [], 10)).toBeUndefined();
});

const parts = fc
  .array(
    fc
      .tuple(fc.integer({ min: 1, max: 2 }), fc.nat(60), fc.integer({ min: 1, max: 20 }))
      .map(([timeline, start, size]) => range(timeline, start, start + size)),
    { minLength: 1, maxLength: 30 },
  )
  .map((all) => [...new Map(all.map((one) => [`${one.timeline}:${one.start}-${one.end}`, one])).values()]);

test('safety: what is spare is stored otherwise', () =>
  fc.assert(
    fc.property(parts, fc.array(fc.tuple(fc.nat(8), fc.nat(8)), { maxLength: 2 }), (all, folds) => {
      const folded = folds.map(([from, count]) => range(1, from * 10, (from + count + 1) * 10));
      const spare = decideSpare(all, folded);
      const left = all.filter((part) => !spare.includes(part));
      expect(mergeRanges([...left, ...folded])).toEqual(mergeRanges([...all, ...folded]));
      expect(decideSpare(left, folded)).toEqual([]);
    }),
  ));

test('safety: what is put together is all there, and replaces several', () =>
  fc.assert(
    fc.property(parts, fc.integer({ min: 2, max: 6 }), (all, few) => {
      const left = all.filter((part) => !decideSpare(all, []).includes(part));
      const merges = decideMerges(left, few);
      expect(mergeRanges([...left, ...merges])).toEqual(mergeRanges(left));
      for (const merge of merges) {
        const within = left.filter((one) => one.timeline === merge.timeline && one.start >= merge.start && one.end <= merge.end);
        expect(within.length).toBeGreaterThanOrEqual(2);
      }
    }),
  ));

test('WAL that comes slowly for days: few parts, and no byte is written often', () => {
  let stored: WalRange[] = [];
  let written = 0;
  let most = 0;
  const bytes = 100;
  const count = 100_000;
  for (let index = 0; index < count; index++) {
    stored.push(range(1, index * bytes, (index + 1) * bytes));
    if (index % 500 !== 499) continue;
    most = Math.max(most, stored.length);
    const merges = decideMerges(stored, 256);
    written += merges.reduce((sum, { start, end }) => sum + Number(end - start), 0);
    stored.push(...merges);
    const spare = new Set(decideSpare(stored, []));
    stored = stored.filter((part) => !spare.has(part));
  }
  expect(mergeRanges(stored)).toEqual([range(1, 0, count * bytes)]);
  expect(most).toBeLessThan(530);
  expect(written / (count * bytes)).toBeLessThan(12);
});

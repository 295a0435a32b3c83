import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Snapshot } from '../repository.ts';
import { areEmptyRules, decideForget, type KeepRules } from './decide.ts';
import { matchesFilter } from './group.ts';
import { before, isoWeek, parseCalendarSpan, parseStamp } from './stamp.ts';

const nowMs = Date.parse('2026-11-23T12:00:00Z');

function snapshot(time: string, more: Partial<Snapshot> = {}): Snapshot {
  const base = {
    id: time,
    time,
    timeMs: Date.parse(time),
    tree: '',
    paths: ['/srv'],
    hostname: 'db1',
    username: '',
    tags: [],
    document: {},
  };
  return { ...base, ...more };
}

function kept(rules: KeepRules, times: readonly string[]): string[] {
  return decideForget(
    times.map((time) => snapshot(time)),
    { rules, nowMs },
  ).flatMap((group) => group.keep.map((one) => one.snapshot.time));
}

describe('as restic', () => {
  test('the youngest of a day stays; when days are left, the oldest of all too', () => {
    const times = ['2026-11-20T01:00:00Z', '2026-11-20T23:00:00Z', '2026-11-21T01:00:00Z', '2026-11-21T02:00:00Z'];
    expect(kept({ daily: 2 }, times)).toEqual(['2026-11-21T02:00:00Z', '2026-11-20T23:00:00Z']);
    expect(kept({ daily: 3 }, times)).toEqual(['2026-11-21T02:00:00Z', '2026-11-20T23:00:00Z', '2026-11-20T01:00:00Z']);
  });

  test('days are those of where a snapshot was made', () =>
    expect(kept({ daily: 1 }, ['2026-11-21T23:30:00-05:00', '2026-11-22T04:00:00Z', '2026-11-21T00:00:00Z'])).toEqual([
      '2026-11-21T23:30:00-05:00',
    ]));

  test('order within a nanosecond', () =>
    expect(kept({ last: 1 }, ['2026-11-21T00:00:00.000000001Z', '2026-11-21T00:00:00.000000002Z', '2026-11-21T00:00:00Z'])).toEqual([
      '2026-11-21T00:00:00.000000002Z',
    ]));

  test('`within` counts from the youngest that is not from the future', () =>
    expect(
      kept({ within: parseCalendarSpan('1d') }, [
        '2030-01-01T00:00:00Z',
        '2026-10-02T00:00:00Z',
        '2026-10-01T00:00:00Z',
        '2026-10-01T00:00:01Z',
      ]),
    ).toEqual(['2030-01-01T00:00:00Z', '2026-10-02T00:00:00Z', '2026-10-01T00:00:01Z']));

  test('rules hold for each group', () => {
    const snapshots = [
      snapshot('2026-11-21T00:00:00Z'),
      snapshot('2026-11-20T00:00:00Z', { hostname: 'db2' }),
      snapshot('2026-11-19T00:00:00Z', { paths: ['/etc'] }),
      snapshot('2026-11-18T00:00:00Z', { tags: ['a'] }),
    ];
    const groups = (by: object): number => decideForget(snapshots, { rules: { last: 1 }, nowMs, groupBy: by }).length;
    expect([
      groups({}),
      groups({ host: true }),
      groups({ host: true, paths: true }),
      groups({ host: true, paths: true, tags: true }),
    ]).toEqual([1, 2, 3, 4]);
  });

  test('tags: one list must be met whole, an empty tag means none', () => {
    const snapshots = [
      snapshot('2026-11-21T00:00:00Z', { tags: ['a', 'b'] }),
      snapshot('2026-11-20T00:00:00Z', { tags: ['a'] }),
      snapshot('2026-11-19T00:00:00Z'),
    ];
    const reasons = decideForget(snapshots, { rules: { tags: [['a', 'b'], ['']] }, nowMs, groupBy: {} }).flatMap((group) => group.keep);
    expect(reasons.map((one) => [one.snapshot.time.slice(8, 10), one.reasons])).toEqual([
      ['21', ['has tags [a, b]']],
      ['19', ['has tags []']],
    ]);
  });
});

test('reasons are told, and what is needed stays', () => {
  const [group] = decideForget([snapshot('2026-11-21T00:00:00Z'), snapshot('2026-11-20T00:00:00Z')], {
    rules: { last: 1, daily: 1, withinYearly: parseCalendarSpan('1y') },
    nowMs,
    neededBy: (one) => (one.time.startsWith('2026-11-20') ? 'base of 14:03' : undefined),
  });
  expect(group?.keep.map((one) => one.reasons)).toEqual([
    ['last snapshot', 'daily snapshot', 'yearly within 1y'],
    ['base of 14:03', 'oldest yearly within 1y'],
  ]);
});

test('without rules nothing goes', () => {
  expect(areEmptyRules({})).toBe(true);
  expect(areEmptyRules({ last: 0, within: parseCalendarSpan('0d') })).toBe(true);
  expect(areEmptyRules({ yearly: 'all' })).toBe(false);
  expect(decideForget([snapshot('2026-11-21T00:00:00Z')], { rules: {}, nowMs })[0]?.remove).toEqual([]);
});

const times = fc
  .array(fc.integer({ min: nowMs - 3 * 365 * 86_400_000, max: nowMs }), { maxLength: 60 })
  .map((all) => [...new Set(all)].map((ms) => new Date(ms).toISOString()));
const rules = fc.record({
  last: fc.integer({ min: 0, max: 5 }),
  hourly: fc.integer({ min: 0, max: 5 }),
  daily: fc.integer({ min: 0, max: 5 }),
  weekly: fc.integer({ min: 0, max: 5 }),
  monthly: fc.integer({ min: 0, max: 5 }),
  yearly: fc.integer({ min: 0, max: 5 }),
});

test('safety: every snapshot is kept or removed, once; the youngest stays when any rule is there', () =>
  fc.assert(
    fc.property(times, rules, (all, chosen) => {
      const snapshots = all.map((time) => snapshot(time));
      const groups = decideForget(snapshots, { rules: chosen, nowMs });
      const ids = groups.flatMap((group) => [...group.keep.map((one) => one.snapshot.id), ...group.remove.map((one) => one.id)]);
      expect(ids.toSorted()).toEqual(all.toSorted());
      if (all.length > 0 && !areEmptyRules(chosen)) expect(groups[0]?.keep[0]?.snapshot.time).toBe(all.toSorted().at(-1));
    }),
  ));

test('applied again, the same rules remove nothing more', () =>
  fc.assert(
    fc.property(times, rules, (all, chosen) => {
      const once = kept(chosen, all);
      expect(kept(chosen, once)).toEqual(once);
    }),
  ));

test.each([
  ['2026-01-01T00:00:00Z', 2026, 1],
  ['2027-01-01T00:00:00Z', 2026, 53],
  ['2024-12-30T00:00:00Z', 2025, 1],
  ['2026-11-22T23:59:59Z', 2026, 47],
])('ISO week of %s', (time, year, week) => expect(isoWeek(parseStamp(time))).toEqual({ year, week }));

test.each([
  ['2026-03-31T10:00:00Z', '1m', '2026-03-03T10:00:00Z'],
  ['2024-02-29T10:00:00.5+02:00', '1y', '2023-03-01T10:00:00.5+02:00'],
  ['2026-11-23T10:00:00Z', '1y2m3d4h', '2025-09-20T06:00:00Z'],
])('before %s by %s', (time, span, expected) => expect(before(parseStamp(time), parseCalendarSpan(span))).toBe(parseStamp(expected).ns));

test.each(['', '5', 'd', '-1d', '1w', '1.5d', '1d 2h'])('no span: %j', (text) =>
  expect(() => parseCalendarSpan(text)).toThrow(expect.objectContaining({ code: 'UNIT_INVALID' })),
);
test.each(['', 'yesterday', '2026-11-23', '2026-11-23T10:00:00'])('no time: %j', (text) =>
  expect(() => parseStamp(text)).toThrow(expect.objectContaining({ code: 'BACKUP_TIME_INVALID' })),
);

test('filters', () => {
  const one = snapshot('2026-11-21T00:00:00Z', { tags: ['a', 'b'] });
  expect(matchesFilter(one, {})).toBe(true);
  expect(matchesFilter(one, { hosts: ['db1'], paths: ['/srv'], tags: [['x'], ['a']] })).toBe(true);
  expect(matchesFilter(one, { hosts: ['db2'] })).toBe(false);
  expect(matchesFilter(one, { paths: ['/srv', '/etc'] })).toBe(false);
  expect(matchesFilter(one, { tags: [['']] })).toBe(false);
});

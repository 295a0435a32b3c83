import { describe, expect, test } from 'vitest';
import { baseFactsOf } from './base.ts';
import { decideRecovery, onHistory, type Candidate } from './target.ts';

const minute = 60_000;

/** A base that was consistent at a minute and at as many thousand bytes, with WAL up to another minute. */
function candidate(name: string, atMinute: number, reachedMinute: number, missing?: 'missing'): Candidate {
  const [begin, end, reached] = [BigInt(atMinute * 1_000 - 500), BigInt(atMinute * 1_000), BigInt(reachedMinute * 1_000)];
  return {
    snapshotId: name,
    facts: {
      service: 'orders',
      systemId: '7',
      version: '17.10',
      segmentBytes: 16,
      start: { timeline: 1, lsn: begin },
      endLsn: end,
      endMs: atMinute * minute,
    },
    reach: {
      reached: { timeline: 1, lsn: reached },
      missing: missing && { timeline: 1, start: reached, end: reached + 1n },
    },
    reachedMs: reachedMinute * minute,
  };
}

const [old, later, broken] = [candidate('old', 10, 60), candidate('later', 30, 60), candidate('broken', 40, 39)];
const choose = (target: Parameters<typeof decideRecovery>[2], candidates = [old, later, broken], restorePoint?: bigint): string =>
  decideRecovery(candidates, 1, target, restorePoint).base.snapshotId;

describe('the base to begin with', () => {
  test.each([
    ['the newest, for the newest state', { kind: 'latest' }, 'later'],
    ['the newest before the time', { kind: 'time', timeMs: 31 * minute }, 'later'],
    ['at its very end', { kind: 'time', timeMs: 30 * minute }, 'later'],
    ['an older one for what was before', { kind: 'time', timeMs: 30 * minute - 1 }, 'old'],
    ['by LSN', { kind: 'lsn', lsn: 29_999n }, 'old'],
    ['by LSN, up to the last byte', { kind: 'lsn', lsn: 60_000n }, 'later'],
  ] as const)('%s', (_name, target, expected) => expect(choose(target)).toBe(expected));

  test('the newest before a restore point', () => {
    const name = { kind: 'name', name: 'before-upgrade' } as const;
    expect([choose(name, undefined, 29_000n), choose(name, undefined, 30_000n)]).toEqual(['old', 'later']);
    for (const nowhere of [undefined, 9_000n, 60_000n])
      expect(() => choose(name, undefined, nowhere)).toThrow("restore point 'before-upgrade'");
  });

  test.each([
    ['before the first base', { kind: 'time', timeMs: 10 * minute - 1 }],
    ['after what is stored', { kind: 'time', timeMs: 60 * minute + 1 }],
    ['an LSN that is not stored', { kind: 'lsn', lsn: 60_001n }],
  ] as const)('none: %s, and the message says what can be had', (_name, target) => {
    expect(() => choose(target)).toThrow(
      expect.objectContaining({
        code: 'BACKUP_TARGET_UNREACHABLE',
        hint: expect.stringMatching(/^Within reach: 1970-01-01T00:10:00.000Z \(0\/2710\) to 1970-01-01T01:00:00.000Z \(0\/EA60\)\.$/),
      }),
    );
  });

  test.each([
    ['earlier than its end', 9 * minute],
    ['not at all', undefined],
  ])('a base of which the time of the WAL is known %s is within reach by LSN only', (_what, reachedMs) => {
    const fresh = [{ ...candidate('fresh', 10, 11), reachedMs }];
    const hint = 'Within reach: LSN 0/2710 to 0/2AF8, of which no time is known yet.';
    expect(() => choose({ kind: 'time', timeMs: 10 * minute }, fresh)).toThrow(expect.objectContaining({ hint }));
    expect(choose({ kind: 'lsn', lsn: 10_500n }, fresh)).toBe('fresh');
  });

  test('the newest state is not taken for one before a gap', () => {
    const gap = candidate('gap', 10, 20, 'missing');
    expect(() => choose({ kind: 'latest' }, [gap])).toThrow(
      expect.objectContaining({ hint: expect.stringContaining('then WAL is missing from 0/4E20') }),
    );
    expect(choose({ kind: 'time', timeMs: 15 * minute }, [gap])).toBe('gap');
  });

  test('a base whose own WAL is not whole is none', () => {
    expect(() => choose({ kind: 'latest' }, [broken])).toThrow(/WAL of the time of every base backup is missing/);
    expect(() => choose({ kind: 'latest' }, [])).toThrow(/no base backup on this timeline/);
  });
});

test('a base of a timeline that was left before its end is of no use', () => {
  const left = (end: bigint) => ({ timeline: 2, ancestors: [{ timeline: 1, end }] });
  expect(onHistory([old, later], left(30_000n))).toHaveLength(2);
  expect(onHistory([old, later], left(29_999n))).toEqual([old]);
});

test('other snapshots are no base backups', () => {
  const snapshot = { id: 'a'.repeat(64), time: '', timeMs: 0, tree: '', paths: [], hostname: '', username: '', document: {} };
  const tags = [
    'postgres-base',
    'service=orders',
    'system=7',
    'version=17.10',
    'segment=16777216',
    'start=1:0/3000028',
    'end=0/3000100',
    'at=2026-11-22T14:03:07.000Z',
  ];
  expect(baseFactsOf({ ...snapshot, tags })).toEqual({
    service: 'orders',
    systemId: '7',
    version: '17.10',
    segmentBytes: 16_777_216,
    start: { timeline: 1, lsn: 0x300_0028n },
    endLsn: 0x300_0100n,
    endMs: Date.parse('2026-11-22T14:03:07Z'),
  });
  for (const lacking of tags)
    if (!/^(version|segment)/.test(lacking))
      expect(baseFactsOf({ ...snapshot, tags: tags.filter((tag) => tag !== lacking) })).toBeUndefined();
  expect(baseFactsOf({ ...snapshot, tags: tags.map((tag) => tag.replace('at=', 'at=x')) })).toBeUndefined();
});

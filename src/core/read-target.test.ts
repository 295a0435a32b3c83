import { execFileSync } from 'node:child_process';
import { describe, expect, test } from 'vitest';
import { readTarget } from './read-target.ts';
import { formatTargetTime } from './recovery-target.ts';

describe('the point to restore to', () => {
  test.each([
    ['2026-11-22T14:03:07Z', '2026-11-22T14:03:07.000Z'],
    ['2026-11-22 14:03:07.25+01', '2026-11-22T13:03:07.250Z'],
    ['2026-11-22 14:03 -0530', '2026-11-22T19:33:00.000Z'],
    ['2026-11-22 14:03:07 UTC', '2026-11-22T14:03:07.000Z'],
    ['2024-02-29t23:59:59z', '2024-02-29T23:59:59.000Z'],
    ['2026-11-22 14:03:07+05:45', '2026-11-22T08:18:07.000Z'],
  ])('%s', (to, expected) => expect(readTarget({ to })).toEqual({ kind: 'time', timeMs: Date.parse(expected) }));

  test('without a zone it is the time of this machine', () => {
    expect(readTarget({ to: '2026-11-22 14:03:07' })).toEqual({ kind: 'time', timeMs: new Date(2026, 10, 22, 14, 3, 7).getTime() });
    expect(readTarget({ to: '2026-11-22' })).toEqual({ kind: 'time', timeMs: new Date(2026, 10, 22).getTime() });
  });

  test('is exact to the microsecond, as commits are', () => {
    const { timeMs } = readTarget({ to: '2026-11-22T14:03:07.123456Z' }) as { timeMs: number };
    expect(Math.round(timeMs * 1000)).toBe(Date.parse('2026-11-22T14:03:07.123Z') * 1000 + 456);
    expect(formatTargetTime(timeMs)).toBe('2026-11-22T14:03:07.123456+00');
    expect(formatTargetTime(Date.parse('2026-11-22T14:03:07.5Z'))).toBe('2026-11-22T14:03:07.500000+00');
  });

  // The zone of a process can not be changed from within one of its threads.
  test('where clocks are put forward and back', () => {
    const read = (texts: readonly string[]): string[] => {
      const program = `
        import { readTarget } from ${JSON.stringify(new URL('read-target.ts', import.meta.url).href)};
        const read = (to) => { try { return new Date(readTarget({ to }).timeMs).toISOString(); } catch (error) { return error.message; } };
        console.log(JSON.stringify(${JSON.stringify(texts)}.map(read)));`;
      const env = { ...process.env, TZ: 'Europe/Berlin', NODE_NO_WARNINGS: '1' };
      return JSON.parse(execFileSync(process.execPath, ['--input-type=module', '--eval', program], { env, encoding: 'utf8' })) as string[];
    };
    expect(
      read(['2026-10-25 01:59:59', '2026-10-25 03:00:00', '2026-10-25 02:30:00+02', '2026-03-29 01:59:59', '2026-03-29 03:00:00']),
    ).toEqual([
      '2026-10-24T23:59:59.000Z',
      '2026-10-25T02:00:00.000Z',
      '2026-10-25T00:30:00.000Z',
      '2026-03-29T00:59:59.000Z',
      '2026-03-29T01:00:00.000Z',
    ]);
    expect(read(['2026-10-25 02:30:00', '2026-03-29 02:30:00'])).toEqual([
      expect.stringContaining("came twice in this machine's time zone: write 2026-10-25T00:30:00Z or 2026-10-25T01:30:00Z"),
      expect.stringContaining('was left out'),
    ]);
  });

  test('may be the newest state, an LSN, a name', () => {
    expect(readTarget({})).toEqual({ kind: 'latest' });
    expect(readTarget({ to: 'latest' })).toEqual({ kind: 'latest' });
    expect(readTarget({ toLsn: '16/B374D848' })).toEqual({ kind: 'lsn', lsn: 0x16_b374_d848n });
    expect(readTarget({ toName: 'before upgrade' })).toEqual({ kind: 'name', name: 'before upgrade' });
  });

  test.each([
    [{ to: 'yesterday' }],
    [{ to: '2026-13-01 00:00:00' }],
    [{ to: '2026-02-30 00:00:00' }],
    [{ to: '2026-02-30T00:00:00Z' }],
    [{ to: '2026-02-29T00:00:00+01:00' }],
    [{ to: '2026-11-22T24:00:00Z' }],
    [{ to: '2026-11-22T14:03:07+16:00' }],
    [{ to: '14:03:07' }],
    [{ to: '2026-11-22 25:00:00' }],
    [{ toLsn: '16' }],
    [{ toName: "o'clock" }],
    [{ toName: '' }],
    [{ to: 'latest', toLsn: '0/1' }],
  ])('%j is refused', (options) => expect(() => readTarget(options)).toThrow(expect.objectContaining({ code: 'CLI_BAD_TARGET' })));
});

import { describe, expect, test } from 'vitest';
import { readTarget } from './read-target.ts';

describe('the point to restore to', () => {
  test.each([
    ['2026-11-22T14:03:07Z', '2026-11-22T14:03:07.000Z'],
    ['2026-11-22 14:03:07.25+01', '2026-11-22T13:03:07.250Z'],
    ['2026-11-22 14:03 -0530', '2026-11-22T19:33:00.000Z'],
    ['2026-11-22 14:03:07 UTC', '2026-11-22T14:03:07.000Z'],
  ])('%s', (to, expected) => expect(readTarget({ to })).toEqual({ kind: 'time', timeMs: Date.parse(expected) }));

  test('without a zone it is the time of this machine', () => {
    expect(readTarget({ to: '2026-11-22 14:03:07' })).toEqual({ kind: 'time', timeMs: new Date(2026, 10, 22, 14, 3, 7).getTime() });
    expect(readTarget({ to: '2026-11-22' })).toEqual({ kind: 'time', timeMs: new Date(2026, 10, 22).getTime() });
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
    [{ to: '14:03:07' }],
    [{ to: '2026-11-22 25:00:00' }],
    [{ toLsn: '16' }],
    [{ toName: "o'clock" }],
    [{ toName: '' }],
    [{ to: 'latest', toLsn: '0/1' }],
  ])('%j is refused', (options) => expect(() => readTarget(options)).toThrow(expect.objectContaining({ code: 'CLI_BAD_TARGET' })));
});

import { expect, test } from 'vitest';
import { AlarmBell } from './alarm-bell.ts';
import { decideAlarms, type CopiesObservation } from './alarms.ts';

const well: CopiesObservation = {
  what: 'base backup',
  caredMs: 60_000,
  lastMs: Date.UTC(2026, 10, 22, 3),
  isOverdue: false,
  journalLagMs: 900,
  journalLagMsMax: 30_000,
  gap: undefined,
  parts: [{ name: 'offsite', state: 'ok', message: '', behindObjects: 0 }],
  failures: { copies: '', base: '', folding: '', retaining: '' },
};
const texts = (more: Partial<CopiesObservation>): string[] => decideAlarms({ ...well, ...more }).map(({ text }) => text);

test('all is well', () => expect(decideAlarms(well)).toEqual([]));

test.each<[string, Partial<CopiesObservation>, string]>([
  ['no copies at all', { failures: { ...well.failures, copies: 'wrong password' } }, 'Copies can not be made: wrong password'],
  [
    'an old base',
    { isOverdue: true, failures: { ...well.failures, base: 'disk full' } },
    'The last base backup is of 2026-11-22T03:00:00.000Z, and two were due since: disk full',
  ],
  ['no base for long', { lastMs: undefined, caredMs: 700_000 }, 'There is no base backup yet'],
  ['a base that fails', { failures: { ...well.failures, base: 'disk full' } }, 'The last attempt at a base backup failed: disk full'],
  ['a journal behind', { journalLagMs: 75_400 }, 'The journal is 1m15s behind.'],
  ['a gap', { gap: { timeline: 2, start: 0x10n, end: 0x20n } }, 'WAL from 0/10 to 0/20, timeline 2, is stored nowhere'],
  ['folding', { failures: { ...well.failures, folding: 'no' } }, 'The journal can not be folded: no'],
  ['retention', { failures: { ...well.failures, retaining: 'denied' } }, 'Old copies can not be removed: denied'],
  [
    'a location',
    { parts: [{ name: 'offsite/far', state: 'away', message: 'no route', behindObjects: 7 }] },
    'Location offsite/far is away, 7 objects behind: no route',
  ],
])('%s is told', (_, more, text) => {
  expect(texts(more)).toHaveLength(1);
  expect(texts(more)[0]).toContain(text);
});

test('a first base backup may take its time', () => expect(texts({ lastMs: undefined })).toEqual([]));

test('an alarm is told when it begins and when it is over, however its words change', () => {
  const told: unknown[] = [];
  const bell = new AlarmBell((what, data) => told.push([what, data['about']]));
  bell.ring([{ name: 'journal', text: '31s behind' }]);
  bell.ring([
    { name: 'journal', text: '32s behind' },
    { name: 'gap', text: 'a gap' },
  ]);
  bell.ring([{ name: 'gap', text: 'a gap' }]);
  expect(told).toEqual([
    ['backup.alarm', 'journal'],
    ['backup.alarm', 'gap'],
    ['backup.alarm.over', 'journal'],
  ]);
});

import { expect, test } from 'vitest';
import { Schedule } from './schedule.ts';

const at = (text: string): number => new Date(text).getTime();

test('a time that has passed is due once, a missed one at once, and so is the first', () => {
  const nightly = new Schedule('0 3 * * *');
  expect(nightly.isDue(undefined, at('2026-11-22T01:00:00'))).toBe(true);
  expect(nightly.isDue(at('2026-11-22T03:10:00'), at('2026-11-23T02:59:59'))).toBe(false);
  expect(nightly.isDue(at('2026-11-22T03:10:00'), at('2026-11-23T03:00:00'))).toBe(true);
  expect(nightly.isDue(at('2026-11-19T03:10:00'), at('2026-11-22T12:00:00'))).toBe(true);
  expect(nightly.next(at('2026-11-22T03:00:00'))).toBe(at('2026-11-23T03:00:00'));
});

test('a run that ended in the future, by a clock that was set back since, is none', () => {
  expect(new Schedule('0 3 * * *').isDue(at('2027-01-01T00:00:00'), at('2026-11-22T12:00:00'))).toBe(true);
});

test.each(['', 'daily', '0 3 * *', '61 3 * * *', '0 0 3 * * *'])('%j is refused', (text) => {
  expect(() => new Schedule(text)).toThrow(expect.objectContaining({ code: 'BACKUP_SCHEDULE_INVALID' }));
});

import { expect, test } from 'vitest';
import { jitterOf, Schedule } from './schedule.ts';

const at = (text: string): number => new Date(text).getTime();

test('a time that has passed is due once, a missed one at once, and so is the first', () => {
  const nightly = new Schedule('0 3 * * *');
  expect(nightly.isDue(undefined, at('2026-11-22T01:00:00'))).toBe(true);
  expect(nightly.isDue(at('2026-11-22T03:10:00'), at('2026-11-23T02:59:59'))).toBe(false);
  expect(nightly.isDue(at('2026-11-22T03:10:00'), at('2026-11-23T03:00:00'))).toBe(true);
  expect(nightly.isDue(at('2026-11-19T03:10:00'), at('2026-11-22T12:00:00'))).toBe(true);
  expect(nightly.next(at('2026-11-22T03:00:00'))).toBe(at('2026-11-23T03:00:00'));
});

test('what is put off is so every time', () => {
  const later = new Schedule('0 3 * * *', 600_000);
  expect(later.next(at('2026-11-22T03:05:00'))).toBe(at('2026-11-22T03:10:00'));
  expect(later.isDue(at('2026-11-21T03:12:00'), at('2026-11-22T03:09:59'))).toBe(false);
  expect(later.isDue(at('2026-11-21T03:12:00'), at('2026-11-22T03:10:00'))).toBe(true);
  const delays = Array.from({ length: 200 }, (_, index) => jitterOf(`service ${index}`, 1_000));
  expect(delays).toEqual(Array.from({ length: 200 }, (_, index) => jitterOf(`service ${index}`, 1_000)));
  expect(Math.min(...delays)).toBeLessThan(100);
  expect(Math.max(...delays)).toBeGreaterThan(900);
  expect(delays.every((delay) => delay >= 0 && delay < 1_000)).toBe(true);
});

test('overdue is what nobody has made up for until the next time', () => {
  const nightly = new Schedule('0 3 * * *');
  expect(nightly.isOverdue(at('2026-11-22T03:10:00'), at('2026-11-24T02:59:59'))).toBe(false);
  expect(nightly.isOverdue(at('2026-11-22T03:10:00'), at('2026-11-24T03:00:00'))).toBe(true);
});

test('a run that ended in the future, by a clock that was set back since, is none', () => {
  expect(new Schedule('0 3 * * *').isDue(at('2027-01-01T00:00:00'), at('2026-11-22T12:00:00'))).toBe(true);
});

test.each(['', 'daily', '0 3 * *', '61 3 * * *', '0 0 3 * * *'])('%j is refused', (text) => {
  expect(() => new Schedule(text)).toThrow(expect.objectContaining({ code: 'BACKUP_SCHEDULE_INVALID' }));
});

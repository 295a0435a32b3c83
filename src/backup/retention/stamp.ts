import { HoldfastError } from '../../core/errors.ts';

/** A moment as the snapshot's document states it: the wall clock where it was made counts for days and weeks. */
export interface Stamp {
  /** Since 1970-01-01 UTC. */
  readonly ns: bigint;
  readonly year: number;
  /** 1 to 12. */
  readonly month: number;
  readonly day: number;
  readonly hour: number;
  readonly offsetMinutes: number;
}

const rfc3339 = /^(\d{4})-(\d\d)-(\d\d)[Tt](\d\d):(\d\d):(\d\d)(?:\.(\d{1,9})\d*)?(?:[Zz]|([+-])(\d\d):(\d\d))$/;

/** @throws BACKUP_TIME_INVALID when it is not RFC 3339 */
export function parseStamp(text: string): Stamp {
  const match = rfc3339.exec(text);
  if (match === null) {
    throw new HoldfastError('BACKUP_TIME_INVALID', `"${text}" is not a time as in RFC 3339`, {
      hint: 'write it as 2026-11-22T14:03:07+01:00',
    });
  }
  const [year, month, day, hour, minute, second] = match.slice(1, 7).map(Number) as [number, number, number, number, number, number];
  const minutes = Number(match[9] ?? 0) * 60 + Number(match[10] ?? 0);
  const offsetMinutes = match[8] === '-' ? -minutes : minutes;
  const seconds = BigInt(Date.UTC(year, month - 1, day, hour, minute, second) / 1000 - offsetMinutes * 60);
  const fraction = BigInt((match[7] ?? '').padEnd(9, '0'));
  return { ns: seconds * 1_000_000_000n + fraction, year, month, day, hour, offsetMinutes };
}

/** Year and week of ISO 8601: week 1 is the one with the year's first Thursday. */
export function isoWeek(stamp: Stamp): { readonly year: number; readonly week: number } {
  const dayMs = 86_400_000;
  const midnight = Date.UTC(stamp.year, stamp.month - 1, stamp.day);
  const weekday = (new Date(midnight).getUTCDay() + 6) % 7;
  const thursday = midnight + (3 - weekday) * dayMs;
  const year = new Date(thursday).getUTCFullYear();
  return { year, week: 1 + Math.floor((thursday - Date.UTC(year, 0, 1)) / dayMs / 7) };
}

/** A span of the calendar: a month is as long as it is. */
export interface CalendarSpan {
  readonly years: number;
  readonly months: number;
  readonly days: number;
  readonly hours: number;
}

const units = { y: 'years', m: 'months', d: 'days', h: 'hours' } as const;

/** Reads restic's notation, for example `1y5m7d2h`. @throws UNIT_INVALID */
export function parseCalendarSpan(text: string): CalendarSpan {
  const span = { years: 0, months: 0, days: 0, hours: 0 };
  const trimmed = text.trim();
  if (!/^(?:\d{1,6}[ymdh])+$/.test(trimmed)) {
    throw new HoldfastError('UNIT_INVALID', `"${text}" is not a span of the calendar`, {
      hint: 'write years, months, days and hours as 1y5m7d2h',
    });
  }
  for (const [, count, unit] of trimmed.matchAll(/(\d+)([ymdh])/g)) span[units[unit as keyof typeof units]] = Number(count);
  return span;
}

export function formatCalendarSpan(span: CalendarSpan): string {
  return (['y', 'm', 'd', 'h'] as const).map((unit) => (span[units[unit]] === 0 ? '' : `${span[units[unit]]}${unit}`)).join('');
}

export function isEmptySpan(span: CalendarSpan): boolean {
  return span.years === 0 && span.months === 0 && span.days === 0 && span.hours === 0;
}

/** The moment that lies `span` before `stamp` by the wall clock of where that was made; a day that a month lacks runs over into the next. */
export function before(stamp: Stamp, span: CalendarSpan): bigint {
  const wallNs = stamp.ns + BigInt(stamp.offsetMinutes) * 60_000_000_000n;
  const ofDay = ((wallNs % 86_400_000_000_000n) + 86_400_000_000_000n) % 86_400_000_000_000n;
  const dayMs = Date.UTC(stamp.year - span.years, stamp.month - 1 - span.months, stamp.day - span.days);
  return BigInt(dayMs) * 1_000_000n + ofDay - BigInt(stamp.offsetMinutes) * 60_000_000_000n - BigInt(span.hours) * 3_600_000_000_000n;
}

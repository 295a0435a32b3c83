import { HoldfastError } from './errors.ts';
import { parseLsn } from './lsn.ts';
import type { RecoveryTarget } from './recovery-target.ts';

export interface TargetOptions {
  readonly to?: string | undefined;
  readonly toLsn?: string | undefined;
  readonly toName?: string | undefined;
}

const timeForm = /^(\d{4}-\d{2}-\d{2})(?:[ T](\d{2}:\d{2})(?::(\d{2})(?:\.(\d{1,6}))?)?)?\s*(Z|UTC|[+-]\d{2}(?::?\d{2})?)?$/i;
const [minuteMs, dayMs] = [60_000, 86_400_000];

/** What `--to`, `--to-lsn` or `--to-name` mean; without any the newest state. @throws CLI_BAD_TARGET */
export function readTarget({ to, toLsn, toName }: TargetOptions): RecoveryTarget {
  if ([to, toLsn, toName].filter((one) => one !== undefined).length > 1) throw bad('only one of --to, --to-lsn and --to-name can be meant');
  if (toName !== undefined) {
    if (!/^[^\p{Cc}']{1,63}$/u.test(toName)) throw bad(`'${toName}' can not be the name of a restore point`);
    return { kind: 'name', name: toName };
  }
  if (toLsn !== undefined) {
    try {
      return { kind: 'lsn', lsn: parseLsn(toLsn) };
    } catch {
      throw bad(`'${toLsn}' is no LSN: two hexadecimal numbers, such as 16/B374D848`);
    }
  }
  if (to === undefined || to === 'latest') return { kind: 'latest' };
  return { kind: 'time', timeMs: parseTime(to) };
}

/** To the microsecond, as PostgreSQL counts; in the machine's own time zone, where the text names none. */
function parseTime(text: string): number {
  const [, day, minute = '00:00', second = '00', fraction = '', zone] = timeForm.exec(text.trim()) ?? [];
  const written = `${day}T${minute}:${second}`;
  const asUtcMs = Date.parse(`${written}Z`);
  // A day that the month does not have is taken for one of the next by some.
  if (Number.isNaN(asUtcMs) || !new Date(asUtcMs).toISOString().startsWith(written)) throw noTime(text);
  const ms = zone === undefined ? localMs(text, asUtcMs) : asUtcMs - offsetMs(text, zone);
  return ms + Number(fraction.padEnd(6, '0')) / 1000;
}

/** What is added to UTC there. PostgreSQL knows offsets of less than 16 hours. */
function offsetMs(text: string, zone: string): number {
  const [, sign, hours, minutes = '0'] = /^([+-])(\d{2}):?(\d{2})?$/.exec(zone) ?? [];
  if (sign === undefined) return 0;
  if (Number(hours) > 15 || Number(minutes) > 59) throw noTime(text);
  return (sign === '-' ? -1 : 1) * (Number(hours) * 60 + Number(minutes)) * minuteMs;
}

/** When this machine's clocks showed that: once, but for the hours that summer time takes and gives. */
function localMs(text: string, asUtcMs: number): number {
  const offsetAt = (ms: number): number => new Date(ms).getTimezoneOffset() * minuteMs;
  const around = [asUtcMs - dayMs, asUtcMs + dayMs].map((ms) => asUtcMs + offsetAt(ms));
  const [first, second] = [...new Set(around)].filter((ms) => ms - offsetAt(ms) === asUtcMs);
  if (first === undefined) throw bad(`'${text}' was left out by the clocks of this machine's time zone`);
  if (second === undefined) return first;
  const both = [first, second].toSorted((a, b) => a - b).map((ms) => new Date(ms).toISOString().replace('.000', ''));
  throw bad(`'${text}' came twice in this machine's time zone: write ${both.join(' or ')}`);
}

function noTime(text: string): HoldfastError {
  return bad(`'${text}' is no time: write latest, '2026-11-22 14:03:07', or 2026-11-22T14:03:07Z`);
}

function bad(message: string): HoldfastError {
  return new HoldfastError('CLI_BAD_TARGET', message, { hint: 'Nothing has been read or written.' });
}

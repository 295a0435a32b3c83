import { HoldfastError } from './errors.ts';
import { parseLsn } from './lsn.ts';
import type { RecoveryTarget } from './recovery-target.ts';

export interface TargetOptions {
  readonly to?: string | undefined;
  readonly toLsn?: string | undefined;
  readonly toName?: string | undefined;
}

const timeForm = /^(\d{4}-\d{2}-\d{2})(?:[ T](\d{2}:\d{2}(?::\d{2}(?:\.\d{1,6})?)?))?\s*(Z|UTC|[+-]\d{2}(?::?\d{2})?)?$/i;

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

/** In the machine's own time zone, where the text names none. */
function parseTime(text: string): number {
  const [, day, time = '00:00:00', zone = ''] = timeForm.exec(text.trim()) ?? [];
  const offset = /^(Z|UTC)$/i.test(zone)
    ? 'Z'
    : zone.replace(/^([+-]\d{2}):?(\d{2})?$/, (_all, hours: string, minutes = '00') => `${hours}:${minutes}`);
  const full = time.length === 5 ? `${time}:00` : time;
  const ms = day === undefined ? Number.NaN : new Date(`${day}T${full}${offset}`).getTime();
  // A day that the month does not have is taken for one of the next by some.
  if (Number.isNaN(ms) || (offset === '' && !sameDay(new Date(ms), day!)))
    throw bad(`'${text}' is no time: write latest, '2026-11-22 14:03:07', or 2026-11-22T14:03:07Z`);
  return ms;
}

function sameDay(date: Date, day: string): boolean {
  return date.getDate() === Number(day.slice(8));
}

function bad(message: string): HoldfastError {
  return new HoldfastError('CLI_BAD_TARGET', message, { hint: 'Nothing has been read or written.' });
}

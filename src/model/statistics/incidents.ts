import { HoldfastError } from '../../core/errors.ts';
import { parseDurationMs } from '../../core/units.ts';
import type { Entry } from './entries.ts';
import { invalidRecord as invalid } from './entries.ts';
import { parseRecords } from './records.ts';

/** A time during which something did not work. */
export interface Incident {
  /** Milliseconds since 1970, UTC. */
  readonly startMs: number;
  /** undefined: it lasts. */
  readonly endMs?: number;
  /** Announced maintenance. */
  readonly planned: boolean;
}

/** Larger files are something else. */
const incidentsMax = 1_000_000;

const known = ['start', 'end', 'duration', 'planned'];

/**
 * Incidents from CSV (RFC 4180, with a header) or a JSON list: `start` and either `end` or `duration` (neither: it still lasts), times as RFC 3339
 * with their zone, durations as `1h30m`, and `planned` (true/false, yes/no, 1/0). Other columns are passed over. In the order of the file.
 * @throws MODEL_RECORDS with the line
 */
export function parseIncidents(text: string): Incident[] {
  const entries = parseRecords(text, ['start']);
  if (entries.length > incidentsMax) throw invalid(entries[incidentsMax]!.line, `more than ${incidentsMax} incidents`);
  return entries.map(readIncident);
}

function readIncident({ line, fields }: Entry): Incident {
  const start = time(line, 'start', fields['start']) ?? missing(line, fields);
  const until = time(line, 'end', fields['end']);
  const lasting = duration(line, fields['duration']);
  if (until !== undefined && lasting !== undefined) throw invalid(line, "has both 'end' and 'duration'; one says it all");
  const end = until ?? (lasting === undefined ? undefined : start + lasting);
  if (end !== undefined && end < start)
    throw invalid(line, `ends (${String(fields['end'])}) before it begins (${String(fields['start'])})`);
  return { startMs: start, ...(end === undefined ? {} : { endMs: end }), planned: flag(line, fields['planned']) };
}

function missing(line: number, fields: Entry['fields']): never {
  const others = Object.keys(fields).filter((key) => !known.includes(key));
  throw invalid(line, `has no 'start'${others.length > 0 ? ` (it has ${others.join(', ')})` : ''}`);
}

const timeForm = /^\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?(?:[Zz]|[+-]\d{2}:\d{2})$/;

function time(line: number, field: string, value: unknown): number | undefined {
  if (absent(value)) return undefined;
  const text = textOf(value);
  // Without a zone, Date.parse would take the zone of the machine that happens to read it.
  const stamp = timeForm.test(text) ? Date.parse(text.replace(' ', 'T')) : Number.NaN;
  if (Number.isNaN(stamp) || !sameDay(text, stamp))
    throw invalid(line, `'${field}' must be a time with its zone such as 2026-03-29T01:59:00Z, not ${quoted(value)}`);
  return stamp;
}

/** Date.parse takes 30 February for 2 March. */
function sameDay(text: string, stamp: number): boolean {
  const [, sign, hours, minutes] = /([+-])(\d{2}):(\d{2})$/.exec(text) ?? [];
  const shift = sign === undefined ? 0 : (sign === '-' ? -1 : 1) * (Number(hours) * 60 + Number(minutes)) * 60_000;
  return new Date(stamp + shift).toISOString().slice(0, 10) === text.slice(0, 10) || /[Tt ]24:/.test(text);
}

function duration(line: number, value: unknown): number | undefined {
  if (absent(value)) return undefined;
  try {
    return parseDurationMs(textOf(value));
  } catch (error) {
    if (!(error instanceof HoldfastError)) throw error;
    throw invalid(line, `'duration' must be a duration such as 90s or 1h30m, not ${quoted(value)}`);
  }
}

function flag(line: number, value: unknown): boolean {
  if (absent(value)) return false;
  const text = textOf(value).toLowerCase();
  if (['true', 'yes', '1'].includes(text)) return true;
  if (['false', 'no', '0'].includes(text)) return false;
  throw invalid(line, `'planned' must be true or false, not ${quoted(value)}`);
}

function absent(value: unknown): boolean {
  return value === undefined || value === null || value === '';
}

function quoted(value: unknown): string {
  return typeof value === 'object' ? 'a list or mapping' : `'${textOf(value).slice(0, 60)}'`;
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}

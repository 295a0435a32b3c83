import type { CallOptions, Location } from '../../storage/index.ts';
import type { WalPosition, WalRange } from './coverage.ts';

/*
 * Where the journal of a service lies in a location, beside a restic repository, which takes no notice of it:
 *   journal/SERVICE/SYSTEM-ID/TTTTTTTT/SSSSSSSSSSSSSSSS-EEEEEEEEEEEEEEEE   WAL of timeline T, bytes S up to and without E
 *   journal/SERVICE/SYSTEM-ID/history/TTTTTTTT                             the history file of timeline T
 *   journal/SERVICE/SYSTEM-ID/seen/TTTTTTTT                                up to when all of timeline T was stored (marks.ts)
 *   journal/SERVICE/SYSTEM-ID/clock/TTTTTTTT-LLLLLLLLLLLLLLLL-MMMMMMMMMMMM that the server's clock went back after LSN L, to M ms since 1970
 * with numbers in hexadecimal, so that names sort as what they name.
 */

const root = 'journal/';

/** Everything of one database. A system identifier is PostgreSQL's, in decimal digits. */
export function journalPrefix(service: string, systemId: string): string {
  return `${root}${service}/${systemId}/`;
}

export function partKey(service: string, systemId: string, { timeline, start, end }: WalRange): string {
  return `${journalPrefix(service, systemId)}${hex(timeline, 8)}/${hex(start, 16)}-${hex(end, 16)}`;
}

export function historyKey(service: string, systemId: string, timeline: number): string {
  return `${journalPrefix(service, systemId)}history/${hex(timeline, 8)}`;
}

/** Where the marks of one database lie, apart from its many parts. */
export function marksPrefixes(service: string, systemId: string): string[] {
  return ['seen/', 'clock/'].map((folder) => `${journalPrefix(service, systemId)}${folder}`);
}

export function seenKey(service: string, systemId: string, timeline: number): string {
  return `${journalPrefix(service, systemId)}seen/${hex(timeline, 8)}`;
}

export function stepKey(service: string, systemId: string, { timeline, lsn }: WalPosition, toMs: number): string {
  return `${journalPrefix(service, systemId)}clock/${hex(timeline, 8)}-${hex(lsn, 16)}-${hex(toMs, 12)}`;
}

export type JournalKey =
  | { readonly kind: 'part'; readonly systemId: string; readonly range: WalRange }
  | { readonly kind: 'history' | 'seen' | 'clock'; readonly systemId: string; readonly timeline: number };

export type JournalObject = JournalKey & { readonly key: string };

/** The journals of all databases that a service has had. */
export async function* listJournal(location: Location, service: string, options: CallOptions): AsyncGenerator<JournalObject> {
  for await (const { key } of location.list(`${root}${service}/`, options)) {
    const found = parseJournalKey(service, key);
    if (found !== undefined) yield { ...found, key };
  }
}

/** Undefined for what is no object of this service's journal. */
export function parseJournalKey(service: string, key: string): JournalKey | undefined {
  if (!key.startsWith(`${root}${service}/`)) return undefined;
  const [, systemId, rest = ''] = /^(\d{1,20})\/(.*)$/.exec(key.slice(root.length + service.length + 1)) ?? [];
  if (systemId === undefined) return undefined;
  const [, kind, ofTimeline] =
    /^(history|seen)\/([0-9a-f]{8})$/.exec(rest) ?? /^(clock)\/([0-9a-f]{8})-[0-9a-f]{16}-[0-9a-f]{12}$/.exec(rest) ?? [];
  if (ofTimeline !== undefined) return { kind: kind as 'history' | 'seen' | 'clock', systemId, timeline: Number.parseInt(ofTimeline, 16) };
  const [, timeline, start, end] = /^([0-9a-f]{8})\/([0-9a-f]{16})-([0-9a-f]{16})$/.exec(rest) ?? [];
  if (timeline === undefined) return undefined;
  const range = { timeline: Number.parseInt(timeline, 16), start: BigInt(`0x${start}`), end: BigInt(`0x${end}`) };
  return range.timeline > 0 && range.start < range.end ? { kind: 'part', systemId, range } : undefined;
}

function hex(value: number | bigint, digits: number): string {
  return value.toString(16).padStart(digits, '0');
}

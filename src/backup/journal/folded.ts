import { formatLsn, parseLsn } from '../../core/lsn.ts';
import type { Snapshot } from '../repository.ts';
import { tagValues } from '../snapshot/tags.ts';
import type { WalRange } from './coverage.ts';

/** The tag by which a snapshot of WAL is known. */
const kind = 'postgres-wal';

/** What a snapshot of WAL says of itself in its tags: whole segments of one timeline without a hole, each a file under its own name. */
export interface FoldedFacts {
  readonly service: string;
  readonly systemId: string;
  readonly segmentBytes: number;
  /** From the beginning of the first segment to the end of the last one. */
  readonly range: WalRange;
}

export interface FoldedWal {
  readonly snapshot: Snapshot;
  readonly facts: FoldedFacts;
}

export function tagsOfFolded({ service, systemId, segmentBytes, range }: FoldedFacts): string[] {
  return [
    kind,
    `service=${service}`,
    `system=${systemId}`,
    `segment=${segmentBytes}`,
    `timeline=${range.timeline}`,
    `start=${formatLsn(range.start)}`,
    `end=${formatLsn(range.end)}`,
  ];
}

/** Whether it is a snapshot of WAL, of whatever service: rules are not for those, as base backups need them. */
export function isFolded(snapshot: Pick<Snapshot, 'tags'>): boolean {
  return snapshot.tags.includes(kind);
}

/** Undefined for what is no snapshot of WAL. */
export function foldedFactsOf(snapshot: Snapshot): FoldedFacts | undefined {
  if (!isFolded(snapshot)) return undefined;
  const values = tagValues(snapshot);
  const [service, systemId] = [values.get('service'), values.get('system')];
  const [timeline, segmentBytes] = [Number(values.get('timeline')), Number(values.get('segment'))];
  const [start, end] = [positionOf(values.get('start')), positionOf(values.get('end'))];
  if (service === undefined || systemId === undefined || start === undefined || end === undefined || end <= start) return undefined;
  if (!Number.isSafeInteger(timeline) || timeline <= 0 || !Number.isSafeInteger(segmentBytes) || segmentBytes <= 0) return undefined;
  return { service, systemId, segmentBytes, range: { timeline, start, end } };
}

/** Whether all that `one` holds is in `other`, too. */
export function replaces(other: FoldedWal, one: FoldedWal): boolean {
  const [a, b] = [other.facts, one.facts];
  if (a.systemId !== b.systemId || a.range.timeline !== b.range.timeline) return false;
  if (a.range.start > b.range.start || a.range.end < b.range.end) return false;
  // Of two that are the same, everybody lets the same one go.
  return a.range.start !== b.range.start || a.range.end !== b.range.end || other.snapshot.id < one.snapshot.id;
}

function positionOf(text: string | undefined): bigint | undefined {
  return text !== undefined && /^[0-9A-F]{1,8}\/[0-9A-F]{1,8}$/.test(text) ? parseLsn(text) : undefined;
}

import type { TimelineHistory } from '../../core/timeline.ts';
import { mergeRanges, type WalPosition, type WalRange } from './coverage.ts';
import { partBytesMax } from './journal-part.ts';

/** Segments of one snapshot: 16 GiB of usual ones, and a directory of some hundred KiB. */
const snapshotSegmentsMax = 1024;
/** Segments that are folded into one snapshot in one go. */
const batchSegmentsMax = 64;
/**
 * Segments of which every byte is stored and that are not folded yet, oldest first. The first segment of a timeline begins with what its ancestors
 * wrote; the last one of a timeline that was left stays unfinished, and is none.
 */
export function decideFull(
  parts: Iterable<WalRange>,
  folded: Iterable<WalRange>,
  histories: readonly TimelineHistory[],
  segmentBytes: number,
): WalPosition[] {
  const size = BigInt(segmentBytes);
  const own = mergeRanges(parts);
  const done = [...folded];
  const stored = mergeRanges([...own, ...done]);
  const has = (timeline: number, start: bigint, end: bigint): boolean =>
    start >= end || stored.some((range) => range.timeline === timeline && range.start <= start && range.end >= end);
  const isFolded = ({ timeline, lsn }: WalPosition): boolean =>
    done.some((range) => range.timeline === timeline && range.start <= lsn && lsn < range.end);
  const full: WalPosition[] = [];
  for (const { timeline, ancestors } of histories) {
    const beginning = ancestors.at(-1)?.end ?? 0n;
    const isWhole = (lsn: bigint): boolean => {
      let at = lsn;
      for (const ancestor of ancestors) {
        const end = ancestor.end < lsn + size ? ancestor.end : lsn + size;
        if (!has(ancestor.timeline, at, end)) return false;
        if (end > at) at = end;
      }
      return has(timeline, at, lsn + size);
    };
    for (const range of own.filter((one) => one.timeline === timeline)) {
      const first = range.start - (range.start % size);
      for (let lsn = first; lsn + size <= range.end; lsn += size) {
        if (lsn + size > beginning && !isFolded({ timeline, lsn }) && isWhole(lsn)) full.push({ timeline, lsn });
      }
    }
  }
  return full;
}

/** Segments that go into one snapshot, behind those of another one that it takes the place of. */
export interface FoldBatch {
  readonly timeline: number;
  readonly start: bigint;
  readonly end: bigint;
  /** Where the range begins of the snapshot that this one continues. */
  readonly continues: bigint | undefined;
}

/**
 * What is written next: as many of the oldest segments as follow each other. It continues the snapshot that ends there, as long as that is
 * not too long and no base backup begins within: WAL goes with the base backups that need it, a snapshot at a time.
 * @param cuts where base backups begin
 */
export function decideBatch(
  full: readonly WalPosition[],
  folded: readonly WalRange[],
  cuts: readonly bigint[],
  segmentBytes: number,
): FoldBatch | undefined {
  const first = full[0];
  if (first === undefined) return undefined;
  const size = BigInt(segmentBytes);
  const starts = new Set(cuts.map((lsn) => lsn - (lsn % size)));
  const before = folded
    .filter(({ timeline, end }) => timeline === first.timeline && end === first.lsn)
    .toSorted((a, b) => Number(a.start - b.start))
    .at(0);
  const free = before === undefined ? snapshotSegmentsMax : snapshotSegmentsMax - Number((before.end - before.start) / size);
  const continued = free > 0 && !starts.has(first.lsn) ? before : undefined;
  const segmentsMax = Math.min(batchSegmentsMax, continued === undefined ? snapshotSegmentsMax : free);
  let end = first.lsn + size;
  for (const { timeline, lsn } of full.slice(1, segmentsMax)) {
    if (timeline !== first.timeline || lsn !== end || starts.has(lsn)) break;
    end = lsn + size;
  }
  return { timeline: first.timeline, start: first.lsn, end, continues: continued?.start };
}

/** Parts of which everything is stored otherwise: folded, or within a larger part. */
export function decideSpare(parts: readonly WalRange[], folded: Iterable<WalRange>): WalRange[] {
  const merged = mergeRanges(folded);
  const spare: WalRange[] = [];
  let widest: WalRange | undefined;
  // Of two that begin together the larger one comes first: whatever lies within another comes after it.
  for (const part of parts.toSorted((a, b) => a.timeline - b.timeline || compare(a.start, b.start) || compare(b.end, a.end))) {
    const isWithin = (other: WalRange): boolean => other.timeline === part.timeline && other.start <= part.start && part.end <= other.end;
    if (merged.some(isWithin) || (widest !== undefined && isWithin(widest))) spare.push(part);
    else widest = part;
  }
  return spare;
}

/**
 * Parts that are better one: of the newest timeline when there are many small ones, of those that were left when there are two. From the newest
 * to the oldest, taking larger ones in as they are reached by as much: so a byte is written a few times only, however slowly WAL comes.
 */
export function decideMerges(parts: readonly WalRange[], smallPartsMax: number): WalRange[] {
  const newest = Math.max(...parts.map(({ timeline }) => timeline));
  const merges: WalRange[] = [];
  for (const [timeline, own] of Map.groupBy(parts, (part) => part.timeline)) {
    const countMin = timeline === newest ? smallPartsMax : 2;
    const sorted = own.toSorted((a, b) => compare(a.start, b.start) || compare(a.end, b.end));
    for (let index = sorted.length - 1; index >= 0;) {
      let { start } = sorted[index]!;
      const { end } = sorted[index]!;
      let count = 1;
      for (index -= 1; index >= 0; index -= 1, count += 1) {
        const before = sorted[index]!;
        const isLarge = before.end - before.start > end - start;
        if (before.end < start || end - before.start > BigInt(partBytesMax) || (isLarge && count >= countMin)) break;
        ({ start } = before);
      }
      if (count >= countMin) merges.push({ timeline, start, end });
    }
  }
  return merges;
}

function compare(a: bigint, b: bigint): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

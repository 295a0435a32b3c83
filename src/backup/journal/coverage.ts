import { divergence, type TimelineHistory } from '../../core/timeline.ts';

/** WAL of one timeline: bytes from `start` up to and without `end`. */
export interface WalRange {
  readonly timeline: number;
  readonly start: bigint;
  readonly end: bigint;
}

export interface WalPosition {
  readonly timeline: number;
  readonly lsn: bigint;
}

/** The same bytes in as few ranges as can be, by timeline, then start. */
export function mergeRanges(ranges: Iterable<WalRange>): WalRange[] {
  const merged: WalRange[] = [];
  for (const range of [...ranges].toSorted((a, b) => a.timeline - b.timeline || compare(a.start, b.start))) {
    const last = merged.at(-1);
    if (last === undefined || last.timeline !== range.timeline || range.start > last.end) merged.push(range);
    else if (range.end > last.end) merged[merged.length - 1] = { ...last, end: range.end };
  }
  return merged;
}

/** What recovery along `history` reads from `from` on, oldest first; of the newest timeline there is no end. */
export function legs(history: TimelineHistory, from: WalPosition): { timeline: number; start: bigint; end: bigint | undefined }[] {
  const path = [
    ...history.ancestors.map(({ timeline, end }) => ({ timeline, end: end as bigint | undefined })),
    { timeline: history.timeline, end: undefined },
  ];
  const first = path.findIndex(({ timeline }) => timeline === from.timeline);
  if (first < 0) return [];
  return path.slice(first).flatMap(({ timeline, end }, index) => {
    const start = index === 0 ? from.lsn : path[first + index - 1]!.end!;
    return end !== undefined && end <= start ? [] : [{ timeline, start, end }];
  });
}

/** How far recovery gets, and what first stops it: `missing` has no end where nothing newer is there at all. */
export interface Reach {
  readonly reached: WalPosition;
  readonly missing: { readonly timeline: number; readonly start: bigint; readonly end: bigint | undefined } | undefined;
}

/**
 * How far recovery from `from` gets along `history` with the WAL that is there. A range with nothing behind it, on the newest timeline, is no gap but
 * the end.
 */
export function decideReach(ranges: Iterable<WalRange>, history: TimelineHistory, from: WalPosition): Reach {
  const merged = mergeRanges(ranges);
  let reached = from;
  for (const leg of legs(history, from)) {
    const part = merged.find(({ timeline, start, end }) => timeline === leg.timeline && start <= leg.start && end > leg.start);
    const end = part?.end ?? leg.start;
    if (leg.end !== undefined && end >= leg.end) {
      reached = { timeline: leg.timeline, lsn: leg.end };
      continue;
    }
    reached = { timeline: leg.timeline, lsn: end };
    const after = merged.find(({ timeline, start }) => timeline === leg.timeline && start > end);
    const missingEnd = after?.start ?? leg.end;
    return { reached, missing: missingEnd === undefined ? undefined : { timeline: leg.timeline, start: end, end: missingEnd } };
  }
  return { reached, missing: undefined };
}

/**
 * Where a journal goes on: the furthest stored position from which `history` continues. What was stored of a timeline beyond the point where
 * `history` left it belongs to nobody any more.
 */
export function decideResume(ranges: Iterable<WalRange>, history: TimelineHistory): WalPosition | undefined {
  let furthest: WalPosition | undefined;
  for (const { timeline, start, end } of mergeRanges(ranges)) {
    const branch = history.ancestors.find((ancestor) => ancestor.timeline === timeline);
    if (branch !== undefined && start > branch.end) continue;
    const lsn = branch !== undefined && branch.end < end ? branch.end : end;
    const position = { timeline, lsn };
    if (divergence(position, history) !== undefined) continue;
    if (furthest === undefined || lsn > furthest.lsn || (lsn === furthest.lsn && timeline > furthest.timeline)) furthest = position;
  }
  return furthest;
}

function compare(a: bigint, b: bigint): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

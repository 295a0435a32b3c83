import { formatLsn, parseLsn } from './lsn.ts';

/** One ancestor in a timeline's history: it ends at `end`, where the next one branched off. */
export interface TimelineSwitch {
  readonly timeline: number;
  readonly end: bigint;
}

/** A timeline and its ancestors, oldest first. */
export interface TimelineHistory {
  readonly timeline: number;
  readonly ancestors: readonly TimelineSwitch[];
}

/** Parses the content of a `0000000N.history` file (readTimeLineHistory of timeline.c). */
export function parseHistory(timeline: number, text: string): TimelineHistory {
  const ancestors = text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line): TimelineSwitch => {
      const [, id, lsn] = /^(\d+)\s+([0-9A-Fa-f]+\/[0-9A-Fa-f]+)(?:\s|$)/.exec(line) ?? [];
      if (id === undefined || lsn === undefined) throw new RangeError(`history of timeline ${timeline} has the unreadable line '${line}'`);
      return { timeline: Number(id), end: parseLsn(lsn) };
    });
  return { timeline, ancestors };
}

/** Why data that ends at `position` can not be continued along `history`; undefined when it can. */
export function divergence(position: { readonly timeline: number; readonly lsn: bigint }, history: TimelineHistory): string | undefined {
  if (position.timeline === history.timeline) return undefined;
  const branch = history.ancestors.find((ancestor) => ancestor.timeline === position.timeline);
  if (branch === undefined) return `timeline ${position.timeline} is no ancestor of timeline ${history.timeline}`;
  if (position.lsn <= branch.end) return undefined;
  return `timeline ${history.timeline} left timeline ${branch.timeline} at ${formatLsn(branch.end)}, but the data goes on to ${formatLsn(position.lsn)}`;
}

/** Name of a timeline's history file. */
export function historyName(timeline: number): string {
  return `${timeline.toString(16).toUpperCase().padStart(8, '0')}.history`;
}

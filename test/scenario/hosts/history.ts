/** One write of one client. Times of one clock, in milliseconds. */
export interface Write {
  readonly row: number;
  readonly client: string;
  readonly invokedMs: number;
  /** Infinity when no answer came. */
  readonly endedMs: number;
  /** `unknown`: it may have happened, or may yet. */
  readonly outcome: 'acknowledged' | 'unknown';
  /** Of the primary that acknowledged it: each promotion begins a later one. */
  readonly timeline: number;
  readonly server: string;
}

/** What is wrong with a history; all of them empty when nothing is. */
export interface Verdict {
  /** Acknowledged, and not there. */
  readonly missing: readonly Write[];
  /** There more than once: each was sent once. */
  readonly repeated: readonly number[];
  /** There, though nobody wrote it. */
  readonly invented: readonly number[];
  /** Begun after another primary's later timeline had acknowledged something, and acknowledged: there were two primaries. */
  readonly outlived: readonly Write[];
}

/** @param present how often each row is there */
export function judge(writes: readonly Write[], present: ReadonlyMap<number, number>): Verdict {
  const written = new Set(writes.map((write) => write.row));
  return {
    missing: writes.filter((write) => write.outcome === 'acknowledged' && !present.has(write.row)),
    repeated: [...present].filter(([, times]) => times > 1).map(([row]) => row),
    invented: [...present.keys()].filter((row) => !written.has(row)),
    outlived: outlived(writes),
  };
}

/** Linear in time order: what was begun at a moment is compared with the latest timeline that had acknowledged by then. */
function outlived(writes: readonly Write[]): Write[] {
  const acknowledged = writes.filter((write) => write.outcome === 'acknowledged');
  const byEnd = acknowledged.toSorted((a, b) => a.endedMs - b.endedMs);
  const found: Write[] = [];
  let latest = 0;
  let next = 0;
  for (const write of acknowledged.toSorted((a, b) => a.invokedMs - b.invokedMs)) {
    for (; next < byEnd.length && byEnd[next]!.endedMs < write.invokedMs; next++) latest = Math.max(latest, byEnd[next]!.timeline);
    if (write.timeline < latest) found.push(write);
  }
  return found;
}

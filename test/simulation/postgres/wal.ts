import type { Position } from '../../../src/engine/engine.ts';

/** One record of write-ahead log: a commit of one row, or something of the server's own (a checkpoint, the end of recovery). */
export interface WalRecord {
  /** How many records lie before it: each record was written behind exactly one other, so the same record at the same place means the same history. */
  readonly index: number;
  readonly end: number;
  readonly timeline: number;
  readonly row: number | undefined;
}

export const recordBytes = 100;

/** What lies on one member's disk. Only flushed records are in `wal`. */
export class DataDirectory {
  readonly systemId: string;
  readonly wal: WalRecord[];
  /** What the server was when it last ran: which decides whether it is started or promoted. */
  role: 'primary' | 'replica';
  /** Durable setting: from whom it receives; undefined when frozen. */
  upstream: string | undefined;
  /** The timeline that a primary writes. */
  timeline: number;
  /** Highest timeline of which it has a history file: the next one that it takes itself is one more. */
  timelineKnown: number;
  /** A rejoin was interrupted: neither the old data nor the new. */
  torn = false;
  /** A copy of another member that was never started. */
  fresh = false;
  /** Where its control file says that it was, the last time anybody wrote that down. */
  checkpoint = 0;

  constructor(systemId: string, from: { wal: readonly WalRecord[]; timeline: number; timelineKnown: number; role: 'primary' | 'replica' }) {
    this.systemId = systemId;
    this.wal = [...from.wal];
    this.timeline = from.timeline;
    this.timelineKnown = from.timelineKnown;
    this.role = from.role;
  }

  get end(): number {
    return this.wal.at(-1)?.end ?? 0;
  }

  get position(): Position {
    return { timeline: this.wal.at(-1)?.timeline ?? this.timeline, lsn: BigInt(this.end) };
  }

  /** What is on the disk now, behind what was. */
  take(records: readonly WalRecord[]): void {
    this.wal.push(...records);
    this.timeline = this.wal.at(-1)?.timeline ?? this.timeline;
    this.timelineKnown = Math.max(this.timelineKnown, this.timeline);
  }

  has(record: WalRecord): boolean {
    return this.wal[record.index] === record;
  }

  /** Whether all of `wal` is here, too. */
  continues(wal: readonly WalRecord[]): boolean {
    const last = wal.at(-1);
    return last === undefined || this.has(last);
  }
}

/** A new record behind `last`. */
export function recordAfter(last: WalRecord | undefined, timeline: number, row?: number): WalRecord {
  return { index: (last?.index ?? -1) + 1, end: (last?.end ?? 0) + recordBytes, timeline, row };
}

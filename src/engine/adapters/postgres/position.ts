import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Position } from '../../engine.ts';
import type { ControlFile } from './control-file.ts';
import { parseLsn, parseSegmentName } from '../../../core/lsn.ts';
import type { Session } from './session.ts';
import { queryTimeoutMs } from './sessions.ts';

/**
 * Timeline of the WAL just before `lsn` on this disk: the newest that has a segment file there. (A server that recovers names its
 * timeline nowhere; its receiver makes the file of a new timeline with the first byte that it writes of it.) Where that segment was
 * recycled already, it lay before the last restart point, whose timeline is known.
 */
export async function timelineAt(data: string, lsn: bigint, control: ControlFile): Promise<number> {
  const { segmentBytes } = control;
  const last = lsn === 0n ? 0n : lsn - 1n;
  const start = last - (last % segmentBytes);
  const files = (await readdir(join(data, 'pg_wal'))).flatMap((name) => parseSegmentName(name, segmentBytes) ?? []);
  const timelines = files.filter((file) => file.lsn === start).map(({ timeline }) => timeline);
  return timelines.length === 0 ? Math.max(control.timeline, control.minRecoveryTimeline) : Math.max(...timelines);
}

/** How far a running replica's WAL is flushed, and replayed; undefined when it has become a primary. */
export async function replicaPosition(
  session: Session,
  data: string,
  control: ControlFile,
  signal: AbortSignal,
): Promise<{ position: Position; replayLsn: bigint } | undefined> {
  const [row] = await session.query(
    'select pg_is_in_recovery() as recovering, pg_last_wal_receive_lsn()::text as received, pg_last_wal_replay_lsn()::text as replayed',
    { timeoutMs: queryTimeoutMs, signal },
  );
  if (row?.['recovering'] !== true) return undefined;
  const replayLsn = lsnOf(row['replayed']);
  const lsn = furthest(lsnOf(row['received']), replayLsn);
  return { position: { timeline: await timelineAt(data, lsn, control), lsn }, replayLsn };
}

/** The receiver's count begins anew with each timeline, at the start of a segment; what is replayed was flushed too. */
export function furthest(a: bigint, b: bigint): bigint {
  return a > b ? a : b;
}

export function lsnOf(value: unknown): bigint {
  return typeof value === 'string' ? parseLsn(value) : 0n;
}

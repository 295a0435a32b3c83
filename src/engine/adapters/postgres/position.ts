import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Position } from '../../engine.ts';
import { parseLsn, parseSegmentName } from './lsn.ts';
import type { Session } from './session.ts';
import { queryTimeoutMs } from './member.ts';

/**
 * Timeline of the WAL just before `lsn` on this disk: the newest that has a segment file there. (A server that recovers names its
 * timeline nowhere; its receiver makes the file of a new timeline with the first byte that it writes of it.)
 */
export async function timelineAt(data: string, lsn: bigint, segmentBytes: bigint): Promise<number | undefined> {
  const last = lsn === 0n ? 0n : lsn - 1n;
  const start = last - (last % segmentBytes);
  const files = (await readdir(join(data, 'pg_wal'))).flatMap((name) => parseSegmentName(name, segmentBytes) ?? []);
  const timelines = files.filter((file) => file.lsn === start).map(({ timeline }) => timeline);
  return timelines.length === 0 ? undefined : Math.max(...timelines);
}

/** How far a running replica's WAL is flushed, and replayed. */
export async function replicaPosition(
  session: Session,
  data: string,
  segmentBytes: bigint,
  signal?: AbortSignal,
): Promise<{ position: Position; replayLsn: bigint } | undefined> {
  const [row] = await session.query(
    'select pg_is_in_recovery() as recovering, pg_last_wal_receive_lsn()::text as received, pg_last_wal_replay_lsn()::text as replayed',
    { timeoutMs: queryTimeoutMs, ...(signal === undefined ? {} : { signal }) },
  );
  if (row?.['recovering'] !== true) return undefined;
  const replayLsn = lsnOf(row['replayed']);
  const lsn = furthest(lsnOf(row['received']), replayLsn);
  return { position: { timeline: (await timelineAt(data, lsn, segmentBytes)) ?? 0, lsn }, replayLsn };
}

/** The receiver's count begins anew with each timeline, at the start of a segment; what is replayed was flushed too. */
export function furthest(a: bigint, b: bigint): bigint {
  return a > b ? a : b;
}

export function lsnOf(value: unknown): bigint {
  return typeof value === 'string' ? parseLsn(value) : 0n;
}

import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { HoldfastError, messageOf } from '../../../core/errors.ts';
import type { MemberAddress, Position } from '../../engine.ts';
import type { ControlFile } from './control-file.ts';
import { formatLsn, segmentName } from './lsn.ts';
import { identifySystem, readUpstreamHistory, ServerError, type ReplicationConnection } from './replication-connection.ts';
import { divergence, latestHistory } from './timeline.ts';
import { timelinesNewestFirst } from './wal-pages.ts';

/** How much of the end of our WAL is compared with the upstream's. */
const comparedBytesMax = 256n * 1024n;
const answerMs = 5_000;

/**
 * Whether data that ends at `position` can be continued with the WAL of the other member. Three questions:
 * the same database system; no branch of its timeline history before our end; and the same WAL: the last part of ours is read from it
 * and compared byte for byte. The last finds what histories can not show: two primaries that took the same timeline number at the same
 * place, and an upstream that lacks the WAL that we need.
 * @throws ENGINE_FOREIGN_DATA, ENGINE_DIVERGED, ENGINE_UPSTREAM_UNREACHABLE
 */
export async function checkContinues(connection: ReplicationConnection, upstream: MemberAddress, data: string, control: ControlFile, position: Position, signal: AbortSignal): Promise<void> {
  const limits = { timeoutMs: answerMs, signal };
  const system = await identifySystem(connection, limits);
  if (system.systemId !== control.systemId) throw foreign(upstream, system.systemId, control.systemId);
  if (system.timeline < position.timeline) throw diverged(upstream, `it is on timeline ${system.timeline}, this member is already on ${position.timeline}`);
  const reason = divergence(position, await readUpstreamHistory(connection, system.timeline, limits));
  if (reason !== undefined) throw diverged(upstream, reason);
  if (position.timeline === system.timeline && position.lsn > system.flushLsn) {
    throw diverged(upstream, `it ends at ${formatLsn(system.flushLsn)} of timeline ${system.timeline}, but this member goes on to ${formatLsn(position.lsn)}`);
  }
  await compareWal(connection, upstream, data, control, position, signal);
}

async function compareWal(connection: ReplicationConnection, upstream: MemberAddress, data: string, control: ControlFile, position: Position, signal: AbortSignal): Promise<void> {
  const { timeline, from } = await comparedRange(data, control, position);
  const ours = await readWal(data, control, timeline, from, position.lsn);
  if (ours.length === 0) return;
  let theirs: Buffer;
  try {
    theirs = await streamWal(connection, timeline, from, ours.length, signal);
  } catch (error) {
    if (!(error instanceof ServerError)) throw error;
    throw diverged(upstream, `it does not have the WAL of timeline ${timeline} at ${formatLsn(from)} that this member needs: ${messageOf(error)}`);
  }
  if (!ours.equals(theirs)) throw diverged(upstream, `its WAL of timeline ${timeline} before ${formatLsn(position.lsn)} is not that of this member`);
}

/** At most the last part, within one segment and one timeline. */
async function comparedRange(data: string, control: ControlFile, position: Position): Promise<{ timeline: number; from: bigint }> {
  const timelines = timelinesNewestFirst(await latestHistory(data, position.timeline));
  const { timeline, begin } = timelines.find((candidate) => candidate.timeline <= position.timeline && candidate.begin < position.lsn) ?? { timeline: position.timeline, begin: 0n };
  const last = position.lsn - 1n;
  const starts = [last - (last % control.segmentBytes), begin, position.lsn - comparedBytesMax];
  return { timeline, from: starts.reduce((a, b) => (a > b ? a : b)) };
}

async function readWal(data: string, control: ControlFile, timeline: number, from: bigint, to: bigint): Promise<Buffer> {
  await using file = await open(join(data, 'pg_wal', segmentName(timeline, from, control.segmentBytes)), 'r');
  const { buffer, bytesRead } = await file.read(Buffer.alloc(Number(to - from)), 0, Number(to - from), Number(from % control.segmentBytes));
  return buffer.subarray(0, bytesRead);
}

/** After this the connection is in the midst of streaming, and good for nothing else. */
async function streamWal(connection: ReplicationConnection, timeline: number, from: bigint, length: number, signal: AbortSignal): Promise<Buffer> {
  connection.send(`START_REPLICATION PHYSICAL ${formatLsn(from)} TIMELINE ${timeline}`);
  const parts: Buffer[] = [];
  for (let missing = length; missing > 0; ) {
    const { type, body } = await connection.next({ timeoutMs: answerMs, signal });
    if (type === 'c' || type === 'Z') break;
    // XLogData: 'w', its start, the server's end, its time, then WAL.
    if (type !== 'd' || body[0] !== 0x77) continue;
    const part = body.subarray(25, 25 + missing);
    parts.push(Buffer.from(part));
    missing -= part.length;
  }
  connection.cut();
  return Buffer.concat(parts);
}

export function foreign(upstream: MemberAddress, theirs: string, ours: string): HoldfastError {
  return new HoldfastError('ENGINE_FOREIGN_DATA', `member ${upstream.node} (${upstream.host}:${upstream.port}) has database system ${theirs}, this member ${ours}: they are not of one cluster`, {
    hint: 'Find out which data is the right one. Nothing here has been touched.',
  });
}

function diverged(upstream: MemberAddress, reason: string): HoldfastError {
  return new HoldfastError('ENGINE_DIVERGED', `this member's data can not be continued from ${upstream.node}: ${reason}`, { hint: 'It has to rejoin (done by itself where failover is not paused).' });
}

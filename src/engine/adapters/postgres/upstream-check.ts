import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { HoldfastError } from '../../../core/errors.ts';
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
  const verdict = await compareWal(connection, data, control, position, signal);
  if (verdict === 'same') return;
  const place = `its WAL of timeline ${position.timeline} before ${formatLsn(position.lsn)}`;
  throw diverged(upstream, verdict === 'different' ? `${place} is not that of this member` : `${place}, from where this member must go on, is no longer there`);
}

/**
 * Compares the WAL just before `position` here with that on the other member. `absent`: one of the two no longer has it. After this the
 * connection is spent.
 */
export async function compareWal(connection: ReplicationConnection, data: string, control: ControlFile, position: Position, signal: AbortSignal): Promise<'same' | 'different' | 'absent'> {
  const { timeline, from, files } = await comparedRange(data, control, position);
  const ours = await readWal(data, control, files, from, position.lsn);
  if (ours === undefined) return 'absent';
  try {
    return ours.equals(await streamWal(connection, timeline, from, ours.length, signal)) ? 'same' : 'different';
  } catch (error) {
    if (error instanceof ServerError) return 'absent';
    throw error;
  } finally {
    connection.cut();
  }
}

/** At most the last part, within one segment and one timeline; `files`: the timelines whose segment files hold it, copied at a branch. */
async function comparedRange(data: string, control: ControlFile, position: Position): Promise<{ timeline: number; from: bigint; files: number[] }> {
  const timelines = timelinesNewestFirst(await latestHistory(data, position.timeline));
  const { timeline, begin } = timelines.find((candidate) => candidate.timeline <= position.timeline && candidate.begin < position.lsn) ?? { timeline: position.timeline, begin: 0n };
  const last = position.lsn - 1n;
  const starts = [last - (last % control.segmentBytes), begin, position.lsn - comparedBytesMax];
  const from = starts.reduce((a, b) => (a > b ? a : b));
  const files = timelines.map((candidate) => candidate.timeline).filter((candidate) => candidate >= timeline);
  return { timeline, from, files: files.toReversed() };
}

async function readWal(data: string, control: ControlFile, files: readonly number[], from: bigint, to: bigint): Promise<Buffer | undefined> {
  const length = Number(to - from);
  for (const timeline of files) {
    const path = join(data, 'pg_wal', segmentName(timeline, from, control.segmentBytes));
    const file = await open(path, 'r').catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return undefined;
      throw error;
    });
    if (file === undefined) continue;
    await using _open = file;
    const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, Number(from % control.segmentBytes));
    return bytesRead === length ? buffer : undefined;
  }
  return undefined;
}

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
  return Buffer.concat(parts);
}

export function foreign(upstream: MemberAddress, theirs: string, ours: string): HoldfastError {
  return new HoldfastError('ENGINE_FOREIGN_DATA', `member ${upstream.node} (${upstream.host}:${upstream.port}) has database system ${theirs}, this member ${ours}: they are not of one cluster`, {
    hint: 'Find out which data is the right one. Nothing here has been touched.',
  });
}

export function diverged(upstream: MemberAddress, reason: string): HoldfastError {
  return new HoldfastError('ENGINE_DIVERGED', `this member's data can not be continued from ${upstream.node}: ${reason}`, { hint: 'It has to rejoin (done by itself where failover is not paused).' });
}

import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { HoldfastError } from '../../../core/errors.ts';
import type { MemberAddress, Position } from '../../engine.ts';
import type { ControlFile } from './control-file.ts';
import { formatLsn, parseLsn, segmentName } from '../../../core/lsn.ts';
import {
  identifySystem,
  parseRow,
  readUpstreamHistory,
  ServerError,
  type ReplicationConnection,
  type SystemIdentity,
} from './replication-connection.ts';
import { divergence } from '../../../core/timeline.ts';
import { latestHistory } from './history-files.ts';
import { timelinesNewestFirst } from './wal-pages.ts';

/** How much of the end of our WAL is compared with the upstream's. */
const comparedBytesMax = 256n * 1024n;
const answerMs = 5_000;

/** A fresh connection to the same member: streaming WAL uses one up. */
export type Reconnect = () => Promise<ReplicationConnection>;

/** Who answers there; never another cluster. @throws ENGINE_FOREIGN_DATA, ENGINE_UPSTREAM_UNREACHABLE */
export async function identifyUpstream(
  connection: ReplicationConnection,
  upstream: MemberAddress,
  systemId: string,
  signal: AbortSignal,
): Promise<SystemIdentity> {
  const system = await identifySystem(connection, { timeoutMs: answerMs, signal });
  if (system.systemId === systemId) return system;
  throw new HoldfastError(
    'ENGINE_FOREIGN_DATA',
    `member ${upstream.node} (${upstream.host}:${upstream.port}) has database system ${system.systemId}, this member ${systemId}: they are not of one cluster`,
    {
      hint: 'Find out which data is the right one. Nothing here has been touched.',
    },
  );
}

/**
 * Whether data that ends at `position` can be continued with the WAL of the other member. Two questions: no branch of its timeline history
 * lies before our end; and it has the same WAL: the last part of ours is read from it and compared byte for byte. The latter finds
 * what histories can not show: two primaries that took the same timeline number at the same place, and an upstream that lacks the WAL
 * that we need. `connection` is spent then.
 * @param ours.compared false for a copy that was never started, which need not have WAL of its own
 * @throws ENGINE_DIVERGED, ENGINE_UPSTREAM_UNREACHABLE
 */
export async function checkContinues(
  {
    connection,
    reconnect,
    upstream,
    system,
  }: { connection: ReplicationConnection; reconnect: Reconnect; upstream: MemberAddress; system: SystemIdentity },
  { data, control, position, compared }: { data: string; control: ControlFile; position: Position; compared: boolean },
  signal: AbortSignal,
): Promise<void> {
  // A replica may yet get what it lacks; a primary never.
  const short = connection.isReplica ? behind : diverged;
  if (system.timeline < position.timeline)
    throw short(upstream, `it is on timeline ${system.timeline}, this member is already on ${position.timeline}`);
  const reason = divergence(position, await readUpstreamHistory(connection, system.timeline, { timeoutMs: answerMs, signal }));
  if (reason !== undefined) throw diverged(upstream, reason);
  if (position.timeline === system.timeline && position.lsn > system.flushLsn) {
    throw short(
      upstream,
      `it ends at ${formatLsn(system.flushLsn)} of timeline ${system.timeline}, but this member goes on to ${formatLsn(position.lsn)}`,
    );
  }
  if (!compared) return;
  const verdict = await compareWal(connection, data, control, position, signal);
  if (verdict === 'same') return;
  // Nobody else can have begun the first timeline, so there it is enough that the upstream has the WAL that comes next.
  const next = { timeline: position.timeline, lsn: position.lsn - (position.lsn % control.segmentBytes) };
  if (verdict === 'absent' && position.timeline === 1 && (next.lsn >= system.flushLsn || (await hasWal(await reconnect(), next, signal))))
    return;
  const place = `its WAL of timeline ${position.timeline} before ${formatLsn(position.lsn)}`;
  throw diverged(
    upstream,
    verdict === 'different'
      ? `${place} is not that of this member`
      : `${place}, by which it could be told that they belong together, is no longer there`,
  );
}

/** Whether the other member can stream from this place on. The connection is spent then. */
export async function hasWal(connection: ReplicationConnection, from: Position, signal: AbortSignal): Promise<boolean> {
  try {
    for (let at = from; ;) {
      connection.send(`START_REPLICATION PHYSICAL ${formatLsn(at.lsn)} TIMELINE ${at.timeline}`);
      const answer = await readStart(connection, signal);
      if (typeof answer === 'boolean') return answer;
      if (answer.timeline <= at.timeline) return false;
      at = answer;
    }
  } catch (error) {
    if (error instanceof ServerError) return false;
    throw error;
  } finally {
    connection.cut();
  }
}

/**
 * How it begins to stream. From exactly the end of a timeline that was left there is nothing to stream: only a row then tells which one comes next, and
 * from where on (PostgreSQL manual, START_REPLICATION).
 */
async function readStart(connection: ReplicationConnection, signal: AbortSignal): Promise<boolean | Position> {
  let next: Position | undefined;
  for (;;) {
    const { type, body } = await connection.next({ timeoutMs: answerMs, signal });
    // Data, or the end of this timeline: both come only after the first file was opened.
    if (type === 'd' || type === 'c') return true;
    if (type === 'Z') return next ?? false;
    if (type !== 'D') continue;
    const [timeline, lsn] = parseRow(body);
    if (timeline !== undefined && lsn !== undefined) next = { timeline: Number(timeline), lsn: parseLsn(lsn) };
  }
}

/**
 * Compares the WAL just before `position` here with that on the other member. `absent`: one of the two no longer has it. After this the
 * connection is spent.
 */
export async function compareWal(
  connection: ReplicationConnection,
  data: string,
  control: ControlFile,
  position: Position,
  signal: AbortSignal,
): Promise<'same' | 'different' | 'absent'> {
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
async function comparedRange(
  data: string,
  control: ControlFile,
  position: Position,
): Promise<{ timeline: number; from: bigint; files: number[] }> {
  const timelines = timelinesNewestFirst(await latestHistory(data, position.timeline));
  const { timeline, begin } = timelines.find((candidate) => candidate.timeline <= position.timeline && candidate.begin < position.lsn) ?? {
    timeline: position.timeline,
    begin: 0n,
  };
  const last = position.lsn - 1n;
  const starts = [last - (last % control.segmentBytes), begin, position.lsn - comparedBytesMax];
  const from = starts.reduce((a, b) => (a > b ? a : b));
  const files = timelines.map((candidate) => candidate.timeline).filter((candidate) => candidate >= timeline);
  return { timeline, from, files: files.toReversed() };
}

async function readWal(
  data: string,
  control: ControlFile,
  files: readonly number[],
  from: bigint,
  to: bigint,
): Promise<Buffer | undefined> {
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

async function streamWal(
  connection: ReplicationConnection,
  timeline: number,
  from: bigint,
  length: number,
  signal: AbortSignal,
): Promise<Buffer> {
  connection.send(`START_REPLICATION PHYSICAL ${formatLsn(from)} TIMELINE ${timeline}`);
  const parts: Buffer[] = [];
  for (let missing = length; missing > 0;) {
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

function behind(upstream: MemberAddress, reason: string): HoldfastError {
  return new HoldfastError(
    'ENGINE_UPSTREAM_BEHIND',
    `member ${upstream.node} is a replica itself, and not yet as far as this member: ${reason}`,
    {
      retryable: true,
      hint: 'It is tried again; or let this member follow the primary.',
    },
  );
}

export function diverged(upstream: MemberAddress, reason: string): HoldfastError {
  return new HoldfastError('ENGINE_DIVERGED', `this member's data can not be continued from ${upstream.node}: ${reason}`, {
    hint: 'It has to rejoin (done by itself where failover is not paused).',
  });
}

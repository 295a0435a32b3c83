import { readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { HoldfastError } from '../../../core/errors.ts';
import type { MemberAddress, Position } from '../../engine.ts';
import type { ControlFile } from './control-file.ts';
import { writeDurably } from './durable-file.ts';
import { formatLsn, parseSegmentName } from '../../../core/lsn.ts';
import type { Member } from './member.ts';
import { queryTimeoutMs } from './sessions.ts';
import { connectUpstream } from './upstream.ts';
import { readUpstreamHistory } from './replication-connection.ts';
import type { TimelineHistory } from '../../../core/timeline.ts';
import { latestHistory } from './history-files.ts';
import { compareWal, identifyUpstream } from './upstream-check.ts';
import { endOfWal } from './wal-end.ts';
import { WalPages } from './wal-pages.ts';
import { checkpointRedo, databaseOf, firstRecordOn, readRecord } from './wal-records.ts';

const lsnSchema = z.string().regex(/^\d+$/).transform(BigInt);

const planSchema = z.object({
  systemId: z.string(),
  /** Where the two histories part. */
  fork: z.object({ timeline: z.number().int(), lsn: lsnSchema }),
  /** Redo pointer of the last checkpoint here at or before the fork: what was changed here before it is on our disk as it is on theirs. */
  redo: lsnSchema,
  /** Databases (by OID) that were created or dropped here since. */
  databases: z.array(z.number().int()).readonly(),
  /** Our history, to be compared with another upstream's should this one be lost on the way. */
  ours: z.array(z.object({ timeline: z.number().int(), end: lsnSchema })).readonly(),
});

export type RejoinPlan = z.infer<typeof planSchema>;

/**
 * What a rejoin works by, made from data that is still whole and kept until the rejoin is finished: data half copied can not be asked
 * again. While it is there, nothing else may use the data.
 */
export async function readPlan(member: Member): Promise<RejoinPlan | undefined> {
  const text = await readFile(member.places.rejoin, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
  return text === undefined ? undefined : planSchema.parse(JSON.parse(text));
}

export async function writePlan(member: Member, plan: RejoinPlan): Promise<void> {
  const text = JSON.stringify(plan, (_key, value: unknown) => (typeof value === 'bigint' ? value.toString() : value));
  await writeDurably(member.places.rejoin, `${text}\n`, { account: undefined });
}

export async function removePlan(member: Member): Promise<void> {
  await rm(member.places.rejoin, { force: true });
}

/** @throws ENGINE_REJOIN_FAILED, ENGINE_FOREIGN_DATA, ENGINE_UPSTREAM_UNREACHABLE */
export async function makePlan(member: Member, control: ControlFile, upstream: MemberAddress, signal: AbortSignal): Promise<RejoinPlan> {
  const { data } = member.places;
  const end = await endOfWal(data, control);
  const ours = withEnd(await historyOf(data, end), end.lsn);
  const fork = await findFork(member, control, ours, upstream, signal);
  const { redo, databases } = await readSince(data, control, fork);
  return { systemId: control.systemId, fork, redo, databases, ours };
}

/** A plan made for another upstream still holds when the common history with this one reaches beyond its checkpoint. @throws as makePlan */
export async function checkPlan(member: Member, plan: RejoinPlan, upstream: MemberAddress, signal: AbortSignal): Promise<void> {
  const fork = commonPoints(plan.ours, await theirHistory(member, plan.systemId, upstream, signal))[0];
  if (fork === undefined || fork.lsn < plan.redo) {
    throw failed(`an unfinished rejoin began with another upstream, whose history left that of ${upstream.node} too early`);
  }
}

type Ends = readonly { readonly timeline: number; readonly end: bigint }[];

/** The latest point in both histories, proven by the same WAL before it; timeline 1 needs no proof, as nobody else could have begun it. */
async function findFork(member: Member, control: ControlFile, ours: Ends, upstream: MemberAddress, signal: AbortSignal): Promise<Position> {
  const theirs = await theirHistory(member, control.systemId, upstream, signal);
  for (const point of commonPoints(ours, theirs)) {
    await using connection = await connectUpstream(member, upstream, 'check', { signal });
    const verdict = await compareWal(connection, member.places.data, control, point, signal);
    if (verdict === 'same' || (verdict === 'absent' && point.timeline === 1)) return point;
    if (verdict === 'absent')
      throw failed(
        `neither side can prove that they were the same on timeline ${point.timeline}: the WAL before ${formatLsn(point.lsn)} is gone`,
      );
  }
  throw failed('the two have no history in common');
}

/** Candidates, latest first: the end of what may be common on each timeline that both went through. */
export function commonPoints(ours: Ends, theirs: Ends): Position[] {
  const points: Position[] = [];
  for (const [index, mine] of ours.entries()) {
    const other = theirs[index];
    if (other?.timeline !== mine.timeline) break;
    points.push({ timeline: mine.timeline, lsn: mine.end < other.end ? mine.end : other.end });
    if (mine.end !== other.end) break;
  }
  return points.toReversed();
}

async function theirHistory(member: Member, systemId: string, upstream: MemberAddress, signal: AbortSignal): Promise<Ends> {
  const limits = { timeoutMs: queryTimeoutMs, signal };
  await using connection = await connectUpstream(member, upstream, 'check', { signal });
  const system = await identifyUpstream(connection, upstream, systemId, signal);
  return withEnd(await readUpstreamHistory(connection, system.timeline, limits), system.flushLsn);
}

function withEnd(history: TimelineHistory, end: bigint): Ends {
  return [...history.ancestors, { timeline: history.timeline, end }];
}

/** The history up to where our WAL really ends; a newer timeline may be known by name only. */
async function historyOf(data: string, end: Position): Promise<TimelineHistory> {
  const history = await latestHistory(data, end.timeline);
  return { timeline: end.timeline, ancestors: history.ancestors.filter(({ timeline }) => timeline < end.timeline) };
}

/** Reads our own WAL up to its end, for the last checkpoint before the fork, and the databases that came or went after that. */
async function readSince(data: string, control: ControlFile, fork: Position): Promise<{ redo: bigint; databases: number[] }> {
  const history = await latestHistory(data, control.timeline);
  await using pages = new WalPages(data, history, control.segmentBytes, control.systemId);
  let redo = control.redoLsn <= fork.lsn ? control.redoLsn : undefined;
  const begin = redo ?? (await oldestRecord(data, control, fork));
  const databases: { lsn: bigint; oid: number }[] = [];
  let previous: bigint | undefined;
  for (let at = begin; at !== undefined;) {
    const record = await readRecord(pages, at, previous, control.segmentBytes);
    if (record === undefined) break;
    const checkpoint = record.end <= fork.lsn ? checkpointRedo(record) : undefined;
    if (checkpoint !== undefined && checkpoint >= begin! && control.redoLsn > fork.lsn) redo = checkpoint;
    const oid = databaseOf(record);
    if (oid !== undefined) databases.push({ lsn: record.start, oid });
    previous = record.start;
    at = record.end;
  }
  if (redo === undefined) throw failed(`no checkpoint before ${formatLsn(fork.lsn)}, where the histories part, is left in its own WAL`);
  const since = redo;
  return { redo, databases: [...new Set(databases.filter(({ lsn }) => lsn >= since).map(({ oid }) => oid))] };
}

/** The first record that can be read of the segments here that lead up to the fork without a gap. */
async function oldestRecord(data: string, control: ControlFile, fork: Position): Promise<bigint | undefined> {
  const present = new Set((await readdir(join(data, 'pg_wal'))).flatMap((name) => parseSegmentName(name, control.segmentBytes)?.lsn ?? []));
  let start = fork.lsn - (fork.lsn % control.segmentBytes);
  if (!present.has(start)) return undefined;
  while (present.has(start - control.segmentBytes)) start -= control.segmentBytes;
  await using pages = new WalPages(data, await latestHistory(data, fork.timeline), control.segmentBytes, control.systemId);
  return await firstRecordOn(pages, start);
}

export function failed(reason: string, cause?: unknown): HoldfastError {
  return new HoldfastError('ENGINE_REJOIN_FAILED', `this member's data can not be brought back onto the common history: ${reason}`, {
    hint: 'Its data has to be moved aside and copied anew (holdfast reinit; done by itself where failover is not paused).',
    ...(cause === undefined ? {} : { cause }),
  });
}

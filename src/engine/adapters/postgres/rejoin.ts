import { readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { HoldfastError, messageOf } from '../../../core/errors.ts';
import type { MemberAddress } from '../../engine.ts';
import { parkedControl, parseControlFile, readControlFile, type ControlFile } from './control-file.ts';
import { examineData, isFreshCopy, writeMarker } from './data-directory.ts';
import { asFileError, flushDirectory, writeDurably } from './durable-file.ts';
import { flushTree } from './durable-tree.ts';
import { startFollowing } from './follow.ts';
import type { Member } from './member.ts';
import { queryTimeoutMs } from './sessions.ts';
import { connectUpstream, openUpstreamSession } from './upstream.ts';
import { copyDifferences } from './page-copy.ts';
import { checkPlan, failed, makePlan, readPlan, removePlan, writePlan, type RejoinPlan } from './rejoin-plan.ts';
import { identifySystem } from './replication-connection.ts';
import { rewind } from './rewind.ts';
import { renewSlot } from './slots.ts';
import { SourceFiles } from './source-files.ts';
import { linkTablespaces, tablespaceLinks, versionDirectory } from './tablespaces.ts';

/** Reading it races with its being written over there. */
const controlAttemptsMax = 10;

/**
 * Brings diverged data back onto the upstream's history: with pg_rewind where there is one, else, or when that fails, by copying the
 * pages that differ.
 *
 * Why these pages suffice. Let `redo` be the redo pointer of a checkpoint here before the fork. A page whose LSN is older than that on
 * both sides was the same on both at the fork: here everything older is on disk since that checkpoint, there since the one that begins
 * the backup. Hint bits, which are set without WAL, change nothing of this, since with checksums the first one after a checkpoint is
 * logged and sets the LSN. Pages torn by a crash fail their checksum. All else (other forks, which pages' LSNs do not cover, commit
 * logs, maps) is compared whole. What changes over there meanwhile is replayed from its WAL, as after any base backup.
 */
export async function rejoin(member: Member, upstream: MemberAddress, signal: AbortSignal): Promise<void> {
  // Also a pg_rewind that an earlier agent left behind.
  await member.server.killAll();
  try {
    const begun = await readPlan(member);
    const control = begun === undefined ? await usableControl(member) : await anyControl(member);
    if (begun === undefined) await writePlan(member, await makePlan(member, control, upstream, signal));
    else await checkPlan(member, begun, upstream, signal);
    const plan = (await readPlan(member))!;
    const rewound = begun === undefined && (await rewind(member, plan, upstream, signal));
    if (!rewound) await copyFrom(member, control, plan, upstream, signal);
    await removePlan(member);
  } catch (error) {
    throw reasonOf(error, member, signal);
  }
  await startFollowing(member, upstream, signal);
}

/** Expected failures as they are; what the other server or a file says, as one that only a new copy can help. */
function reasonOf(error: unknown, member: Member, signal: AbortSignal): unknown {
  if (signal.aborted || error instanceof HoldfastError) return error;
  const space = asFileError(error, member.places.data);
  return space === error ? failed(messageOf(error), error) : space;
}

async function usableControl(member: Member): Promise<ControlFile> {
  const found = await examineData(member.places, member.context, member.binaries.version);
  if (found.state === 'foreign') throw found.failure;
  if (found.state === 'absent') throw failed('there is none');
  if (isFreshCopy(member.places.data)) throw failed('it is a copy that was never started');
  if (!found.control.checksums) throw failed('it has no data checksums, by which torn pages are told');
  return found.control;
}

async function anyControl(member: Member): Promise<ControlFile> {
  const { data } = member.places;
  return await readControlFile(data, parkedControl).catch(async (error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return await readControlFile(data);
    throw error;
  });
}

async function copyFrom(
  member: Member,
  control: ControlFile,
  plan: RejoinPlan,
  upstream: MemberAddress,
  signal: AbortSignal,
): Promise<void> {
  const { binaries, context, runtime, places } = member;
  const timeline = await prepareSource(member, upstream, signal);
  await using session = await openUpstreamSession(member, upstream, 'rejoin', { signal });
  const source = new SourceFiles(session, signal);
  await source.beginBackup(binaries.version);
  await linkTablespaces(member, await source.tablespaces());
  await parkControl(member);
  const began = runtime.clock.monotonicMs();
  const result = await copyDifferences({
    data: places.data,
    account: context.account,
    source,
    since: plan.redo,
    databases: plan.databases,
    pageBytes: control.blockBytes,
    tablespaceDirectory: versionDirectory(member, control),
  });
  const newControl = await readSourceControl(source, control);
  const { label, lsn } = await source.endBackup(binaries.version);
  await writeMarker(places.data, context, control.systemId, { timeline, lsn });
  await finish(member, { label, newControl, histories: await source.histories() }, signal);
  const { readBytes, copiedBytes } = result;
  runtime.logger.info('engine.rejoin.copied', {
    service: context.service,
    from: upstream.node,
    readBytes,
    copiedBytes,
    tookMs: Math.round(runtime.clock.monotonicMs() - began),
  });
}

/** Keeps the WAL from the backup's start on; tells the timeline. */
async function prepareSource(member: Member, upstream: MemberAddress, signal: AbortSignal): Promise<number> {
  await using connection = await connectUpstream(member, upstream, 'rejoin', { signal });
  await renewSlot(connection, member.context.node, signal);
  return (await identifySystem(connection, { timeoutMs: queryTimeoutMs, signal })).timeline;
}

async function parkControl(member: Member): Promise<void> {
  const directory = join(member.places.data, 'global');
  await rename(join(directory, 'pg_control'), join(directory, parkedControl)).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw error;
  });
  await flushDirectory(directory);
}

async function readSourceControl(source: SourceFiles, ours: ControlFile): Promise<Buffer> {
  for (let attempt = 1; ; attempt += 1) {
    const [content] = await source.read([{ path: 'global/pg_control', at: 0, sizeBytes: 8192 }]);
    if (content === undefined) throw failed('the control file of the upstream can not be read');
    const parsed = parseControlFile(content);
    if (typeof parsed !== 'string') {
      if (parsed.systemId !== ours.systemId) throw failed(`the upstream has database system ${parsed.systemId}`);
      return content;
    }
    if (attempt === controlAttemptsMax) throw failed(`the control file of the upstream ${parsed}`);
  }
}

/** Everything durable before the control file makes it usable. The WAL of the old history must not be read again. */
async function finish(
  member: Member,
  parts: { label: string; newControl: Buffer; histories: ReadonlyMap<string, Buffer> },
  signal: AbortSignal,
): Promise<void> {
  const { data } = member.places;
  const { account } = member.context;
  const wal = join(data, 'pg_wal');
  for (const entry of await readdir(wal, { withFileTypes: true })) if (entry.isFile()) await rm(join(wal, entry.name));
  for (const [name, content] of parts.histories) await writeDurably(join(wal, name), content, { account });
  await rm(join(data, 'tablespace_map'), { force: true });
  await writeDurably(join(data, 'backup_label'), parts.label, { account });
  for (const root of [...(await tablespaceLinks(data)), '']) await flushTree(member.runtime.processes, join(data, root, '/'), signal);
  await writeDurably(join(data, 'global', 'pg_control'), parts.newControl, { account });
  await rm(join(data, 'global', parkedControl), { force: true });
}

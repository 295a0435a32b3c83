import { mkdir, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { DataCopies, TablespacePlace } from '../../../core/data-copies.ts';
import { HoldfastError } from '../../../core/errors.ts';
import { formatLsn } from '../../../core/lsn.ts';
import type { RecoveryTarget } from '../../../core/recovery-target.ts';
import { divergence, type TimelineHistory } from '../../../core/timeline.ts';
import type { MemberAddress, RestoreSource } from '../../engine.ts';
import { requireVersion } from './binaries.ts';
import { makePrimary, restoringName } from './bootstrap.ts';
import { prepareConfiguration, writeConfiguration } from './configuration.ts';
import { readControlFile } from './control-file.ts';
import { requireAbsent, writeMarker } from './data-directory.ts';
import { asFileError, flushDirectory } from './durable-file.ts';
import { flushTree, give } from './durable-tree.ts';
import { configurationInput, markReplica, type Member } from './member.ts';
import { requireReachable } from './places.ts';
import { recover } from './recover.ts';
import { readUpstreamHistory } from './replication-connection.ts';
import { queryTimeoutMs } from './sessions.ts';
import { renewSlot } from './slots.ts';
import { moveTablespacesAside, partialName, TablespaceCopies } from './tablespaces.ts';
import { hasWal, identifyUpstream } from './upstream-check.ts';
import { connectUpstream } from './upstream.ts';

/** A recovery that an agent left behind when it died is ended, and looked for again, so often. */
const leftoverLooksMax = 100;
const leftoverPollMs = 50;
const segmentsTold = 100;
/** What the parts of tablespaces are called by that are made, as those of other attempts are not. */
const attempt = 'restoring';

/** See `Engine.bootstrap`. */
export async function bootstrapFromCopies(member: Member, { copies, target }: RestoreSource, signal: AbortSignal): Promise<void> {
  await buildFromCopies(member, copies, signal, async (directory) => {
    await recoverCopies(member, copies, { directory, target, become: 'primary' }, signal);
    await makePrimary(member, directory, signal);
  });
}

/** See `Engine.provision`. Whether what the other has continues the copies is found out before anything is written. */
export async function provisionFromCopies(member: Member, from: MemberAddress, copies: DataCopies, signal: AbortSignal): Promise<void> {
  const history = await checkContinued(member, from, copies, signal);
  await buildFromCopies(member, copies, signal, async (directory) => {
    await recoverCopies(member, copies, { directory, target: { kind: 'latest' }, become: 'replica' }, signal);
    await markReplica(member, directory);
    await prepareConfiguration(configurationInput(member), directory);
    const control = await readControlFile(directory);
    // More may have been stored than was seen at first; a server that recovered beyond the fork could not even be started.
    const left = divergence({ timeline: control.minRecoveryTimeline, lsn: control.minRecoveryLsn }, history);
    if (left !== undefined) throw unfit(from, left);
    await writeMarker(directory, member.context, control.systemId);
    await writeConfiguration(configurationInput(member), directory, { kind: 'replica', upstream: from }, control.standbyMinimums);
  });
}

/** Puts data where the next ones are made of copies: these then write what differs only. Tablespaces first: data whose links lead there are still whole. */
export async function leaveForCopies(data: string): Promise<string> {
  const directory = restoringName(data);
  await rm(directory, { recursive: true, force: true });
  await moveTablespacesAside(data, partialName(attempt));
  await rename(data, directory);
  await flushDirectory(dirname(data));
  return directory;
}

/** The WAL that comes after the copies is kept over there from now on. @throws ENGINE_COPIES_UNFIT, ENGINE_FOREIGN_DATA, ENGINE_UPSTREAM_UNREACHABLE */
async function checkContinued(member: Member, from: MemberAddress, copies: DataCopies, signal: AbortSignal): Promise<TimelineHistory> {
  await using connection = await connectUpstream(member, from, 'provision', { signal });
  const system = await identifyUpstream(connection, from, copies.systemId, signal);
  const history = await readUpstreamHistory(connection, system.timeline, { timeoutMs: queryTimeoutMs, signal });
  const reason = divergence(copies.reached, history);
  if (reason !== undefined) throw unfit(from, reason);
  await renewSlot(connection, member.context.node, signal);
  if (await hasWal(connection, copies.reached, signal)) return history;
  const { timeline, lsn } = copies.reached;
  throw unfit(from, `the copies end at ${formatLsn(lsn)} of timeline ${timeline}, and it no longer has the WAL that comes after`);
}

interface RecoveryOrder {
  readonly directory: string;
  readonly target: RecoveryTarget;
  readonly become: 'primary' | 'replica';
}

async function recoverCopies(member: Member, copies: DataCopies, order: RecoveryOrder, signal: AbortSignal): Promise<void> {
  const { context, config, runtime } = member;
  let told = 0;
  const recovered = await recover(order.directory, runtime, {
    ...order,
    bin: config.bin,
    account: context.account,
    timeline: copies.timeline,
    timelineMax: copies.timelineMax,
    fetch: (name) => copies.wal(name, { signal }),
    onProgress: ({ segments }) => {
      if (segments < told + segmentsTold) return;
      told = segments;
      runtime.logger.info('engine.recovery.progress', { service: context.service, segments });
    },
    signal,
  });
  const { lsn, timeline, segments, tookMs } = recovered;
  runtime.logger.info('engine.recovery.finished', {
    service: context.service,
    lsn: formatLsn(lsn),
    timeline,
    segments,
    tookMs: Math.round(tookMs),
  });
}

/**
 * Lets `finish` make a data directory of what the copies' base backup has, under a name that is never taken for data, and renames it into place
 * once all of it is durable. What an earlier attempt left there is used: only what differs is written.
 */
async function buildFromCopies(
  member: Member,
  copies: DataCopies,
  signal: AbortSignal,
  finish: (directory: string) => Promise<void>,
): Promise<void> {
  const { places, context, binaries, runtime } = member;
  const { data } = places;
  await requireAbsent(places, context, binaries.version);
  requireVersion(binaries, copies.version);
  await requireReachable(data, context.account);
  await rm(places.rejoin, { force: true });
  await mkdir(dirname(data), { recursive: true, mode: 0o755 });
  const directory = restoringName(data);
  await endLeftover(member, directory, signal);
  const tablespaces = new TablespaceCopies(member, attempt);
  try {
    await tablespaces.prepare(copies.tablespaces.map(({ location }) => location));
    await mkdir(directory, { recursive: true, mode: 0o700 });
    await give(directory, context.account);
    const tablespaceAt = ({ location }: TablespacePlace): string => tablespaces.unpackInto(location);
    const { writtenBytes, keptBytes } = await copies.restore({ directory, tablespaceAt }, { signal });
    runtime.logger.info('engine.restore.finished', { service: context.service, writtenBytes, keptBytes });
    await finish(directory);
    await tablespaces.relink(directory, copies.tablespaces);
    await flushTree(runtime.processes, directory, signal);
    signal.throwIfAborted();
    await tablespaces.settle(signal);
    // An empty one may be there.
    await rename(directory, data);
    await flushDirectory(dirname(data));
    await tablespaces.finish();
  } catch (error) {
    throw asFileError(error, directory);
  }
}

/** The server of a recovery whose agent is gone: nobody gives it WAL any more. */
async function endLeftover({ runtime }: Member, directory: string, signal: AbortSignal): Promise<void> {
  for (let look = 0; look < leftoverLooksMax; look++) {
    const found = runtime.processes.withWorkingDirectory(directory);
    if (found.length === 0) return;
    for (const identity of found) runtime.processes.kill(identity, 'SIGKILL');
    await runtime.clock.sleep(leftoverPollMs, signal);
  }
}

function unfit(from: MemberAddress, reason: string): HoldfastError {
  return new HoldfastError('ENGINE_COPIES_UNFIT', `the copies are not continued by ${from.node} (${from.host}:${from.port}): ${reason}`, {
    retryable: true,
    hint: 'No data were put in place. The member can be copied from the leader; and see whether copies are still made.',
  });
}

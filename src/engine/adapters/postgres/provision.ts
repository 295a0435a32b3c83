import { HoldfastError, messageOf } from '../../../core/errors.ts';
import type { MemberAddress, Position } from '../../engine.ts';
import { manifestProblem } from './backup-manifest.ts';
import { receiveBackup } from './base-backup.ts';
import { buildData } from './bootstrap.ts';
import { prepareConfiguration, writeConfiguration } from './configuration.ts';
import { readControlFile } from './control-file.ts';
import { readMarker, requireAbsent, writeMarker } from './data-directory.ts';
import { formatLsn } from '../../../core/lsn.ts';
import { configurationInput, markReplica, type Member } from './member.ts';
import { connectUpstream } from './upstream.ts';
import { ServerError, type ReplicationConnection } from './replication-connection.ts';
import { renewSlot } from './slots.ts';
import { relocated, TablespaceCopies } from './tablespaces.ts';
import { endOfWal } from './wal-end.ts';

const progressMs = 5_000;

/** Copies all data of another member; see `Engine.provision`. */
export async function provision(member: Member, from: MemberAddress, signal: AbortSignal): Promise<void> {
  const { places, context, binaries } = member;
  await requireAbsent(places, context, binaries.version);
  await using connection = await connectUpstream(member, from, 'provision', { signal });
  const tablespaces = new TablespaceCopies(member);
  const fill = async (directory: string): Promise<void> => {
    // First, so that the WAL after the copy is kept until this member follows.
    await renewSlot(connection, context.node, signal);
    const end = await copyTo(member, { from, connection, directory, tablespaces }, signal);
    await markReplica(member, directory);
    await prepareConfiguration(configurationInput(member), directory);
    const control = await readControlFile(directory);
    await writeMarker(directory, context, control.systemId, end);
    await writeConfiguration(configurationInput(member), directory, { kind: 'replica', upstream: from }, control.standbyMinimums);
  };
  try {
    await buildData(member, signal, fill, () => tablespaces.settle(signal));
  } catch (error) {
    await tablespaces.discard();
    throw error;
  }
  await tablespaces.finish();
  member.runtime.logger.info('engine.provision.finished', { service: context.service, from: from.node });
}

interface CopyOrder {
  readonly from: MemberAddress;
  readonly connection: ReplicationConnection;
  readonly directory: string;
  readonly tablespaces: TablespaceCopies;
}

async function copyTo(member: Member, { from, connection, directory, tablespaces }: CopyOrder, signal: AbortSignal): Promise<Position> {
  const { context, binaries } = member;
  const backup = await receiveBackup(
    connection,
    binaries.version.major,
    {
      directory,
      account: context.account,
      prepare: (locations) => tablespaces.prepare(locations),
      unpackInto: (location) => tablespaces.unpackInto(location),
      relocated: (location) => relocated(member, location),
      progress: progressOf(member, from),
    },
    signal,
  ).catch((error: unknown) => {
    throw error instanceof ServerError || error instanceof RangeError ? failed(from, messageOf(error), error) : error;
  });
  const problem = manifestProblem(backup.manifest, backup.files);
  if (problem !== undefined) throw failed(from, problem);
  const marker = await readMarker(directory);
  if (marker !== undefined && (marker.cluster !== context.cluster || marker.service !== context.service)) {
    throw new HoldfastError(
      'ENGINE_FOREIGN_DATA',
      `member ${from.node} (${from.host}:${from.port}) serves '${marker.service}' of cluster '${marker.cluster}'`,
      { hint: 'Correct its address in the configuration.' },
    );
  }
  const end = await endOfWal(directory, await readControlFile(directory));
  if (end.lsn < backup.end.lsn) {
    throw failed(from, `its WAL ends at ${formatLsn(end.lsn)}, before the end of the backup at ${formatLsn(backup.end.lsn)}`);
  }
  return end;
}

function progressOf(member: Member, from: MemberAddress): (receivedBytes: number, totalBytes: number) => void {
  const { clock, logger } = member.runtime;
  let told = clock.monotonicMs();
  return (receivedBytes, totalBytes) => {
    if (clock.monotonicMs() - told < progressMs) return;
    told = clock.monotonicMs();
    logger.info('engine.provision.progress', { service: member.context.service, from: from.node, receivedBytes, totalBytes });
  };
}

function failed(from: MemberAddress, reason: string, cause?: unknown): HoldfastError {
  return new HoldfastError('ENGINE_PROVISION_FAILED', `the copy from ${from.node} (${from.host}:${from.port}) failed: ${reason}`, {
    retryable: true,
    hint: 'What had come was removed; it is tried again. Look at the log of the server there if it goes on.',
    ...(cause === undefined ? {} : { cause }),
  });
}

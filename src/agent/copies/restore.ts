import {
  findBases,
  planRecovery,
  restoreFiles,
  WalFiles,
  type BaseChoice,
  type RecoveryPlan,
  type RecoveryTarget,
} from '../../backup/index.ts';
import type { HoldfastConfig } from '../../config/schema.ts';
import { HoldfastError } from '../../core/errors.ts';
import type { Recovered } from '../../core/recovery-target.ts';
import type { MachineRuntime } from '../../core/runtime.ts';
import { recoverData } from '../../engine/registry.ts';
import { serviceAccount } from '../account.ts';
import { openCopies } from './open-copies.ts';

export interface RestoreOrder {
  readonly service: string;
  readonly target: RecoveryTarget;
  readonly timeline?: number;
  /** Of several databases that had this name. */
  readonly systemId?: string;
  /** Where the data directory is made. */
  readonly directory: string;
  /** Another location than the one that the service's copies are made to, such as a part of it that is left. */
  readonly from?: string;
  /** Goes over what is in the directory: only blocks that differ are written. */
  readonly overwrite: boolean;
  readonly onStep?: (step: RestoreStep) => void;
  readonly signal: AbortSignal;
}

export type RestoreStep =
  | { readonly step: 'planned'; readonly plan: RecoveryPlan }
  | { readonly step: 'restoring'; readonly writtenBytes: number; readonly totalBytes: number }
  | { readonly step: 'recovering'; readonly segments: number; readonly lsn: bigint | undefined };

/** What was restored, and how long it took: recovery time and point as they were achieved. */
export interface Restored {
  readonly directory: string;
  readonly base: BaseChoice;
  readonly recovered: Recovered;
  readonly files: number;
  readonly writtenBytes: number;
  readonly keptBytes: number;
  /** Files that were read back and were as stored. */
  readonly verifiedFiles: number;
  readonly rtaMs: number;
}

/**
 * Brings a PostgreSQL service's data to a point in time, from its copies alone: base backup, verified, then WAL. Needs no agent, no coordination
 * store and no other node. Says before it writes whether the point can be reached.
 * @throws BACKUP_…, STORAGE_…, ENGINE_…
 */
export async function restoreService(config: HoldfastConfig, runtime: MachineRuntime, order: RestoreOrder): Promise<Restored> {
  const { service, signal } = order;
  const beganMs = runtime.clock.monotonicMs();
  const settings = config.services[service];
  const from = order.from ?? settings?.backup?.to;
  if (from === undefined) {
    throw new HoldfastError(
      'BACKUP_NO_BASE',
      settings === undefined ? `there is no service '${service}'` : `${service} has no backup in this configuration`,
      {
        hint: `There are: ${Object.keys(config.services).join(', ') || 'none'}. Name the location of the copies, or give the service a backup.`,
      },
    );
  }
  await using copies = await openCopies(config, from, runtime, { create: false, signal });
  const { repository } = copies;
  const bases = await findBases(repository, { service, ...(order.systemId === undefined ? {} : { systemId: order.systemId }), signal });
  const { systemId, segmentBytes } = bases[0]!.facts;
  const wal = await WalFiles.open({ repository, service, systemId, segmentBytes }, { signal });
  const plan = await planRecovery(bases, wal, {
    service,
    target: order.target,
    ...(order.timeline === undefined ? {} : { timeline: order.timeline }),
    signal,
  });
  order.onStep?.({ step: 'planned', plan });
  const snapshot = await repository.snapshot(plan.base.snapshotId, { signal });
  const restored = await restoreFiles(repository, snapshot, {
    target: order.directory,
    overwrite: order.overwrite,
    removeOthers: order.overwrite,
    verify: true,
    onProgress: ({ writtenBytes, totalBytes }) => order.onStep?.({ step: 'restoring', writtenBytes, totalBytes }),
    signal,
  });
  if (restored.issueCount > 0) {
    throw new HoldfastError(
      'BACKUP_RESTORE_INCOMPLETE',
      `${restored.issueCount} files could not be restored: ${restored.issues[0]?.message ?? ''}`,
      {
        hint: 'What was restored stays; the same command goes on. `holdfast check --read-data` tells whether the copies are damaged.',
      },
    );
  }
  const account = await serviceAccount(undefined, settings?.postgres?.bin !== undefined);
  const recovered = await recoverData(order.directory, runtime, {
    bin: settings?.postgres?.bin,
    account,
    target: order.target,
    timeline: plan.timeline,
    fetch: (name) => wal.file(name, { signal }),
    onProgress: (progress) => order.onStep?.({ step: 'recovering', ...progress }),
    signal,
  });
  return {
    directory: order.directory,
    base: plan.base,
    recovered,
    files: restored.files,
    writtenBytes: restored.writtenBytes,
    keptBytes: restored.keptBytes,
    verifiedFiles: restored.verifiedFiles ?? 0,
    rtaMs: Math.round(runtime.clock.monotonicMs() - beganMs),
  };
}

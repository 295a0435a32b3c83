import type { BaseChoice, RecoveryPlan } from '../../backup/index.ts';
import type { CopiesConfig } from '../../config/schema.ts';
import type { RestoredBase, TablespacePlace } from '../../core/data-copies.ts';
import { HoldfastError } from '../../core/errors.ts';
import type { Recovered } from '../../core/recovery-target.ts';
import type { MachineRuntime } from '../../core/runtime.ts';
import { checkRecovery, recoverData } from '../../engine/registry.ts';
import { serviceAccount } from '../account.ts';
import { openDataCopies, type CopiesOrder } from './data-copies.ts';

export interface RestoreOrder extends CopiesOrder {
  /** Where the data directory is made. */
  readonly directory: string;
  /** Directory of the PostgreSQL programs; those of the service's configuration when left out. */
  readonly bin?: string;
  /** Where tablespaces are to be that are not to lie where they did, by name, number or old place. */
  readonly tablespaces?: ReadonlyMap<string, string>;
  /** Goes over what is in the directory: only blocks that differ are written. */
  readonly overwrite: boolean;
  readonly onStep?: (step: RestoreStep) => void;
}

export type RestoreStep =
  | { readonly step: 'planned'; readonly plan: RecoveryPlan }
  | { readonly step: 'restoring'; readonly writtenBytes: number; readonly totalBytes: number }
  | { readonly step: 'recovering'; readonly segments: number; readonly lsn: bigint | undefined };

/** What was restored, and how long it took: recovery time and point as they were achieved. */
export interface Restored extends RestoredBase {
  readonly directory: string;
  readonly base: BaseChoice;
  readonly recovered: Recovered;
  readonly rtaMs: number;
}

/**
 * Brings a PostgreSQL service's data to a point in time, from its copies alone: base backup, verified, then WAL. Needs no agent, no coordination
 * store and no other node. Says before it writes whether the point can be reached.
 * @throws BACKUP_…, STORAGE_…, ENGINE_…
 */
export async function restoreService(config: CopiesConfig, runtime: MachineRuntime, order: RestoreOrder): Promise<Restored> {
  const { signal } = order;
  const beganMs = runtime.clock.monotonicMs();
  const settings = config.services[order.service];
  await using copies = await openDataCopies(config, runtime, order);
  const { plan } = copies;
  order.onStep?.({ step: 'planned', plan });
  const tablespaceAt = placesOf(copies.tablespaces, order.tablespaces ?? new Map());
  const bin = order.bin ?? settings?.postgres?.bin;
  const account = await serviceAccount(undefined, bin !== undefined);
  await checkRecovery(order.directory, runtime, { bin, account, version: copies.version });
  const restored = await copies.restore(
    { directory: order.directory, tablespaceAt },
    {
      overwrite: order.overwrite,
      onProgress: ({ writtenBytes, totalBytes }) => order.onStep?.({ step: 'restoring', writtenBytes, totalBytes }),
      signal,
    },
  );
  const recovered = await recoverData(order.directory, runtime, {
    bin,
    account,
    target: order.target,
    timeline: plan.timeline,
    timelineMax: copies.timelineMax,
    fetch: (name) => copies.wal(name, { signal }),
    onProgress: (progress) => order.onStep?.({ step: 'recovering', ...progress }),
    signal,
  });
  return {
    directory: order.directory,
    base: plan.base,
    recovered,
    ...restored,
    rtaMs: Math.round(runtime.clock.monotonicMs() - beganMs),
  };
}

/** @throws BACKUP_TABLESPACE_REFUSED when a tablespace is named that the database has not */
function placesOf(tablespaces: readonly TablespacePlace[], wished: ReadonlyMap<string, string>): (tablespace: TablespacePlace) => string {
  const namesOf = ({ name, oid, location }: TablespacePlace): string[] => [name, oid, location];
  const unknown = [...wished.keys()].find((wish) => !tablespaces.some((one) => namesOf(one).includes(wish)));
  if (unknown !== undefined) {
    throw new HoldfastError('BACKUP_TABLESPACE_REFUSED', `the database has no tablespace '${unknown}'`, {
      hint: `It has: ${tablespaces.map(({ name, location }) => `${name} (${location})`).join(', ') || 'none outside of its data directory'}. Nothing was written.`,
    });
  }
  return (tablespace) => {
    const wish = namesOf(tablespace).find((name) => wished.has(name));
    return wish === undefined ? tablespace.location : wished.get(wish)!;
  };
}

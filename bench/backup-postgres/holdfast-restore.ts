import { findBases } from '../../src/backup/postgres/plan.ts';
import { restoreBase } from '../../src/backup/postgres/restore-base.ts';
import type { Repository } from '../../src/backup/repository.ts';
import { benchService, type HoldfastFigures, type HoldfastOrder } from './order.ts';

const { signal } = new AbortController();

/** As `holdfast restore` does: over what is there, and read back. */
export async function perform(repository: Repository, order: HoldfastOrder): Promise<HoldfastFigures> {
  if (order.work !== 'restore') throw new TypeError(`${order.work} is no restore`);
  const { snapshotId } = (await findBases(repository, { service: benchService, signal })).at(-1)!;
  const snapshot = await repository.snapshot(snapshotId, { signal });
  const { writtenBytes } = await restoreBase(repository, snapshot, { directory: order.target, overwrite: true, signal });
  return { readBytes: 0, storedBytes: 0, writtenBytes };
}

import { mapAtOnce } from '../gate.ts';
import type { BlobId, Repository, StoredFile } from '../repository.ts';
import { decidePrune, type PruneFigures, type PruneLimits, type PrunePlan } from './decide.ts';
import { collectUsed } from './used.ts';

export interface PruneOptions {
  readonly limits?: PruneLimits;
  /** Only tells what would be done. */
  readonly dryRun?: boolean;
  readonly onProgress?: (progress: PruneProgress) => void;
  readonly signal: AbortSignal;
}

export interface PruneProgress {
  readonly repackedPacks: number;
  readonly packsToRepack: number;
}

const packsRepackedAtOnceMax = 2;

/**
 * Removes what no snapshot needs. Under the exclusive lock, so that nobody adds meanwhile what it would not know of. New packs come first, then
 * a new index, then the old index goes, then the old packs: cut off anywhere, nothing that is needed is missing, and the next prune removes
 * what was left.
 * @throws BACKUP_LOCKED, BACKUP_INDEX_INCOMPLETE, BACKUP_DAMAGED (then nothing was removed)
 */
export async function prune(repository: Repository, options: PruneOptions): Promise<PruneFigures> {
  const { signal } = options;
  if (options.dryRun === true) {
    await using lock = await repository.lock({ signal });
    await repository.refresh({ signal });
    return (await planPrune(repository, options.limits, lock.signal)).figures;
  }
  await using maintenance = await repository.maintain({ signal });
  const plan = await planPrune(repository, options.limits, maintenance.signal);
  if (plan.unindexed.size > 0) await maintenance.removePacks(plan.unindexed);
  let repackedPacks = 0;
  await mapAtOnce([...plan.repack], packsRepackedAtOnceMax, async ([packId, blobs]) => {
    maintenance.signal.throwIfAborted();
    await maintenance.repack(packId, blobs);
    repackedPacks += 1;
    options.onProgress?.({ repackedPacks, packsToRepack: plan.repack.size });
  });
  const gone = new Set([...plan.remove, ...plan.repack.keys(), ...plan.lost]);
  if (gone.size > 0) await maintenance.removePacks(gone);
  return plan.figures;
}

async function planPrune(repository: Repository, limits: PruneLimits | undefined, signal: AbortSignal): Promise<PrunePlan> {
  const trees = new Set<BlobId>();
  for await (const snapshot of repository.snapshots({ signal })) trees.add(snapshot.tree);
  const used = await collectUsed(repository, trees, { signal });
  const packs: StoredFile[] = [];
  for await (const pack of repository.files('data', { signal })) packs.push(pack);
  return decidePrune({ blobs: () => repository.blobs(), used, packs }, limits);
}

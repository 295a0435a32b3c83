import { linked } from '../../core/deadline.ts';
import { hasCode, messageOf } from '../../core/errors.ts';
import type { CallOptions } from '../../storage/index.ts';
import { loadDocument } from '../documents/files.ts';
import type { OpenedRepository } from '../open/opened-repository.ts';
import { loadAhead } from '../load-ahead.ts';
import type { Snapshot, StoredFile } from '../repository.ts';
import { snapshotOf } from '../snapshot/snapshot.ts';
import { noteLosses } from './losses.ts';
import { checkPacks } from './packs.ts';
import { checkHeaders } from './read-headers.ts';
import { type DataRead, readPacks } from './read-data.ts';
import { type CheckReport, Damages } from './report.ts';
import { chooserOf, type DataSubset } from './subset.ts';
import { Verdicts } from './verdicts.ts';
import { walkTrees } from './walk.ts';

export interface CheckOptions extends CallOptions {
  /** Which packs are read whole; none when it is left out. */
  readonly readData?: DataSubset;
  /** Whether each pack's own header is compared with the index: a short read for each. Reading the data includes it. */
  readonly readHeaders?: boolean;
  /** Told of each pack that was read. */
  readonly onRead?: (sizeBytes: number) => void;
}

/**
 * Looks whether everything that snapshots need is there: packs with the sizes that the index tells, directories and blobs of all snapshots,
 * and on demand every byte. Nothing is changed but for the repository's shared lock, under which nobody removes what is looked at. Open
 * the repository with `skipsDamagedIndexes`, so that damaged ones are reported. @throws BACKUP_LOCKED
 */
export async function checkRepository(repository: OpenedRepository, options: CheckOptions): Promise<CheckReport> {
  await using lock = await repository.lock(options);
  using link = linked(options.signal, lock.signal);
  const { signal } = link;
  const { files, index, pool, runtime } = repository.parts;
  const damages = new Damages();
  // Snapshots before the index: what they name was indexed before they were written.
  const snapshots = await readSnapshots(repository, damages, { signal });
  await repository.refresh({ signal });
  for (const [id, problem] of index.damaged) damages.add('index', id, problem);

  const verdicts = new Verdicts(index.table);
  const packs = await checkPacks(files.location, verdicts, damages, { signal });
  if (options.readHeaders === true) await checkHeaders(files, verdicts, damages, packs.sizes, { signal });
  let read: DataRead = { packsRead: 0, bytesRead: 0 };
  if (options.readData !== undefined) {
    const chosen = chooserOf(options.readData, packs.bytes, runtime.random);
    const onRead = options.onRead ?? ((): void => undefined);
    read = await readPacks({ location: files.location, pool, verdicts, damages, sizes: packs.sizes, chosen, onRead }, { signal });
  }
  const parts = { repository, verdicts, damages };
  const { trees, isWhole } = await walkTrees(parts, snapshots, { signal });
  if (!isWhole) await noteLosses(parts, snapshots, { signal });
  return {
    ok: damages.isEmpty,
    ...damages.list(),
    snapshots: snapshots.length,
    trees,
    blobs: verdicts.table.size,
    ...unused(verdicts),
    packs: verdicts.table.packCount,
    packBytes: packs.bytes,
    strayPacks: packs.strays,
    ...read,
  };
}

async function readSnapshots(repository: OpenedRepository, damages: Damages, options: CallOptions): Promise<Snapshot[]> {
  const { files } = repository.parts;
  const load = async ({ id }: StoredFile): Promise<Snapshot | undefined> => {
    try {
      return snapshotOf(id, await loadDocument(files, 'snapshot', id, options));
    } catch (error) {
      if (hasCode(error, 'STORAGE_NOT_FOUND')) return undefined;
      if (!hasCode(error, 'BACKUP_DAMAGED') && !hasCode(error, 'STORAGE_DAMAGED')) throw error;
      damages.add('snapshot', id, messageOf(error));
      damages.addLoss('snapshot', id, id, '/');
      return undefined;
    }
  };
  const loaded = await Array.fromAsync(loadAhead(repository.files('snapshot', options), load));
  return loaded.filter((snapshot) => snapshot !== undefined);
}

function unused(verdicts: Verdicts): { readonly unusedBlobs: number; readonly unusedBytes: number } {
  let unusedBlobs = 0;
  let unusedBytes = 0;
  for (let ordinal = 0; ordinal < verdicts.size; ordinal += 1) {
    if (verdicts.isUsed(ordinal)) continue;
    unusedBlobs += 1;
    unusedBytes += verdicts.table.place(ordinal).sizeBytes;
  }
  return { unusedBlobs, unusedBytes };
}

import { linked } from '../../core/deadline.ts';
import { hasCode, messageOf } from '../../core/errors.ts';
import type { CallOptions } from '../../storage/index.ts';
import type { RepositoryFiles } from '../documents/files.ts';
import { BlobTable } from '../index/blob-table.ts';
import type { OpenedRepository } from '../open/opened-repository.ts';
import { headerBytes, type PackEntry, PackHeaderError } from '../pack/header.ts';
import { readHeader } from '../pack/read-header.ts';
import type { FileId, StoredFile } from '../repository.ts';
import { inParallel } from '../workers/in-parallel.ts';

/** Headers that are read at once. */
const readsMax = 8;

export interface IndexRepair {
  /** Index files that could not be read; others say again what they said, as far as packs have it. */
  readonly damagedIndexes: number;
  /** Packs that were asked for their own header: the index did not know them, or another size. */
  readonly packsRead: number;
  /** Packs that the index named and that are not there. */
  readonly packsGone: number;
  /** Packs that can not be read, with the reason: the index no longer names them. */
  readonly packsUnreadable: ReadonlyMap<FileId, string>;
  /** Whether there was anything to write. */
  readonly changed: boolean;
}

/**
 * Makes the index anew of what packs there are, under the exclusive lock. Open the repository with `skipsDamagedIndexes`.
 * @param options with `readAll`, no index is believed: every pack is asked
 * @throws BACKUP_LOCKED
 */
export async function repairIndex(
  repository: OpenedRepository,
  options: CallOptions & { readonly readAll?: boolean },
): Promise<IndexRepair> {
  await using lock = await repository.lock({ signal: options.signal, exclusive: true });
  using link = linked(options.signal, lock.signal);
  const { signal } = link;
  const { files, index } = repository.parts;
  await index.refresh({ signal });
  const damagedIndexes = index.damaged.size;
  const indexed = indexedPacks(options.readAll === true ? new BlobTable() : index.table);

  const table = new BlobTable();
  const unknown: StoredFile[] = [];
  let kept = 0;
  for await (const file of repository.files('data', { signal })) {
    const known = indexed(file);
    if (known === undefined) unknown.push(file);
    else {
      kept += 1;
      for (const entry of known) table.add(file.id, entry);
    }
  }
  const packsUnreadable = await readHeaders(files, unknown, table, signal);
  const packsGone = Math.max(0, index.table.packCount - kept - unknown.filter(({ id }) => index.table.hasPack(id)).length);
  const changed = damagedIndexes > 0 || unknown.length > 0 || packsGone > 0;
  await lock.confirm();
  if (changed) await index.replace(table, { signal });
  return { damagedIndexes, packsRead: unknown.length, packsGone, packsUnreadable, changed };
}

/** Finds the entries of packs whose size is as the index says. */
function indexedPacks(table: BlobTable): (file: StoredFile) => readonly PackEntry[] | undefined {
  const entriesOf = table.byPack();
  return ({ id, sizeBytes }) => {
    const entries = entriesOf(id);
    const expected = entries.reduce((sum, entry) => sum + entry.sizeBytes, headerBytes(entries));
    return entries.length > 0 && expected === sizeBytes ? entries : undefined;
  };
}

/** Adds what the headers of packs say. Resolves with those that can not be read. */
async function readHeaders(
  files: RepositoryFiles,
  packs: readonly StoredFile[],
  table: BlobTable,
  signal: AbortSignal,
): Promise<Map<FileId, string>> {
  const unreadable = new Map<FileId, string>();
  await inParallel(packs, readsMax, async (file) => {
    try {
      for (const entry of await readHeader(files, file, { signal })) table.add(file.id, entry);
    } catch (error) {
      if (!(error instanceof PackHeaderError) && !hasCode(error, 'STORAGE_DAMAGED') && !hasCode(error, 'STORAGE_NOT_FOUND')) throw error;
      unreadable.set(file.id, messageOf(error));
    }
  });
  return unreadable;
}

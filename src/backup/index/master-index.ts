import { hasCode } from '../../core/errors.ts';
import type { CallOptions } from '../../storage/index.ts';
import { owned } from '../documents/bytes.ts';
import { listFiles, type RepositoryFiles, saveDocument } from '../documents/files.ts';
import { objectKey } from '../documents/ids.ts';
import type { BlobId, BlobType, FileId } from '../repository.ts';
import { inParallel } from '../workers/in-parallel.ts';
import type { WorkerPool } from '../workers/pool.ts';
import { BlobTable } from './blob-table.ts';
import { type FlatIndex, flattenIndex } from './flat-index.ts';
import { encodeIndexes, type IndexedPack } from './index-file.ts';

/** Index files that are read at once: each takes some 50 MiB while it is decoded. */
const readsMax = 3;
const removesMax = 4;

/** All index files of a repository, as one table. */
export class MasterIndex {
  readonly #files: RepositoryFiles;
  readonly #pool: WorkerPool;
  #table = new BlobTable();
  #known = new Set<FileId>();
  /** Index files that can not be read, and why. */
  readonly #damaged = new Map<FileId, string>();
  readonly #skipsDamaged: boolean;
  #losses = 0;
  /** Changes of the table take turns. */
  #turn: Promise<unknown> = Promise.resolve();

  /** @param skipsDamaged go on without index files that can not be read, for whoever is to find out or to repair */
  constructor(files: RepositoryFiles, pool: WorkerPool, skipsDamaged = false) {
    this.#skipsDamaged = skipsDamaged;
    this.#files = files;
    this.#pool = pool;
  }

  /** To be asked for anew after each await. */
  get table(): BlobTable {
    return this.#table;
  }

  /** The index files that it was read from. */
  get fileIds(): ReadonlySet<FileId> {
    return this.#known;
  }

  /** How often files that it was read from had gone, and with them what only they named. */
  get losses(): number {
    return this.#losses;
  }

  /** Index files that were skipped, and why. */
  get damaged(): ReadonlyMap<FileId, string> {
    return this.#damaged;
  }

  has(type: BlobType, id: BlobId): boolean {
    return this.#table.has(type, id);
  }

  /** Reads index files that it does not know; begins anew when known ones are gone. @throws BACKUP_DAMAGED */
  async refresh(options: CallOptions): Promise<void> {
    await this.#exclusively(() => this.#refresh(options));
  }

  async #refresh({ signal }: CallOptions): Promise<void> {
    const ids = new Set<FileId>();
    for await (const { id } of listFiles(this.#files.location, 'index', { signal })) ids.add(id);
    const isGone = [...this.#known].some((id) => !ids.has(id));
    if (isGone) this.#losses += 1;
    const table = isGone ? new BlobTable() : this.#table;
    const known = isGone ? new Set<FileId>() : this.#known;
    const wanted = [...ids].filter((id) => !known.has(id) && !this.#damaged.has(id));
    await inParallel(wanted, readsMax, async (id) => {
      const flat = await this.#read(id, signal);
      if (flat === undefined) return;
      table.addAll(flat);
      known.add(id);
    });
    this.#table = table;
    this.#known = known;
  }

  async #read(id: FileId, signal: AbortSignal): Promise<FlatIndex | undefined> {
    try {
      const stored = await this.#files.location.get(objectKey('index', id), { signal });
      return await this.#pool.run('index', { id, stored: owned(stored) });
    } catch (error) {
      // Taken together with others by somebody who prunes, since it was listed: what is in their place is found by the next refresh.
      if (hasCode(error, 'STORAGE_NOT_FOUND')) return undefined;
      if (!this.#skipsDamaged || !(hasCode(error, 'BACKUP_DAMAGED') || hasCode(error, 'STORAGE_DAMAGED'))) throw error;
      this.#damaged.set(id, error.message);
      return undefined;
    }
  }

  /** Stores index files for new packs; they are in the table once that is durable. */
  async add(packs: readonly IndexedPack[], options: CallOptions): Promise<void> {
    await this.#exclusively(async () => {
      for (const json of encodeIndexes(packs)) this.#known.add(await saveDocument(this.#files, 'index', json, options));
      this.#table.addAll(flattenIndex(packs));
    });
  }

  /**
   * Stores index files for all of `table`, which takes the place of what was read, and removes all others. Cut off, there are more index
   * files than needed, and none lacks anything.
   */
  async replace(table: BlobTable, options: CallOptions): Promise<void> {
    await this.#exclusively(async () => {
      const written = new Set<FileId>();
      for (const json of encodeIndexes(table.packs())) written.add(await saveDocument(this.#files, 'index', json, options));
      const former = [...this.#known, ...this.#damaged.keys()].filter((id) => !written.has(id));
      await inParallel(former, removesMax, (id) => this.#files.location.remove(objectKey('index', id), options));
      this.#losses += 1;
      this.#table = table;
      this.#known = written;
      this.#damaged.clear();
    });
  }

  async #exclusively<Result>(change: () => Promise<Result>): Promise<Result> {
    const mine = this.#turn.then(change);
    this.#turn = mine.catch(() => undefined);
    return await mine;
  }
}

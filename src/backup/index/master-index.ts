import type { CallOptions } from '../../storage/index.ts';
import { owned } from '../documents/bytes.ts';
import { listFiles, type RepositoryFiles, saveDocument } from '../documents/files.ts';
import { objectKey } from '../documents/ids.ts';
import type { BlobId, BlobType, FileId } from '../repository.ts';
import type { WorkerPool } from '../workers/pool.ts';
import { BlobTable } from './blob-table.ts';
import { encodeIndexes, type IndexedPack } from './index-file.ts';

/** Index files that are read at once: each takes some 50 MiB while it is decoded. */
const readsMax = 2;

/** All index files of a repository, as one table. */
export class MasterIndex {
  readonly #files: RepositoryFiles;
  readonly #pool: WorkerPool;
  #table = new BlobTable();
  #known = new Set<FileId>();
  /** Changes of the table take turns. */
  #turn: Promise<unknown> = Promise.resolve();

  constructor(files: RepositoryFiles, pool: WorkerPool) {
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
    const table = isGone ? new BlobTable() : this.#table;
    const known = isGone ? new Set<FileId>() : this.#known;
    const wanted = [...ids].filter((id) => !known.has(id)).values();
    const read = async (): Promise<void> => {
      for (const id of wanted) {
        for (const { packId, entries } of await this.#read(id, signal)) for (const entry of entries) table.add(packId, entry);
        known.add(id);
      }
    };
    await Promise.all(Array.from({ length: readsMax }, read));
    this.#table = table;
    this.#known = known;
  }

  async #read(id: FileId, signal: AbortSignal): Promise<readonly IndexedPack[]> {
    const stored = await this.#files.location.get(objectKey('index', id), { signal });
    const { packs } = await this.#pool.run('index', { id, stored: owned(stored) });
    return packs;
  }

  /** Stores index files for new packs; they are in the table once that is durable. */
  async add(packs: readonly IndexedPack[], options: CallOptions): Promise<void> {
    await this.#exclusively(async () => {
      for (const json of encodeIndexes(packs)) this.#known.add(await saveDocument(this.#files, 'index', json, options));
      for (const { packId, entries } of packs) for (const entry of entries) this.#table.add(packId, entry);
    });
  }

  /**
   * Stores index files for `packs` and removes all those that were read before. Cut off, there are more index files than needed, and none
   * lacks anything.
   */
  async replace(packs: () => Iterable<IndexedPack>, options: CallOptions): Promise<void> {
    await this.#exclusively(async () => {
      const written = new Set<FileId>();
      for (const json of encodeIndexes(packs())) written.add(await saveDocument(this.#files, 'index', json, options));
      for (const id of this.#known) if (!written.has(id)) await this.#files.location.remove(objectKey('index', id), options);
      const table = new BlobTable();
      for (const { packId, entries } of packs()) for (const entry of entries) table.add(packId, entry);
      this.#table = table;
      this.#known = written;
    });
  }

  async #exclusively<Result>(change: () => Promise<Result>): Promise<Result> {
    const mine = this.#turn.then(change);
    this.#turn = mine.catch(() => undefined);
    return await mine;
  }
}

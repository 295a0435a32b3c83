import type { CallOptions } from '../../storage/index.ts';
import { damaged } from '../documents/damaged.ts';
import { removeFile, type RepositoryFiles } from '../documents/files.ts';
import { objectKey } from '../documents/ids.ts';
import { BlobTable } from '../index/blob-table.ts';
import type { MasterIndex } from '../index/master-index.ts';
import type { FileId, FileKind, HeldLock, IndexedBlob, RepositoryMaintenance, Snapshot } from '../repository.ts';
import type { WorkerPool } from '../workers/pool.ts';
import type { BlobStore } from './blob-store.ts';
import { storeSnapshot } from './writer.ts';

/** Files that are removed at once. */
const removesMax = 4;

export interface MaintenanceParts {
  readonly files: RepositoryFiles;
  readonly index: MasterIndex;
  readonly pool: WorkerPool;
}

/** Removes from a repository under its exclusive lock. */
export class Maintenance implements RepositoryMaintenance {
  readonly #parts: MaintenanceParts;
  readonly #lock: HeldLock;
  readonly #store: BlobStore;
  readonly #end: () => Promise<void>;

  constructor(parts: MaintenanceParts, lock: HeldLock, store: BlobStore, end: () => Promise<void>) {
    this.#parts = parts;
    this.#lock = lock;
    this.#store = store;
    this.#end = end;
  }

  get signal(): AbortSignal {
    return this.#store.signal;
  }

  async repack(packId: FileId, blobs: readonly IndexedBlob[]): Promise<void> {
    if (blobs.length === 0) return;
    const first = Math.min(...blobs.map(({ place }) => place.offset));
    const end = Math.max(...blobs.map(({ place }) => place.offset + place.sizeBytes));
    const range = { offset: first, sizeBytes: end - first };
    const pack = await this.#parts.files.location.get(objectKey('data', packId), { signal: this.signal, range });
    for (const blob of blobs) {
      if (blob.place.packId !== packId) throw new RangeError(`blob ${blob.id} is not said to be in pack ${packId}`);
      const from = blob.place.offset - first;
      const stored = pack.subarray(from, from + blob.place.sizeBytes);
      await this.#verify(blob, stored);
      await this.#store.saveStored(blob, new Uint8Array(stored));
    }
  }

  /** What is not right must not be given a new home in which nobody looks for damage. */
  async #verify({ type, id, place }: IndexedBlob, stored: Uint8Array): Promise<void> {
    const { plainSizeBytes, compressed, packId } = place;
    const { data } = await this.#parts.pool.run('open', { stored: new Uint8Array(stored), id, plainSizeBytes, compressed });
    if (data === undefined) throw damaged(`${type} blob ${id} in pack ${packId}`, 'does not match its checksum');
  }

  async removePacks(packIds: ReadonlySet<FileId>): Promise<void> {
    await this.#store.flush();
    await this.#lock.confirm();
    const { index } = this.#parts;
    const { table } = index;
    if ([...packIds].some((id) => table.hasPack(id))) await index.replace(without(table, packIds), this);
    await this.#removeAll('data', packIds);
  }

  async removeSnapshots(ids: Iterable<FileId>): Promise<void> {
    await this.#removeAll('snapshot', ids);
  }

  async saveSnapshot(document: Readonly<Record<string, unknown>>): Promise<Snapshot> {
    await this.#store.flush();
    await this.#lock.confirm();
    return await storeSnapshot(this.#parts.files, document, (id) => this.#parts.index.has('tree', id), this.signal);
  }

  async #removeAll(kind: FileKind, ids: Iterable<FileId>): Promise<void> {
    await this.#lock.confirm();
    const left = new Set(ids).values();
    const options: CallOptions = { signal: this.signal };
    const remove = async (): Promise<void> => {
      for (const id of left) await removeFile(this.#parts.files, kind, id, options);
    };
    await Promise.all(Array.from({ length: removesMax }, remove));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#end();
  }
}

function without(table: BlobTable, packIds: ReadonlySet<FileId>): BlobTable {
  const kept = new BlobTable();
  for (const { packId, entries } of table.packs()) if (!packIds.has(packId)) for (const entry of entries) kept.add(packId, entry);
  return kept;
}

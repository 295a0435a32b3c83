import { hasCode } from '../../core/errors.ts';
import type { ByteRange, CallOptions } from '../../storage/index.ts';
import { damaged } from '../documents/damaged.ts';
import { removeFile, type RepositoryFiles } from '../documents/files.ts';
import { objectKey } from '../documents/ids.ts';
import { BlobTable } from '../index/blob-table.ts';
import type { MasterIndex } from '../index/master-index.ts';
import type { FileId, FileKind, HeldLock, IndexedBlob, RepositoryMaintenance, Snapshot } from '../repository.ts';
import { inParallel } from '../workers/in-parallel.ts';
import type { WorkerPool } from '../workers/pool.ts';
import type { BlobStore } from './blob-store.ts';
import { loadPlaced } from './load-placed.ts';
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
    const first = blobs.reduce((least, { place }) => Math.min(least, place.offset), Infinity);
    const end = blobs.reduce((most, { place }) => Math.max(most, place.offset + place.sizeBytes), 0);
    const pack = await this.#partOf(packId, { offset: first, sizeBytes: end - first });
    for (const blob of blobs) {
      if (blob.place.packId !== packId) throw new RangeError(`blob ${blob.id} is not said to be in pack ${packId}`);
      const from = blob.place.offset - first;
      const stored = pack?.slice(from, from + blob.place.sizeBytes);
      await this.#store.saveStored(blob, stored && (await this.#isWhole(blob, stored)) ? stored : await this.#loadOther(blob));
    }
  }

  /** Undefined when the pack is shorter than it should be. */
  async #partOf(packId: FileId, range: ByteRange): Promise<Uint8Array | undefined> {
    try {
      return await this.#parts.files.location.get(objectKey('data', packId), { signal: this.signal, range });
    } catch (error) {
      if (hasCode(error, 'STORAGE_DAMAGED')) return undefined;
      throw error;
    }
  }

  async #isWhole({ id, place: { plainSizeBytes, compressed } }: IndexedBlob, stored: Uint8Array): Promise<boolean> {
    const { data } = await this.#parts.pool.run('open', { stored: new Uint8Array(stored), id, plainSizeBytes, compressed });
    return data !== undefined;
  }

  /** What is not right must not be given a new home in which nobody looks for damage: another copy of the pack has it, or it stays. */
  async #loadOther({ type, id, place }: IndexedBlob): Promise<Uint8Array> {
    const found = await loadPlaced(this.#parts, id, place, { signal: this.signal, keepStored: true });
    if (found?.stored === undefined) throw damaged(`${type} blob ${id} in pack ${place.packId}`, 'does not match its checksum');
    return found.stored;
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
    const options: CallOptions = { signal: this.signal };
    await inParallel(new Set(ids), removesMax, (id) => removeFile(this.#parts.files, kind, id, options));
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

import { hasCode, HoldfastError } from '../../core/errors.ts';
import type { Runtime } from '../../core/runtime.ts';
import type { CallOptions, Location } from '../../storage/index.ts';
import { BlobStore } from './blob-store.ts';
import type { KdfCost } from '../crypto/kdf.ts';
import { type Configuration, decodeConfiguration } from '../documents/configuration.ts';
import { owned } from '../documents/bytes.ts';
import { damaged } from '../documents/damaged.ts';
import { configKey, objectKey } from '../documents/ids.ts';
import { openObject } from '../documents/sealed.ts';
import { compareFiles, type CompareOptions, type FileCompared } from '../reading/compare-files.ts';
import type { FileToCompare } from '../reading/compare-pieces.ts';
import { type FileLook, lookAtAll } from '../reading/look-at-files.ts';
import type { BlobToWrite, RunOutcome } from '../reading/write-run.ts';
import { listFiles, loadDocument, type RepositoryFiles } from '../documents/files.ts';
import type { MasterIndex } from '../index/master-index.ts';
import { dropKey, listKeys, type RepositoryKey, storeKey } from '../keys/keys.ts';
import { acquireLock, type Lock, readLocks, unlock } from '../lock/lock.ts';
import type { RepositoryLock } from '../lock/lock-document.ts';
import type { Owner } from '../machine/owner.ts';
import { loadAhead } from '../load-ahead.ts';
import { loadPlaced, readPart } from './load-placed.ts';
import { Maintenance } from './maintenance.ts';
import type {
  BlobId,
  BlobPlace,
  BlobType,
  FileId,
  FileKind,
  IndexedBlob,
  Repository,
  RepositoryMaintenance,
  RepositoryWriter,
  Snapshot,
  SnapshotsOptions,
  StoredFile,
  WriteOptions,
} from '../repository.ts';
import { chooseSnapshot, damagedSnapshot, snapshotOf, unknownSnapshot } from '../snapshot/snapshot.ts';
import { timeFromMs } from '../tree/time.ts';
import type { WorkerPool } from '../workers/pool.ts';
import { Writer } from './writer.ts';

/** What an open repository is made of. */
export interface RepositoryParts {
  readonly files: RepositoryFiles;
  readonly index: MasterIndex;
  readonly pool: WorkerPool;
  readonly runtime: Runtime;
  readonly owner: Owner;
  readonly configuration: Configuration;
  readonly keyId: FileId;
  readonly packBytes: number;
}

/** A repository in a location. See `openRepository`. */
export class OpenedRepository implements Repository {
  readonly parts: RepositoryParts;
  /** Of the writer or maintainer that is at work. */
  #store: BlobStore | undefined;
  #isWritten = false;
  /** Of the key that opens it. */
  #keyId: FileId;

  constructor(parts: RepositoryParts) {
    this.parts = parts;
    this.#keyId = parts.keyId;
  }

  get id(): string {
    return this.parts.configuration.id;
  }

  get version(): 1 | 2 {
    return this.parts.configuration.version;
  }

  get chunkerPolynomial(): string {
    return this.parts.configuration.chunkerPolynomial;
  }

  get location(): Location {
    return this.parts.files.location;
  }

  /** Whether the repository that was opened lies there still, and no other that was made in its place. @throws STORAGE_… */
  async isCurrent({ signal }: CallOptions): Promise<boolean> {
    const sealed = await this.location.get(configKey, { signal });
    try {
      return decodeConfiguration(openObject(this.parts.files.key, sealed, 'config')).id === this.id;
    } catch {
      return false;
    }
  }

  get readsFiles(): boolean {
    return this.parts.pool.size > 0;
  }

  get indexLosses(): number {
    return this.parts.index.losses;
  }

  has(type: BlobType, id: BlobId): boolean {
    return this.parts.index.has(type, id) || this.#store?.isPending(type, id) === true;
  }

  find(type: BlobType, id: BlobId): BlobPlace | undefined {
    const { table } = this.parts.index;
    const ordinal = table.ordinalOf(type, id);
    return ordinal >= 0 ? table.place(ordinal) : this.#store?.find(type, id);
  }

  blobs(): Iterable<IndexedBlob> {
    return this.parts.index.table.entries();
  }

  async loadBlob(type: BlobType, id: BlobId, options: CallOptions): Promise<Uint8Array> {
    const found = this.#placesOf(type, id);
    const first = await this.#loadAny(type, id, found, options);
    if (first instanceof Uint8Array) return first;
    // Somebody may have added it, or moved it to another pack, since the index was read.
    await this.refresh(options);
    const known = new Set(found.map(textOf));
    const others = this.#placesOf(type, id).filter((place) => !known.has(textOf(place)));
    const second = others.length === 0 ? first : await this.#loadAny(type, id, others, options);
    if (second instanceof Uint8Array) return second;
    throw second;
  }

  async writeBlobs(packId: FileId, blobs: readonly BlobToWrite[], { isReadBack = false, signal }: WriteOptions): Promise<RunOutcome> {
    const { offset } = blobs[0]!.entry;
    const last = blobs.at(-1)!.entry;
    const range = { offset, sizeBytes: last.offset + last.sizeBytes - offset };
    const stored = await readPart(this.location, objectKey('data', packId), range, signal);
    const plainBytes = blobs.reduce((sum, { entry }) => sum + entry.plainSizeBytes, 0);
    return await this.parts.pool.run('write', { stored: owned(stored), offset, blobs, isReadBack }, plainBytes);
  }

  compareFiles(files: readonly FileToCompare[], options: CompareOptions): Promise<readonly FileCompared[]> {
    return compareFiles(this.parts.pool, files, options);
  }

  lookAtFiles(paths: readonly string[], options: CallOptions): Promise<readonly (FileLook | undefined)[]> {
    return lookAtAll(this.parts.pool, paths, options);
  }

  /** The blob, or why no place gives it. */
  async #loadAny(type: BlobType, id: BlobId, places: readonly BlobPlace[], { signal }: CallOptions): Promise<Uint8Array | HoldfastError> {
    let problem = missing(type, id);
    for (const place of places) {
      const what = `${type} blob ${id} in pack ${place.packId}`;
      try {
        const found = await loadPlaced(this.parts, id, place, { signal });
        if (found !== undefined) return found.data;
        problem = damaged(what, 'does not match its checksum');
      } catch (error) {
        if (!hasCode(error, 'STORAGE_NOT_FOUND') && !hasCode(error, 'STORAGE_DAMAGED')) throw error;
        problem = damaged(what, `can not be read: ${error.message}`, error);
      }
    }
    return problem;
  }

  #placesOf(type: BlobType, id: BlobId): BlobPlace[] {
    const { table } = this.parts.index;
    const places = Array.from(table.ordinalsOf(type, id), (ordinal) => table.place(ordinal));
    const pending = this.#store?.find(type, id);
    return pending === undefined ? places : [...places, pending];
  }

  async *snapshots(options: SnapshotsOptions): AsyncGenerator<Snapshot> {
    const load = ({ id }: StoredFile): Promise<Snapshot | undefined> =>
      this.#loadSnapshot(id, options).catch((error: unknown) => {
        if (hasCode(error, 'BACKUP_DAMAGED') && options.onDamaged !== undefined) options.onDamaged(id, error);
        // Forgotten since it was listed.
        else if (!hasCode(error, 'STORAGE_NOT_FOUND')) throw error;
        return undefined;
      });
    for await (const snapshot of loadAhead(this.files('snapshot', options), load)) if (snapshot !== undefined) yield snapshot;
  }

  readableSnapshots({ signal }: CallOptions): AsyncGenerator<Snapshot> {
    const { logger } = this.parts.runtime;
    const onDamaged = (snapshot: FileId, error: Error): void => logger.warn('backup.snapshot.damaged', { snapshot, error: error.message });
    return this.snapshots({ signal, onDamaged });
  }

  async snapshot(idOrPrefix: string, { signal }: CallOptions): Promise<Snapshot> {
    if (idOrPrefix === 'latest') return await this.#latest(signal);
    return await this.#loadSnapshot(await this.snapshotId(idOrPrefix, { signal }), { signal });
  }

  async snapshotId(idOrPrefix: string, { signal }: CallOptions): Promise<FileId> {
    if (idOrPrefix === 'latest') return (await this.#latest(signal)).id;
    const ids: FileId[] = [];
    for await (const { id } of this.files('snapshot', { signal })) ids.push(id);
    return chooseSnapshot(ids, idOrPrefix);
  }

  async #latest(signal: AbortSignal): Promise<Snapshot> {
    let latest: Snapshot | undefined;
    for await (const snapshot of this.snapshots({ signal })) if (latest === undefined || snapshot.timeMs > latest.timeMs) latest = snapshot;
    if (latest === undefined) throw unknownSnapshot('the repository has no snapshot');
    return latest;
  }

  async #loadSnapshot(id: FileId, options: CallOptions): Promise<Snapshot> {
    try {
      return snapshotOf(id, await loadDocument(this.parts.files, 'snapshot', id, options));
    } catch (error) {
      throw hasCode(error, 'BACKUP_DAMAGED') || hasCode(error, 'STORAGE_DAMAGED') ? damagedSnapshot(id, error) : error;
    }
  }

  files(kind: FileKind, options: CallOptions): AsyncIterable<StoredFile> {
    return listFiles(this.location, kind, options);
  }

  async refresh(options: CallOptions): Promise<void> {
    await this.parts.index.refresh(options);
  }

  async lock({
    exclusive = false,
    waitMs = 0,
    signal,
  }: CallOptions & { readonly exclusive?: boolean; readonly waitMs?: number }): Promise<Lock> {
    return await acquireLock(this.parts, { exclusive, waitMs, signal });
  }

  /** Locks of everybody; those that can not be read are left out. */
  async *locks(options: CallOptions): AsyncGenerator<RepositoryLock> {
    for await (const lock of readLocks(this.parts.files, options)) if (!('problem' in lock)) yield lock;
  }

  /** Removes locks whose holders are gone; with `all`, those of the living too. Resolves with how many. */
  async unlock({ all = false, signal }: CallOptions & { readonly all?: boolean }): Promise<number> {
    return await unlock(this.parts, { all, signal });
  }

  async write(options: CallOptions): Promise<RepositoryWriter> {
    const hasTree = (id: BlobId): boolean => this.parts.index.has('tree', id);
    return await this.#begin(false, options, (lock, store, end) => new Writer(this.parts.files, lock, store, hasTree, end));
  }

  async maintain(options: CallOptions): Promise<RepositoryMaintenance> {
    return await this.#begin(true, options, (lock, store, end) => new Maintenance(this.parts, lock, store, end));
  }

  async #begin<Access>(
    exclusive: boolean,
    options: CallOptions,
    make: (lock: Lock, store: BlobStore, end: () => Promise<void>) => Access,
  ): Promise<Access> {
    if (this.#isWritten) throw writerActive();
    this.#isWritten = true;
    try {
      const lock = await this.lock({ ...options, exclusive });
      const store = this.#openStore(lock, options.signal);
      let ended = false;
      const end = async (): Promise<void> => {
        if (ended) return;
        ended = true;
        await store[Symbol.asyncDispose]();
        this.#store = undefined;
        await lock[Symbol.asyncDispose]();
        this.#isWritten = false;
      };
      try {
        await this.refresh(options);
      } catch (error) {
        await end();
        throw error;
      }
      return make(lock, store, end);
    } catch (error) {
      this.#isWritten = false;
      throw error;
    }
  }

  #openStore(lock: Lock, signal: AbortSignal): BlobStore {
    const { files, index, pool, packBytes, runtime } = this.parts;
    const monotonicMs = (): number => runtime.clock.monotonicMs();
    return (this.#store = new BlobStore(
      { files, index, pool, packBytes, confirm: () => lock.confirm(), monotonicMs },
      lock.signal,
      signal,
    ));
  }

  keys(options: CallOptions): AsyncIterable<RepositoryKey> {
    return listKeys(this.location, this.#keyId, options);
  }

  /** Lets another password open the repository, too. Resolves with the new key's id. @throws BACKUP_PASSWORD_EMPTY */
  async addKey(password: string, options: CallOptions & { readonly kdfCost?: KdfCost }): Promise<FileId> {
    const { owner, runtime, files } = this.parts;
    const label = { created: timeFromMs(runtime.clock.wallMs()), hostname: owner.hostname, username: owner.username };
    return await storeKey(this.location, files.key, password, label, { signal: options.signal, cost: options.kdfCost });
  }

  /** @throws BACKUP_KEY_UNKNOWN, BACKUP_KEY_IN_USE */
  async removeKey(idOrPrefix: string, options: CallOptions): Promise<void> {
    await dropKey(this.location, idOrPrefix, this.#keyId, options);
  }

  /** Makes a key with another password, then removes the one that the repository was opened with. Resolves with the new key's id. */
  async changePassword(password: string, options: CallOptions & { readonly kdfCost?: KdfCost }): Promise<FileId> {
    const former = this.#keyId;
    this.#keyId = await this.addKey(password, options);
    await dropKey(this.location, former, this.#keyId, options);
    return this.#keyId;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.parts.pool[Symbol.asyncDispose]();
  }
}

function writerActive(): HoldfastError {
  return new HoldfastError('BACKUP_WRITER_ACTIVE', 'this program writes to the repository already', {
    hint: 'One writer at a time: dispose of the first.',
  });
}

function missing(type: BlobType, id: BlobId): HoldfastError {
  return new HoldfastError('BACKUP_BLOB_MISSING', `no index names ${type} blob ${id}`, {
    hint: '`holdfast check` tells what needs it; `holdfast repair` finds it when its pack is there.',
  });
}

function textOf({ packId, offset }: BlobPlace): string {
  return `${packId} ${offset}`;
}

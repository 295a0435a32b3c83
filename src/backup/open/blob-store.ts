import { linked } from '../../core/deadline.ts';
import { entryOf } from '../index/blob-table.ts';
import { indexBlobsMax, type IndexedPack } from '../index/index-file.ts';
import { owned } from '../documents/bytes.ts';
import type { MasterIndex } from '../index/master-index.ts';
import { Packer, type SealedRun } from '../pack/packer.ts';
import type { BlobId, BlobPlace, BlobType, IndexedBlob, FilePart, SavedBlob, SavedFile, WholeSavedFile } from '../repository.ts';
import type { Cutting } from '../chunk/cutter.ts';
import { FileSaver } from './file-saver.ts';
import type { RepositoryFiles } from '../documents/files.ts';
import type { WorkerPool } from '../workers/pool.ts';
import { Room } from '../workers/room.ts';

/** Plain bytes of blobs that are hashed, compressed and sealed at once, for each thread. As much again lies ready to be packed at most. */
const threadBytesMax = 4 * 1024 * 1024;
/** With fewer threads: two of the largest blobs of a file. */
const workedOnBytesMin = 16 * 1024 * 1024;
/** An index file is written at the latest so long after the first pack that it names: what was stored is of use should the rest never come. */
const indexEveryMs = 10 * 60 * 1000;

/** What a new blob passes through: hash, seal, pack, index. */
export interface BlobStoreParts {
  readonly files: RepositoryFiles;
  readonly index: MasterIndex;
  readonly pool: WorkerPool;
  readonly packBytes: number;
  /** Throws when the lock under which it is done is no longer held. */
  readonly confirm: () => Promise<void>;
  readonly monotonicMs: () => number;
}

/** Adds blobs to packs, and packs to the index. The first failure is that of everything after it. */
export class BlobStore implements AsyncDisposable {
  readonly #parts: BlobStoreParts;
  readonly #packer: Packer;
  readonly #room: Room;
  readonly #files: FileSaver;
  readonly #end: ReturnType<typeof linked>;
  /** Blobs that no durable index names yet: undefined while they are on their way into a pack. */
  readonly #pending = new Map<string, BlobPlace | undefined>();
  /** Durable packs that no index names yet. */
  #packs: IndexedPack[] = [];
  #packsSinceMs = 0;
  readonly #saving = new Set<Promise<unknown>>();
  #indexing: Promise<void> = Promise.resolve();

  constructor(parts: BlobStoreParts, ...signals: readonly AbortSignal[]) {
    this.#parts = parts;
    this.#room = new Room(Math.max(workedOnBytesMin, threadBytesMax * parts.pool.size));
    this.#end = linked(...signals);
    this.#packer = new Packer({
      location: parts.files.location,
      key: parts.files.key,
      targetBytes: parts.packBytes,
      stored: (pack) => this.#remember(pack),
      failed: (error) => this.#end.abort(error),
    });
    this.#files = new FileSaver({
      pool: parts.pool,
      compresses: parts.files.version >= 2,
      take: (run) => this.#tracked(this.#pack(run)),
      claim: (id) => this.#claim(id),
      failed: (error) => this.#end.abort(error),
      signal: this.signal,
    });
  }

  /** Aborts with the first failure. */
  get signal(): AbortSignal {
    return this.#end.signal;
  }

  isPending(type: BlobType, id: BlobId): boolean {
    return this.#pending.has(keyOf(type, id));
  }

  /** Where a blob lies that no index names yet. */
  find(type: BlobType, id: BlobId): BlobPlace | undefined {
    return this.#pending.get(keyOf(type, id));
  }

  async save(type: BlobType, data: Uint8Array): Promise<SavedBlob> {
    return await this.#tracked(this.#save(type, data));
  }

  async #save(type: BlobType, data: Uint8Array): Promise<SavedBlob> {
    const { pool, files, index } = this.#parts;
    using _room = await this.#room.take(data.byteLength, this.signal);
    const hashed = await pool.run('hash', { data: new Uint8Array(data) });
    const { id } = hashed;
    if (index.has(type, id) || this.isPending(type, id)) return { id, isNew: false, storedBytes: 0 };
    this.#pending.set(keyOf(type, id), undefined);
    const run = await pool.run('seal', { type, id, data: hashed.data, compresses: files.version >= 2 });
    // Packing releases them.
    const storedBytes = run.stored.byteLength;
    await this.#pack(run);
    return { id, isNew: true, storedBytes };
  }

  /** Whether there are threads that read files. */
  get readsFiles(): boolean {
    return this.#parts.pool.size > 0;
  }

  async saveFile(fd: number, parts: readonly FilePart[], cutting: Cutting): Promise<SavedFile> {
    return await this.#reading(() => this.#files.save(fd, parts, cutting));
  }

  async saveWholeFile(path: string, sizeBytes: number, cutting: Cutting): Promise<WholeSavedFile> {
    return await this.#reading(() => this.#files.saveWhole(path, sizeBytes, cutting));
  }

  /** A file that can not be read is nobody's failure but the file's. */
  async #reading<Result>(work: () => Promise<Result>): Promise<Result> {
    this.signal.throwIfAborted();
    const saving = work();
    const ended = saving.catch(() => undefined);
    this.#saving.add(ended);
    try {
      return await saving;
    } finally {
      this.#saving.delete(ended);
      this.signal.throwIfAborted();
    }
  }

  async #pack(run: SealedRun): Promise<void> {
    await this.#packer.add(run, this);
    await this.#indexWhenFull();
  }

  /** Whether nobody has a blob, nor is about to: then the caller is. */
  #claim(id: BlobId): boolean {
    if (this.#parts.index.has('data', id) || this.isPending('data', id)) return false;
    this.#pending.set(keyOf('data', id), undefined);
    return true;
  }

  /** Packs a blob as it is stored elsewhere, though the index names it there. Its bytes are known to be right. */
  async saveStored(blob: IndexedBlob, stored: Uint8Array): Promise<void> {
    await this.#tracked(this.#saveStored(blob, stored));
  }

  async #saveStored(blob: IndexedBlob, stored: Uint8Array): Promise<void> {
    if (this.isPending(blob.type, blob.id)) return;
    using _room = await this.#room.take(stored.byteLength, this.signal);
    this.#pending.set(keyOf(blob.type, blob.id), undefined);
    const { type, id, sizeBytes, plainSizeBytes, compressed } = entryOf(blob);
    await this.#pack({ stored: owned(stored), blobs: [{ type, id, sizeBytes, plainSizeBytes, compressed }] });
  }

  /** Everything saved so far is in durable packs and in a durable index when it resolves. */
  async flush(): Promise<void> {
    await Promise.all(this.#saving);
    await this.#guarded(async () => {
      await this.#packer.flush(this);
      await this.#indexNow();
    });
  }

  #remember(pack: IndexedPack): void {
    const { packId, entries } = pack;
    if (this.#packs.length === 0) this.#packsSinceMs = this.#parts.monotonicMs();
    this.#packs.push(pack);
    for (const { type, id, offset, sizeBytes, plainSizeBytes, compressed } of entries)
      this.#pending.set(keyOf(type, id), { packId, offset, sizeBytes, plainSizeBytes, compressed });
  }

  async #indexWhenFull(): Promise<void> {
    const blobs = this.#packs.reduce((sum, { entries }) => sum + entries.length, 0);
    const isOld = this.#packs.length > 0 && this.#parts.monotonicMs() - this.#packsSinceMs >= indexEveryMs;
    if (blobs >= indexBlobsMax || isOld) await this.#indexNow();
  }

  /** One after the other: whoever flushes waits for what others have begun. */
  async #indexNow(): Promise<void> {
    this.#indexing = this.#indexing.then(() => this.#writeIndex());
    await this.#indexing;
  }

  async #writeIndex(): Promise<void> {
    const packs = this.#packs;
    if (packs.length === 0) return;
    this.#packs = [];
    await this.#parts.confirm();
    await this.#parts.index.add(packs, this);
    for (const { entries } of packs) for (const { type, id } of entries) this.#pending.delete(keyOf(type, id));
  }

  async #tracked<Result>(saving: Promise<Result>): Promise<Result> {
    this.#saving.add(saving);
    // Nobody waits for it when the store had failed before it began.
    saving.catch(() => undefined);
    try {
      return await this.#guarded(() => saving);
    } finally {
      this.#saving.delete(saving);
    }
  }

  /** What was to be stored and was not would be missing in whatever comes after: nothing may come after. */
  async #guarded<Result>(work: () => Promise<Result>): Promise<Result> {
    this.signal.throwIfAborted();
    try {
      const result = await work();
      this.signal.throwIfAborted();
      return result;
    } catch (error) {
      this.#end.abort(error as Error);
      throw this.signal.reason;
    }
  }

  /** Resolves once nothing is being stored any more. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#end.abort(new Error('it was closed'));
    this.#end[Symbol.dispose]();
    await Promise.allSettled([...this.#saving, this.#packer[Symbol.asyncDispose](), this.#indexing]);
  }
}

function keyOf(type: BlobType, id: BlobId): string {
  return `${type} ${id}`;
}

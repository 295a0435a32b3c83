import { HoldfastError } from '../../core/errors.ts';
import type { BlobStore } from './blob-store.ts';
import { type RepositoryFiles, saveDocument } from '../documents/files.ts';
import { formatJson } from '../documents/json.ts';
import type { BlobId, BlobType, HeldLock, RepositoryWriter, SavedBlob, Snapshot } from '../repository.ts';
import { snapshotOf } from '../snapshot/snapshot.ts';

/** Adds to a repository under its shared lock. */
export class Writer implements RepositoryWriter {
  readonly #files: RepositoryFiles;
  readonly #lock: HeldLock;
  readonly #store: BlobStore;
  readonly #hasTree: (id: BlobId) => boolean;
  readonly #end: () => Promise<void>;

  constructor(files: RepositoryFiles, lock: HeldLock, store: BlobStore, hasTree: (id: BlobId) => boolean, end: () => Promise<void>) {
    this.#files = files;
    this.#lock = lock;
    this.#store = store;
    this.#hasTree = hasTree;
    this.#end = end;
  }

  get signal(): AbortSignal {
    return this.#store.signal;
  }

  async saveBlob(type: BlobType, data: Uint8Array): Promise<SavedBlob> {
    return await this.#store.save(type, data);
  }

  get saveFile(): RepositoryWriter['saveFile'] {
    return this.#store.readsFiles ? (fd, parts, cutting) => this.#store.saveFile(fd, parts, cutting) : undefined;
  }

  get saveWholeFile(): RepositoryWriter['saveWholeFile'] {
    return this.#store.readsFiles ? (path, sizeBytes, cutting) => this.#store.saveWholeFile(path, sizeBytes, cutting) : undefined;
  }

  async flush(): Promise<void> {
    await this.#store.flush();
  }

  async saveSnapshot(document: Readonly<Record<string, unknown>>): Promise<Snapshot> {
    await this.flush();
    await this.#lock.confirm();
    return await storeSnapshot(this.#files, document, this.#hasTree, this.signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#end();
  }
}

/** Stores a snapshot whose tree is in the index. @throws BACKUP_BLOB_MISSING, BACKUP_DAMAGED (not the form of a snapshot) */
export async function storeSnapshot(
  files: RepositoryFiles,
  document: Readonly<Record<string, unknown>>,
  hasTree: (id: BlobId) => boolean,
  signal: AbortSignal,
): Promise<Snapshot> {
  // Read as it will be read.
  const { tree } = snapshotOf('that is to be saved', document);
  if (!hasTree(tree)) {
    throw new HoldfastError('BACKUP_BLOB_MISSING', `the tree ${tree} of the snapshot was not saved`, {
      hint: 'This is a fault in what makes it.',
    });
  }
  const id = await saveDocument(files, 'snapshot', formatJson(document), { signal });
  return snapshotOf(id, document);
}

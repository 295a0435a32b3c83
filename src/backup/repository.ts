// What the rest of backup/ asks of an open repository. Format: restic repository version 2, doc/design.rst of restic/restic.
import type { Cutting } from './chunk/cutter.ts';
import type { FileStats } from './files/node-of.ts';
import type { CompareOptions, FileCompared } from './reading/compare-files.ts';
import type { FileToCompare } from './reading/compare-pieces.ts';
import type { FileLook } from './reading/look-at-files.ts';
import type { BlobToWrite, RunOutcome } from './reading/write-run.ts';
import type { CallOptions, Location } from '../storage/index.ts';

/** SHA-256 of the plain text, 64 lower-case hexadecimal digits. */
export type BlobId = string;
/** SHA-256 of what is stored, 64 lower-case hexadecimal digits: a pack, an index, a snapshot, a key. */
export type FileId = string;

export type BlobType = 'data' | 'tree';

/** Where a blob lies: `sizeBytes` stored bytes (nonce, cipher text, MAC) at `offset` of a pack. */
export interface BlobPlace {
  readonly packId: FileId;
  readonly offset: number;
  readonly sizeBytes: number;
  /** Plain size in bytes; what is stored is compressed when the pack's entry says so. */
  readonly plainSizeBytes: number;
  readonly compressed: boolean;
}

/** One entry of the index. A blob that lies in several packs has as many. */
export interface IndexedBlob {
  readonly type: BlobType;
  readonly id: BlobId;
  readonly place: BlobPlace;
}

/** Kinds of files that a repository consists of, besides its `config`. */
export type FileKind = 'data' | 'index' | 'key' | 'lock' | 'snapshot';

/** A file as it lies in the location. */
export interface StoredFile {
  readonly id: FileId;
  readonly sizeBytes: number;
  /** When it was written, by the clock of the store, where that tells. */
  readonly modifiedMs?: number;
}

/** A snapshot as restic writes it: unknown members of a document that another program wrote are kept. */
export interface Snapshot {
  readonly id: FileId;
  /** RFC 3339 with nanoseconds as it stands in the document; `timeMs` is the same for arithmetic. */
  readonly time: string;
  readonly timeMs: number;
  readonly tree: BlobId;
  readonly paths: readonly string[];
  readonly hostname: string;
  readonly username: string;
  readonly tags: readonly string[];
  readonly parent?: FileId;
  readonly original?: FileId;
  readonly document: Readonly<Record<string, unknown>>;
}

/** What a blob that was saved cost. */
export interface SavedBlob {
  readonly id: BlobId;
  /** False when the repository had it: nothing was stored. */
  readonly isNew: boolean;
  /** Bytes that it adds to a pack; 0 when it was there. */
  readonly storedBytes: number;
}

/** Bytes of a file, from one up to and without another. */
export interface FilePart {
  readonly from: number;
  readonly to: number;
}

/** What became of a file's bytes. */
export interface SavedFile {
  readonly content: readonly BlobId[];
  /** Pages that are not what was once written, by their numbers; the first of them. Looked for where the cutting says so. */
  readonly wrongPages: readonly number[];
  /** Bytes that were read. */
  readonly sizeBytes: number;
  readonly newBlobs: number;
  /** Of new blobs, plain and as they are stored. */
  readonly addedBytes: number;
  readonly storedBytes: number;
}

/** A file that was opened, read and closed by a thread. */
export interface WholeSavedFile extends SavedFile {
  /** When it was opened. */
  readonly stats: FileStats;
  readonly isChanged: boolean;
}

export interface WriteOptions extends CallOptions {
  /** Every place will be read back and compared with its blob's hash, which is not looked at before it is written then. Default false. */
  readonly isReadBack?: boolean;
}

/** A lock that is held, and refreshed until it is disposed of. */
export interface HeldLock extends AsyncDisposable {
  readonly exclusive: boolean;
  /** Aborts with BACKUP_LOCK_LOST when it could not be refreshed in time: whatever relies on it must end at once. */
  readonly signal: AbortSignal;
  /**
   * To be called right before something that relies on it becomes visible: a machine that was suspended may have been taken for dead, and no
   * timer has told it yet. @throws BACKUP_LOCK_LOST
   */
  confirm(): Promise<void>;
}

export interface SnapshotsOptions extends CallOptions {
  /** Told of each that is damaged; it is left out then. */
  readonly onDamaged?: ((id: FileId, error: Error) => void) | undefined;
}

/** An open repository: keys known, index loaded. Calls may run at once. */
export interface Repository extends AsyncDisposable {
  /** 64 hexadecimal digits of `config`. */
  readonly id: string;
  readonly version: 1 | 2;
  /** Polynomial of restic's own chunker, as hexadecimal digits; secret like all of `config`: seeds of other chunkers may be derived from it. */
  readonly chunkerPolynomial: string;
  readonly location: Location;

  /** Whether there are threads that read files. */
  readonly readsFiles: boolean;
  /** How often it turned out that index files had gone: what was said of the blobs that it has before may no longer be so. */
  readonly indexLosses: number;

  /** Whether it is in the index or being saved now. */
  has(type: BlobType, id: BlobId): boolean;
  find(type: BlobType, id: BlobId): BlobPlace | undefined;
  /** Every entry of the index as it is now, in no promised order; not to be used across an await in which blobs are saved. */
  blobs(): Iterable<IndexedBlob>;
  /** Decrypted, decompressed, hash verified. @throws BACKUP_BLOB_MISSING, BACKUP_DAMAGED (what, which pack) */
  loadBlob(type: BlobType, id: BlobId, options: CallOptions): Promise<Uint8Array>;

  /**
   * Reads blobs that lie near each other in one pack, in the order of their offsets, with one call, and writes them to files. What the outcome
   * calls damaged may still be had by `loadBlob`. @throws STORAGE_NOT_FOUND, STORAGE_DAMAGED, and what the location throws
   */
  writeBlobs(packId: FileId, blobs: readonly BlobToWrite[], options: WriteOptions): Promise<RunOutcome>;

  /** Which of files' pieces are, byte for byte, the blobs that they should be. */
  compareFiles(files: readonly FileToCompare[], options: CompareOptions): Promise<readonly FileCompared[]>;
  /** What the system says of files, by the repository's threads. */
  lookAtFiles(paths: readonly string[], options: CallOptions): Promise<readonly (FileLook | undefined)[]>;

  /** @throws BACKUP_DAMAGED for the first that is not what was written, unless `onDamaged` is told of each */
  snapshots(options: SnapshotsOptions): AsyncIterable<Snapshot>;
  /** Those that are not damaged, for who can do without the others; the log tells which are. */
  readableSnapshots(options: CallOptions): AsyncIterable<Snapshot>;
  /** As `snapshot`, whatever it holds. @throws BACKUP_SNAPSHOT_UNKNOWN */
  snapshotId(idOrPrefix: string, options: CallOptions): Promise<FileId>;
  /** By its whole id, an unambiguous prefix of it, or `latest`. @throws BACKUP_SNAPSHOT_UNKNOWN (which there are) */
  snapshot(idOrPrefix: string, options: CallOptions): Promise<Snapshot>;

  /** What lies in the location, whether an index knows it or not. */
  files(kind: FileKind, options: CallOptions): AsyncIterable<StoredFile>;
  /** Loads what others have added to the index since. `loadBlob` does so by itself for a blob that it does not know. */
  refresh(options: CallOptions): Promise<void>;

  /**
   * Takes the repository's lock: shared for whoever reads or adds and must not have blobs removed under it, exclusive for whoever removes.
   * restic honours it, and is honoured. @throws BACKUP_LOCKED (by whom)
   */
  lock(options: CallOptions & { readonly exclusive?: boolean; readonly waitMs?: number }): Promise<HeldLock>;
  /**
   * Begins to write; at most one writer at a time. Takes the repository's shared lock until it is disposed of. The signal ends the writer,
   * too. @throws BACKUP_LOCKED, BACKUP_WRITER_ACTIVE
   */
  write(options: CallOptions): Promise<RepositoryWriter>;
  /**
   * Begins to remove. Takes the exclusive lock until it is disposed of, and refreshes the index under it. The signal ends it, too.
   * @throws BACKUP_LOCKED, BACKUP_WRITER_ACTIVE
   */
  maintain(options: CallOptions): Promise<RepositoryMaintenance>;
}

/** Adds blobs and snapshots. What was saved but not flushed when it is disposed of is left for prune. */
export interface RepositoryWriter extends AsyncDisposable {
  /** Aborts when the writer can not go on: its lock was lost, or a pack could not be stored. */
  readonly signal: AbortSignal;
  /**
   * Hashes, compresses, encrypts and packs; resolves once the writer has taken it over (bounded memory: waits for room). `data` may be
   * used again by the caller only then.
   */
  saveBlob(type: BlobType, data: Uint8Array): Promise<SavedBlob>;
  /**
   * Has parts of an open file read, cut and saved by threads; the descriptor must stay open until it has settled. A chunk ends with each part.
   * Undefined where there are no threads. @throws what reading throws
   */
  readonly saveFile: ((fd: number, parts: readonly FilePart[], cutting: Cutting) => Promise<SavedFile>) | undefined;
  /** The same for a whole file that is small: opened by the thread that reads it. `sizeBytes`: what it is thought to have. */
  readonly saveWholeFile: ((path: string, sizeBytes: number, cutting: Cutting) => Promise<WholeSavedFile>) | undefined;
  /** Every blob saved so far is in a durable pack and in a durable index when it resolves. */
  flush(): Promise<void>;
  /** Flushes, then writes the snapshot: the last object of a backup. */
  saveSnapshot(document: Readonly<Record<string, unknown>>): Promise<Snapshot>;
}

/** Removes, under the exclusive lock. Nothing is removed before what replaces it is durable. */
export interface RepositoryMaintenance extends AsyncDisposable {
  readonly signal: AbortSignal;
  /** Copies blobs of one pack, as they are stored, into new packs; each is opened and verified on the way. @throws BACKUP_DAMAGED */
  repack(packId: FileId, blobs: readonly IndexedBlob[]): Promise<void>;
  /**
   * Makes durable what was repacked, then an index of all but `packIds`, then removes the former index files, then those packs. Cut off
   * anywhere, the repository is whole; packs that no index names are left, and the next call with them removes them.
   */
  removePacks(packIds: ReadonlySet<FileId>): Promise<void>;
  removeSnapshots(ids: Iterable<FileId>): Promise<void>;
  /** Writes a snapshot that replaces another, say with other tags; the other one is to be removed after it. */
  saveSnapshot(document: Readonly<Record<string, unknown>>): Promise<Snapshot>;
}

// What the rest of backup/ asks of an open repository. Format: restic repository version 2, doc/design.rst of restic/restic.

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

/** An open repository: keys known, index loaded. Calls may run at once. */
export interface Repository extends AsyncDisposable {
  /** 64 hexadecimal digits of `config`. */
  readonly id: string;
  readonly version: 1 | 2;

  /** Whether it is in the index or being saved now. */
  has(type: BlobType, id: BlobId): boolean;
  find(type: BlobType, id: BlobId): BlobPlace | undefined;
  /** Decrypted, decompressed, hash verified. @throws BACKUP_BLOB_MISSING, BACKUP_DAMAGED (what, which pack) */
  loadBlob(type: BlobType, id: BlobId, options: { readonly signal: AbortSignal }): Promise<Uint8Array>;

  snapshots(options: { readonly signal: AbortSignal }): AsyncIterable<Snapshot>;
  /** By its whole id, an unambiguous prefix of it, or `latest`. @throws BACKUP_SNAPSHOT_UNKNOWN (which there are) */
  snapshot(idOrPrefix: string, options: { readonly signal: AbortSignal }): Promise<Snapshot>;

  /** Begins to write; at most one writer at a time. Takes the repository's shared lock until it is disposed of. @throws BACKUP_LOCKED */
  write(options: { readonly signal: AbortSignal }): Promise<RepositoryWriter>;
}

/** Adds blobs and snapshots. What was saved but not flushed when it is disposed of is left for prune. */
export interface RepositoryWriter extends AsyncDisposable {
  /**
   * Hashes, compresses, encrypts and packs; resolves once the writer has taken it over (bounded memory: waits for room). `data` may be
   * used again by the caller only then.
   */
  saveBlob(type: BlobType, data: Uint8Array): Promise<SavedBlob>;
  /** Every blob saved so far is in a durable pack and in a durable index when it resolves. */
  flush(): Promise<void>;
  /** Flushes, then writes the snapshot: the last object of a backup. */
  saveSnapshot(document: Readonly<Record<string, unknown>>): Promise<Snapshot>;
}

/** Size of one object and, where the store tells it, when it was last written. */
export interface ObjectInfo {
  readonly key: string;
  readonly sizeBytes: number;
  /** Milliseconds since 1970-01-01 UTC by the store's own clock. */
  readonly modifiedMs?: number;
}

/** Half-open part of an object: `sizeBytes` bytes from `offset` on; both non-negative integers, `sizeBytes` at least 1. */
export interface ByteRange {
  readonly offset: number;
  readonly sizeBytes: number;
}

/** What differs between kinds of location, as data: nobody asks for the kind. Of one that was never reached, all are false until it is. */
export interface LocationCapabilities {
  /** Of two writers that both `put` with `ifAbsent`, exactly one succeeds. Without it, `ifAbsent` is a look before the write. */
  readonly conditionalCreate: boolean;
  /** What is removed or overwritten can be had back by the store's own means (versioning, object lock). */
  readonly keepsOldVersions: boolean;
  /**
   * There are several copies, and a damaged one is only told from a good one when the whole object is read: of a part, the first copy's is
   * given as it is. Absent: whole objects are read no better than parts.
   */
  readonly judgesOnlyWholes?: boolean;
}

/** One location's own view of how it is; combinators tell one for each of their parts. */
export interface LocationStatus {
  readonly name: string;
  readonly state: 'ok' | 'degraded' | 'away';
  /** Why it is not ok, for people; empty when it is. */
  readonly message: string;
  /** Changes that this location has not got yet; 0 when it has all. */
  readonly behindObjects: number;
  readonly behindBytes: number;
  readonly parts: readonly LocationStatus[];
}

export interface CallOptions {
  readonly signal: AbortSignal;
}

/**
 * An object that is written bit by bit and gets its key at its end; nobody sees it before. One call at a time. What has failed with a
 * retryable error may be called again. Whoever disposes of it before it has its key gives it up.
 */
export interface Draft extends AsyncDisposable {
  /** Adds bytes at its end: they are not changed, nor, once it has resolved, kept. */
  append(bytes: Uint8Array, options: CallOptions): Promise<void>;
  /** As `put` of all that was added. Nothing can be added afterwards. */
  put(key: string, options: CallOptions & { readonly ifAbsent?: boolean }): Promise<void>;
}

/**
 * One place where copies live: a flat map from keys to immutable objects of bytes.
 *
 * Keys are 1 to 512 characters of `[A-Za-z0-9._-]` and `/`, with no empty, `.` or `..` segment (`assertKey`). An object is whole or not
 * there: a `put` that was cut is never seen by anyone, and one that resolved survives a crash of the store's machine as far as the store
 * can promise that. Reading, listing and looking see what was put before. All calls may run at once; none holds more than one
 * object in memory.
 *
 * No key should be the directory of another (`a` and `a/b`): where objects are files the second is refused as STORAGE_UNSUITABLE.
 *
 * Every call may throw: STORAGE_UNREACHABLE (it does not answer, or the place itself is gone: never taken for an empty one) and
 * STORAGE_BUSY (both retryable, but for what only a person brings back), STORAGE_DENIED, STORAGE_FULL, STORAGE_UNSUITABLE (the store
 * does not do what is needed), STORAGE_BAD_KEY, or the signal's reason. What was asked may have happened all the same after
 * STORAGE_UNREACHABLE and after an abort, then as a whole.
 */
export interface Location extends AsyncDisposable {
  /** For people and events: as in the configuration. */
  readonly name: string;
  readonly capabilities: LocationCapabilities;
  /**
   * Creates or replaces an object. `data` is written as one, in order, and is not changed or kept after the call.
   * @throws STORAGE_EXISTS with `ifAbsent` when there is one already
   */
  put(key: string, data: readonly Uint8Array[], options: CallOptions & { readonly ifAbsent?: boolean }): Promise<void>;
  /** Begins an object whose key is not known yet. Absent where one can only be written as a whole. */
  readonly draft?: ((options: CallOptions) => Promise<Draft>) | undefined;
  /**
   * The object, or the part of it that `range` names, which must lie within it.
   * @throws STORAGE_NOT_FOUND, STORAGE_DAMAGED (shorter than asked for, its own checksum does not fit, or its disk can not read it)
   */
  get(key: string, options: CallOptions & { readonly range?: ByteRange }): Promise<Uint8Array>;
  /** Undefined when there is none. */
  stat(key: string, options: CallOptions): Promise<ObjectInfo | undefined>;
  /**
   * All objects whose keys begin with `prefix` (empty or ending in `/`), each once, in no promised order. What is put or removed meanwhile
   * may or may not be among them.
   */
  list(prefix: string, options: CallOptions): AsyncIterable<ObjectInfo>;
  /** Removes it; nothing happens when there is none. */
  remove(key: string, options: CallOptions): Promise<void>;
  /** How it is, without being asked of the store anew unless that is cheap. */
  status(): LocationStatus;
}

/** A database's own files, to be copied while it runs, as a port. */
export interface BaseSource {
  /**
   * Tells the server that its files are about to be read; it writes a checkpoint first, at once. One of a primary's or a replica's.
   * @throws ENGINE_NOT_ANSWERING, the signal's reason
   */
  begin(options: { readonly label: string; readonly signal: AbortSignal }): Promise<BaseRead>;
}

/** Files may be read from `begin` until `finish`; without `finish` what was read is worth nothing. */
export interface BaseRead extends AsyncDisposable {
  readonly directory: string;
  /** Paths below `directory`, with `*` for any name, that a copy must not have or has no use for. */
  readonly excluded: readonly string[];
  /** Of the paths below `directory` besides: which a copy has no use for. */
  readonly isNeedless: (path: string) => boolean;
  /** Links below `directory` (paths) to directories elsewhere that are part of the data. */
  readonly tablespaces: readonly { readonly path: string; readonly oid: string; readonly name: string }[];
  /** Pages that are changed in place: files at these paths, again with `*`, are best cut into pieces of so many bytes. */
  readonly paged: {
    readonly paths: readonly string[];
    readonly pageBytes: number;
    /** Of all such files together, about. */
    readonly sizeBytes: number;
    /** Number of the first page of a file at such a path, where pages have checksums that can be looked at. */
    readonly firstPage: ((path: string) => number | undefined) | undefined;
  };
  readonly systemId: string;
  /** `17.10`. */
  readonly version: string;
  readonly segmentBytes: number;
  /** Recovery of the copy begins here. */
  readonly start: { readonly timeline: number; readonly lsn: bigint };
  /**
   * What the server knows to have changed since an earlier backup of the same database, whichever member's files that one read. Undefined when it
   * does not know: its version keeps no account of that, or none of all that time, or the earlier backup went where this database never went.
   * @param pieceBytes a multiple of `paged.pageBytes`
   */
  changesSince(
    earlier: EarlierBase,
    options: { readonly pieceBytes: number; readonly signal: AbortSignal },
  ): Promise<PageChanges | undefined>;
  /** Tells the server that its files have been read. @throws ENGINE_BASE_INTERRUPTED when it was promoted or restarted meanwhile */
  finish(options: { readonly signal: AbortSignal }): Promise<BaseEnd>;
}

/** When an earlier backup was made, in terms of WAL. */
export interface EarlierBase {
  readonly start: { readonly timeline: number; readonly lsn: bigint };
  readonly endLsn: bigint;
}

export interface PageChanges {
  /**
   * Of the file at a path below the directory: whether its piece of that number, from 0 on, may differ from what the earlier backup has
   * there. Undefined when any may. A file that the earlier backup has not, or a piece beyond its end there, is not spoken of.
   */
  of(path: string): ((piece: number) => boolean) | undefined;
}

export interface BaseEnd {
  /** The copy is consistent once WAL up to here was replayed. */
  readonly lsn: bigint;
  /** What has to stand in the copy, whatever was read at these paths. Bytes are the content as it must be at the end. */
  readonly files: readonly { readonly path: string; readonly bytes: Uint8Array }[];
}

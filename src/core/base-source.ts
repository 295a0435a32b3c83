/** A database's own files, to be copied while it runs, as a port. */
export interface BaseSource {
  /**
   * Tells the server that its files are about to be read; it writes a checkpoint first, at once. One of a primary's or a replica's.
   * @throws ENGINE_NOT_ANSWERING, ENGINE_BASE_UNSUPPORTED, the signal's reason
   */
  begin(options: { readonly label: string; readonly signal: AbortSignal }): Promise<BaseRead>;
}

/** Files may be read from `begin` until `finish`; without `finish` what was read is worth nothing. */
export interface BaseRead extends AsyncDisposable {
  readonly directory: string;
  /** Paths below `directory`, with `*` for any name, that a copy must not have or has no use for. */
  readonly excluded: readonly string[];
  /** Pages that are changed in place: files at these paths, again with `*`, are best cut into pieces of so many bytes. */
  readonly paged: { readonly paths: readonly string[]; readonly pageBytes: number };
  readonly systemId: string;
  /** `17.10`. */
  readonly version: string;
  readonly segmentBytes: number;
  /** Recovery of the copy begins here. */
  readonly start: { readonly timeline: number; readonly lsn: bigint };
  /** Tells the server that its files have been read. @throws ENGINE_BASE_INTERRUPTED when it was promoted or restarted meanwhile */
  finish(options: { readonly signal: AbortSignal }): Promise<BaseEnd>;
}

export interface BaseEnd {
  /** The copy is consistent once WAL up to here was replayed. */
  readonly lsn: bigint;
  /** What has to stand in the copy, whatever was read at these paths. Bytes are the content as it must be at the end. */
  readonly files: readonly { readonly path: string; readonly bytes: Uint8Array }[];
}

/** Copies of a database, of which a member's data can be made without any other member, as a port. Opening them has written nothing. */
export interface DataCopies extends AsyncDisposable {
  readonly systemId: string;
  /** Of the server whose files they are: `17.10`. */
  readonly version: string;
  /** Recovery goes along this one. */
  readonly timeline: number;
  /** The highest of which anything is stored, whatever its history: a database that begins one of its own takes one beyond. */
  readonly timelineMax: number;
  /** How far the WAL that is stored reaches. */
  readonly reached: { readonly timeline: number; readonly lsn: bigint };
  /** Directories outside of the data directory that hold tablespaces. */
  readonly tablespaces: readonly TablespacePlace[];
  /**
   * Makes directories what they were at the time of the base backup, on disk when it returns: what is there and the same is not written
   * again, what else is there goes. Cut off, the same call goes on.
   * @param places.tablespaceAt where a tablespace is to be, by where it was
   * @throws BACKUP_…, STORAGE_…
   */
  restore(
    places: { readonly directory: string; readonly tablespaceAt: (tablespace: TablespacePlace) => string },
    options: { readonly signal: AbortSignal },
  ): Promise<RestoredBase>;
  /** A file of WAL, or of a timeline's history, as recovery asks for it; undefined when there is none. */
  wal(name: string, options: { readonly signal: AbortSignal }): Promise<Uint8Array | undefined>;
}

export interface TablespacePlace {
  readonly oid: string;
  /** Absolute. */
  readonly location: string;
}

export interface RestoredBase {
  readonly files: number;
  readonly writtenBytes: number;
  /** Were there already. */
  readonly keptBytes: number;
  /** Read back, and as stored. */
  readonly verifiedFiles: number;
}

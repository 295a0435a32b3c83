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
   * @param places.tablespaceAt where a tablespace is to be: a directory that is empty, or holds nothing but an earlier attempt. The links to them
   *   are made by the server, when it starts for the first time
   * @throws BACKUP_TABLESPACE_REFUSED before anything is written; BACKUP_…, STORAGE_…
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
  /** Its name in the database; the same as `oid` where that is not known. */
  readonly name: string;
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

/** The point that a database is to be brought back to. */
export type RecoveryTarget =
  | { readonly kind: 'latest' }
  /** The last transaction committed by then, in ms since 1970. */
  | { readonly kind: 'time'; readonly timeMs: number }
  | { readonly kind: 'lsn'; readonly lsn: bigint }
  /** A restore point that was made with pg_create_restore_point. */
  | { readonly kind: 'name'; readonly name: string };

/** What a recovery came to, as the database says itself. */
export interface Recovered {
  /** Replayed up to here. */
  readonly lsn: bigint;
  /** The timeline that began there. */
  readonly timeline: number;
  /** When the last transaction that is in it was committed, in ms since 1970; undefined when none was replayed. */
  readonly lastTransactionMs: number | undefined;
  readonly segments: number;
  readonly tookMs: number;
}

/** The point that a database is to be brought back to. */
export type RecoveryTarget =
  | { readonly kind: 'latest' }
  /** The last transaction committed by then, in ms since 1970, with microseconds as its fraction. */
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

/** A time as PostgreSQL reads it, to the microsecond. */
export function formatTargetTime(timeMs: number): string {
  const microseconds = Math.round(timeMs * 1000);
  const text = new Date(Math.floor(microseconds / 1000)).toISOString().slice(0, -1);
  return `${text}${String(microseconds % 1000).padStart(3, '0')}+00`;
}

/** A database's log of changes as it comes, as a port: what is streamed is what a crash of its server would leave. */
export interface WalSource {
  /** @throws ENGINE_UPSTREAM_UNREACHABLE, the signal's reason */
  identify(options: { readonly signal: AbortSignal }): Promise<WalIdentity>;
  /** The text of a timeline's history file, as PostgreSQL writes it; timeline 1 has none. */
  history(timeline: number, options: { readonly signal: AbortSignal }): Promise<string>;
  /**
   * The server's time, asked first, and up to where it had flushed WAL, asked then: all that was committed by that time lies before it.
   * @throws ENGINE_NOT_ANSWERING, the server's own error when it is no primary, the signal's reason
   */
  moment(options: { readonly signal: AbortSignal }): Promise<WalMoment>;
  /**
   * Everything from `from` on, and on, as it is flushed there: for whoever is waited for. The server keeps what has not been confirmed, also across
   * its restarts, for as long as its own limits allow.
   * @throws ENGINE_WAL_GONE when it has not got `from` any more; ENGINE_UPSTREAM_UNREACHABLE
   */
  stream(from: WalPlace, options: { readonly signal: AbortSignal }): Promise<WalStream>;
  /**
   * For whoever fetches from time to time what has been flushed: in between the server has no work with it, and need not wait for it to shut down. It
   * keeps what has not been confirmed, as above.
   * @param from everything before it is safe elsewhere
   * @throws the server's own error when it can not keep WAL for it, the signal's reason
   */
  reader(from: WalPlace, options: { readonly signal: AbortSignal }): Promise<WalReader>;
}

export interface WalPlace {
  readonly timeline: number;
  readonly lsn: bigint;
}

export interface WalIdentity {
  /** The same on all members of a service, and nowhere else. */
  readonly systemId: string;
  readonly timeline: number;
  /** Flushed up to here. */
  readonly lsn: bigint;
  /** Size of a file of WAL: a power of two from 1 MiB to 1 GiB. */
  readonly segmentBytes: number;
}

export interface WalMoment {
  /** In ms since 1970, by the server's clock. */
  readonly timeMs: number;
  readonly position: WalPlace;
}

export interface WalStream extends AsyncDisposable {
  /**
   * What came next; one caller at a time. Waits for it.
   * @throws ENGINE_UPSTREAM_UNREACHABLE, the signal's reason
   */
  next(): Promise<WalEvent>;
  /** Everything before `lsn` is safe elsewhere: the server need not keep it. Goes out with the next answer to the server, or after `now`. */
  confirm(lsn: bigint, options?: { readonly now?: boolean }): void;
}

export type WalEvent =
  | { readonly kind: 'bytes'; readonly lsn: bigint; readonly bytes: Uint8Array }
  /** The server waits for a confirmation of what has come, to shut down: whoever can not give it at once had better go. */
  | { readonly kind: 'ending' }
  /** This timeline ends at `lsn`; the server goes on with `next`. Nothing comes after it. */
  | { readonly kind: 'switch'; readonly next: number; readonly lsn: bigint };

/** One caller at a time. */
export interface WalReader {
  /**
   * From `from` on, along the history of the timeline of `until`: to there, or to the end of the timeline that it begins on. What it returns is good
   * until the next call.
   * @param options.until up to where the server has flushed WAL
   * @param options.sizeBytesMax never more than this
   * @throws ENGINE_WAL_GONE when it has not got `from` any more, ENGINE_UPSTREAM_REFUSED when `from` is not on the way to `until`, the signal's reason
   */
  read(from: WalPlace, options: { readonly until: WalPlace; readonly sizeBytesMax: number; readonly signal: AbortSignal }): Promise<WalRun>;
  /** Everything before `lsn` is safe elsewhere: the server need not keep it. @throws the server's own error, the signal's reason */
  confirm(lsn: bigint, options: { readonly signal: AbortSignal }): Promise<void>;
}

export interface WalRun {
  readonly bytes: Uint8Array;
  /** The timeline ends where these end: the server went on there with this one. */
  readonly next?: number;
}

/**
 * One small JSON value on this machine's own disk, as a port: what must survive a crash before it is spoken of.
 * Writing replaces the value atomically: a crash leaves the old or the new one, never a mixture.
 */
export interface DurableCell<T> {
  /** The last value written; undefined when there never was one.
   * @throws CELL_DAMAGED when what is on disk is not what was written (never treated as absent) */
  read(): Promise<T | undefined>;
  /** Resolves only once the value is on stable storage (file and directory flushed).
   * @throws CELL_NOT_WRITTEN (the value must then be taken as not written, but may be) */
  write(value: T): Promise<void>;
}

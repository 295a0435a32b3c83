import type { DataCopies } from '../core/data-copies.ts';
import type { RestoreSource } from '../engine/engine.ts';

/** Where a replica's data can come from. */
export type ReplicaSource = 'leader' | 'copies';

/** A service's copies, for when members have no data. */
export interface CopiesSource {
  /**
   * Those of the database that is served, up to their end, along the leader's timeline as far as it is stored (0: not known yet).
   * @param options.anew a failure of a moment ago does not count
   */
  open(
    of: { readonly systemId: string; readonly timeline: number },
    options: { readonly anew?: boolean; readonly signal: AbortSignal },
  ): Promise<DataCopies>;
  /** What is to be restored when nobody has data; left out: nothing, the first leader makes new data. */
  readonly restore?: {
    /** Tells it from any other restore: what it is and up to when. Each is performed once. */
    readonly order: string;
    open(options: { readonly signal: AbortSignal }): Promise<RestoreSource & AsyncDisposable>;
  };
}

import type { Clock } from '../core/clock.ts';
import type { DataCopies } from '../core/data-copies.ts';
import { hasCode } from '../core/errors.ts';
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

/** A leader that has just begun goes on where its copies do not end yet: its journal tells them of that within a second or two, where all is well. */
const triesMax = 5;
const againMs = 2_000;

/**
 * Makes a member of copies; while its leader does not continue these, once more of what is stored by then, for some seconds.
 * @param make of copies that are listed anew where `anew` says so
 */
export async function makeOfCopies(make: (anew: boolean) => Promise<void>, clock: Clock, signal: AbortSignal): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await make(attempt > 1);
    } catch (error) {
      if (!hasCode(error, 'ENGINE_COPIES_UNFIT') || attempt === triesMax) throw error;
      await clock.sleep(againMs, signal);
    }
  }
}

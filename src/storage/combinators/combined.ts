import type { CallOptions, Location } from '../location.ts';
import type { CatchUp } from './catch-up.ts';
import type { Ensemble } from './ensemble.ts';
import type { Scheme } from './repair.ts';

/** A location made of locations. It takes its parts over: they end with it. */
export interface CombinedLocation extends Location {
  /** Heals what is known to be missing or wrong as far as the parts that answer allow, at once instead of in the background. */
  catchUp(options: CallOptions): Promise<CatchUp>;
  /** For scrub. */
  readonly inside: { readonly ensemble: Ensemble; readonly scheme: Scheme };
}

export function isCombined(location: Location): location is CombinedLocation {
  return 'inside' in location && 'catchUp' in location;
}

import { equalBytes } from '../../bytes.ts';
import type { CallOptions, Location } from '../../location.ts';
import { doneIn, onEach } from '../attempts.ts';
import { isCombined } from '../combined.ts';
import type { Ensemble } from '../ensemble.ts';
import type { Scheme } from '../repair.ts';

/** One of the things that lie under a key, and who has it. */
export interface HeldCopy {
  readonly bytes: Uint8Array;
  readonly locations: readonly string[];
}

/** Of a restic repository: two that were made apart differ in it. */
const identityKey = 'config';

/**
 * What lies under a key: of a mirror in each part that answers soon, also of mirrors of mirrors, the same only once; else in the location. Several
 * where copies differ, none where nobody has it or none answers. For small objects whose keys do not tell which copy is right.
 * @throws what a location that is no mirror says
 */
export async function copiesOf(location: Location, key: string, { signal }: CallOptions): Promise<readonly HeldCopy[]> {
  if (isCombined(location) && location.inside.scheme.holdsWholes) return await copiesAmong(location.inside.ensemble, key, signal);
  return [{ bytes: await location.get(key, { signal }), locations: [location.name] }];
}

/**
 * Whether the parts hold one repository, or most of them do, or none. Those that were made apart are not healed from one another: it would make one
 * of two, which neither one's key opens.
 */
export async function areOne({ ensemble, scheme }: { ensemble: Ensemble; scheme: Scheme }, signal: AbortSignal): Promise<boolean> {
  if (!scheme.holdsWholes) return true;
  const counts = (await copiesAmong(ensemble, identityKey, signal)).map(({ locations }) => locations.length);
  return counts.length <= 1 || 2 * Math.max(...counts) > counts.reduce((sum, count) => sum + count, 0);
}

async function copiesAmong({ present, runtime, hedgeMs }: Ensemble, key: string, signal: AbortSignal): Promise<readonly HeldCopy[]> {
  const outcomes = await onEach(present, (part, own) => part.run((one) => copiesOf(one, key, { signal: own }), own), {
    enough: 1,
    clock: runtime.clock,
    patience: { stragglerMs: hedgeMs },
    signal,
  });
  const found: HeldCopy[] = [];
  for (const one of doneIn(outcomes).flatMap(({ value }) => value)) {
    const at = found.findIndex(({ bytes }) => equalBytes(bytes, [one.bytes]));
    if (at < 0) found.push(one);
    else found[at] = { bytes: one.bytes, locations: [...found[at]!.locations, ...one.locations] };
  }
  return found;
}

import { equalBytes } from '../../bytes.ts';
import type { CallOptions, Location } from '../../location.ts';
import { doneIn, onEach } from '../attempts.ts';
import { isCombined } from '../combined.ts';
import { MirrorScheme } from './mirror-scheme.ts';

/** One of the things that lie under a key, and who has it. */
export interface HeldCopy {
  readonly bytes: Uint8Array;
  readonly locations: readonly string[];
}

/**
 * What lies under a key: of a mirror in each part that answers soon, also of mirrors of mirrors, the same only once; else in the location. Several
 * where copies differ, none where nobody has it or none answers. For small objects whose keys do not tell which copy is right.
 * @throws what a location that is no mirror says
 */
export async function copiesOf(location: Location, key: string, { signal }: CallOptions): Promise<readonly HeldCopy[]> {
  if (!isCombined(location) || !(location.inside.scheme instanceof MirrorScheme))
    return [{ bytes: await location.get(key, { signal }), locations: [location.name] }];
  const { present, runtime, hedgeMs } = location.inside.ensemble;
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

import { doneIn } from './attempts.ts';
import { type Ensemble, roundsMax } from './ensemble.ts';

/**
 * Removes an object from all parts, notes those that were not reached, then looks: a repair in another process may have written a copy after
 * this removal had passed by. Whoever repairs looks after writing, whoever removes looks after removing; one of them sees the other.
 * @throws STORAGE_BEHIND, or what a part said when they were too few
 */
export async function removeFrom(ensemble: Ensemble, key: string, signal: AbortSignal): Promise<void> {
  ensemble.assertRemovalsCanBeNoted();
  const outcomes = await ensemble.each(ensemble.forChange(), ensemble.writeMin, signal, (part, own) =>
    part.run((location) => location.remove(key, { signal: own }), own),
  );
  await ensemble.conclude(key, outcomes, 0, signal, { removal: true });
  let parts = doneIn(outcomes).map(({ part }) => part);
  for (let round = 0; round < roundsMax && parts.length > 0; round += 1) {
    const looks = await ensemble.each(parts, parts.length, signal, (part, own) =>
      part.run((location) => location.stat(key, { signal: own }), own),
    );
    parts = doneIn(looks).flatMap(({ part, value }) => (value === undefined ? [] : [part]));
    await ensemble.each(parts, parts.length, signal, (part, own) => part.run((location) => location.remove(key, { signal: own }), own));
  }
}

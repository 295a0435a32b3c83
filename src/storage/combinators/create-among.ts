import { hasCode } from '../../core/errors.ts';
import { alreadyExists } from '../failures.ts';
import { failedIn, doneIn, type Outcome } from './attempts.ts';
import type { Ensemble } from './ensemble.ts';
import type { Part } from './part.ts';

export interface Creation {
  /** @throws STORAGE_EXISTS */
  readonly create: (part: Part, signal: AbortSignal) => Promise<void>;
  readonly replace: (part: Part, signal: AbortSignal) => Promise<void>;
  /** Whether what the part has under the key is not an object but what is left of one. */
  readonly isFree: (part: Part, signal: AbortSignal) => Promise<boolean>;
}

/**
 * Creates in the first part that answers, then in all others: of several creators the first one at that part goes on, so at most one fills the
 * others. Where two do not see the same part first, as one is away for one of them, neither is done without `writeMin` parts of its own; with
 * more than half of them that is only one. @throws STORAGE_EXISTS, or the signal's reason
 */
export async function createAmong(ensemble: Ensemble, key: string, signal: AbortSignal, creation: Creation): Promise<Outcome<void>[]> {
  const behind = ensemble.pending.behind(key);
  const parts = ensemble.forChange();
  const outcomes: Outcome<void>[] = [];
  const rest = [...parts];
  // What a part that is behind has is no object any more: it has no say.
  for (const part of parts.filter(({ number }) => !behind.has(number))) {
    rest.splice(rest.indexOf(part), 1);
    const [outcome] = await ensemble.each([part], 1, signal, (one, own) => createOrReplace(one, own, creation, false));
    outcomes.push(outcome!);
    if ('value' in outcome!) break;
    if (hasCode(outcome!.error, 'STORAGE_EXISTS')) throw alreadyExists(ensemble.name, key);
  }
  const enough = ensemble.writeMin - 1;
  if (doneIn(outcomes).length > 0)
    outcomes.push(
      ...(await ensemble.each(rest, enough, signal, (part, own) => createOrReplace(part, own, creation, behind.has(part.number)))),
    );
  if (doneIn(outcomes).length < ensemble.writeMin && failedIn(outcomes).some(({ error }) => hasCode(error, 'STORAGE_EXISTS'))) {
    ensemble.suspect(key);
    throw alreadyExists(ensemble.name, key);
  }
  return outcomes;
}

async function createOrReplace(part: Part, signal: AbortSignal, { create, replace, isFree }: Creation, stale: boolean): Promise<void> {
  try {
    await create(part, signal);
  } catch (error) {
    if (!hasCode(error, 'STORAGE_EXISTS')) throw error;
    if (!stale && !(await isFree(part, signal))) throw error;
    await replace(part, signal);
  }
}

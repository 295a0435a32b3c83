import type { Runtime } from '../../core/runtime.ts';
import { mapAtOnce } from '../gate.ts';
import { foldedFactsOf, type FoldedWal } from '../journal/folded.ts';
import { listJournal, type JournalObject } from '../journal/journal-key.ts';
import { baseFactsOf, type BaseFacts } from '../postgres/base.ts';
import type { Repository, Snapshot } from '../repository.ts';
import { decideForget, type KeepRules } from './decide.ts';
import { decideUnneededWal } from './unneeded-wal.ts';

const removedAtOnceMax = 8;

export interface RetainOptions {
  readonly service: string;
  /** Of the database that the service has now: its WAL stays even before its first base backup. */
  readonly systemId: string;
  /** Which base backups stay; none goes without rules. */
  readonly rules: KeepRules;
  readonly signal: AbortSignal;
}

export interface RetainFigures {
  readonly keptBases: number;
  readonly forgottenBases: number;
  /** Snapshots of WAL that no kept base needs, or that a longer one replaces. */
  readonly forgottenWal: number;
  /** Objects of the journal. */
  readonly removedParts: number;
}

interface Base {
  readonly snapshot: Snapshot;
  readonly facts: BaseFacts;
}

/**
 * Forgets base backups of a service by rules, then the WAL that nothing kept needs: from the oldest kept one on, all of it stays. Rules hold for
 * each database by itself, should the service have had several: a new one does not push the copies of the old one out. What the snapshots took
 * is freed by the next prune. Under the exclusive lock.
 * @throws BACKUP_LOCKED, STORAGE_DENIED, STORAGE_…
 */
export async function retainCopies(
  repository: Repository,
  runtime: Pick<Runtime, 'clock'>,
  { service, systemId, rules, signal }: RetainOptions,
): Promise<RetainFigures> {
  await using maintenance = await repository.maintain({ signal });
  const objects = await Array.fromAsync(listJournal(repository.location, service, { signal: maintenance.signal }));
  const bases: Base[] = [];
  const folded: FoldedWal[] = [];
  for await (const snapshot of repository.snapshots({ signal: maintenance.signal })) {
    const base = baseFactsOf(snapshot);
    const wal = foldedFactsOf(snapshot);
    if (base?.service === service) bases.push({ snapshot, facts: base });
    if (wal?.service === service) folded.push({ snapshot, facts: wal });
  }
  const forgotten = decideForgottenBases(bases, rules, runtime.clock.wallMs());
  const kept = bases.filter(({ snapshot }) => !forgotten.has(snapshot));
  const unneeded = decideUnneededWal({ systemId, bases: kept.map(({ facts }) => facts), folded, objects });
  await maintenance.removeSnapshots([...forgotten, ...unneeded.snapshots].map(({ id }) => id));
  await mapAtOnce<JournalObject, void>(unneeded.objects, removedAtOnceMax, ({ key }) =>
    repository.location.remove(key, { signal: maintenance.signal }),
  );
  return {
    keptBases: kept.length,
    forgottenBases: forgotten.size,
    forgottenWal: unneeded.snapshots.length,
    removedParts: unneeded.objects.length,
  };
}

function decideForgottenBases(bases: readonly Base[], rules: KeepRules, nowMs: number): ReadonlySet<Snapshot> {
  const databases = Map.groupBy(bases, ({ facts }) => facts.systemId);
  return new Set(
    [...databases.values()].flatMap((own) =>
      decideForget(
        own.map(({ snapshot }) => snapshot),
        { rules, nowMs, groupBy: {} },
      ).flatMap(({ keep, remove }) => (keep.length === 0 ? [] : remove)),
    ),
  );
}

import { HoldfastError } from '../../core/errors.ts';
import type { Runtime } from '../../core/runtime.ts';
import { isFolded } from '../journal/folded.ts';
import type { FileId, Repository, Snapshot } from '../repository.ts';
import { findNeededWal } from './unneeded-wal.ts';
import { areEmptyRules, decideForget, type ForgetGroup, type KeepRules } from './decide.ts';
import { groupSnapshots, matchesFilter, type GroupBy, type SnapshotFilter } from './group.ts';

export interface ForgetSnapshotsOptions {
  readonly rules: KeepRules;
  readonly groupBy?: GroupBy;
  /** Which snapshots it is about; the others stay. */
  readonly filter?: SnapshotFilter;
  readonly neededBy?: (snapshot: Snapshot) => string | undefined;
  /** Whether the rules may leave nothing of a group. */
  readonly mayRemoveAll?: boolean;
  /** Only tells what would be done. */
  readonly dryRun?: boolean;
  readonly signal: AbortSignal;
}

/**
 * Forgets the snapshots that rules let go. Their data are removed by the next prune.
 * @throws BACKUP_RULES_EMPTY, BACKUP_FORGETS_ALL (nothing was removed), BACKUP_LOCKED
 */
export async function forgetByRules(
  repository: Repository,
  runtime: Pick<Runtime, 'clock'>,
  options: ForgetSnapshotsOptions,
): Promise<ForgetGroup[]> {
  const { rules, signal } = options;
  if (areEmptyRules(rules)) {
    throw new HoldfastError('BACKUP_RULES_EMPTY', 'no rule says what is to be kept', {
      hint: 'say so: --keep-last, --keep-daily, --keep-within, --keep-tag …',
    });
  }
  const decide = async (): Promise<ForgetGroup[]> => {
    const snapshots: Snapshot[] = [];
    for await (const snapshot of repository.snapshots({ signal }))
      if (matchesFilter(snapshot, options.filter ?? {})) snapshots.push(snapshot);
    // Base backups need WAL, which goes after them (retain.ts): rules neither choose it nor count it.
    const ruled = snapshots.filter((snapshot) => !isFolded(snapshot));
    const groups = decideForget(ruled, { ...options, nowMs: runtime.clock.wallMs() });
    const emptied = groups.find((group) => group.keep.length === 0);
    if (emptied !== undefined && options.mayRemoveAll !== true) throw forgetsAll(emptied);
    const wal = groupSnapshots(snapshots.filter(isFolded), options.groupBy ?? { paths: true });
    const keepAll = wal.map(({ key, snapshots: all }) => ({
      key,
      keep: all.map((snapshot) => ({ snapshot, reasons: ['WAL of base backups'] })),
      remove: [],
    }));
    return [...groups, ...keepAll];
  };
  if (options.dryRun === true) return decide();
  await using maintenance = await repository.maintain({ signal });
  const groups = await decide();
  await maintenance.removeSnapshots(groups.flatMap((group) => group.remove.map((snapshot) => snapshot.id)));
  return groups;
}

/** Forgets snapshots by their ids, damaged ones as well. @throws BACKUP_WAL_NEEDED, BACKUP_DAMAGED (another one; nothing was removed), BACKUP_LOCKED */
export async function forgetSnapshots(
  repository: Repository,
  ids: Iterable<FileId>,
  { signal }: { readonly signal: AbortSignal },
): Promise<void> {
  await using maintenance = await repository.maintain({ signal });
  const going = new Set(ids);
  const onDamaged = (id: FileId, error: Error): void => {
    if (!going.has(id)) throw error;
  };
  const snapshots = await Array.fromAsync(repository.snapshots({ signal, onDamaged }));
  const needed = findNeededWal(snapshots, going);
  if (needed !== undefined) throw walNeeded(needed.wal, needed.base);
  await maintenance.removeSnapshots(going);
}

function walNeeded(wal: Snapshot, base: Snapshot): HoldfastError {
  return new HoldfastError('BACKUP_WAL_NEEDED', `snapshot ${wal.id} holds WAL that the base backup ${base.id} needs; nothing was removed`, {
    hint: 'Forget base backups; the agent removes WAL that none needs any more.',
  });
}

function forgetsAll({ key, remove }: ForgetGroup): HoldfastError {
  const what = [key.host, ...key.paths, ...key.tags].filter((part) => part !== '').join(' ');
  return new HoldfastError(
    'BACKUP_FORGETS_ALL',
    `the rules would leave none of ${remove.length} snapshots${what === '' ? '' : ` of ${what}`}; nothing was removed`,
    {
      hint: 'keep at least the last one, or say that all may go: --allow-remove-all',
    },
  );
}

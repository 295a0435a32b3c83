import type { Command } from 'commander';
import type { Snapshot } from '../../backup/index.ts';
import type { SnapshotsOptions } from '../../backup/repository.ts';
import { matchesFilter, type SnapshotFilter } from '../../backup/retention/group.ts';
import { HoldfastError } from '../../core/errors.ts';
import { parsePercent, parseSizeBytes } from '../../core/units.ts';
import type { RepositorySession } from './open.ts';

/** For options that may be given several times. */
export function collect(value: string, all: readonly string[] = []): string[] {
  return [...all, value];
}

/** `a,b` means both tags. */
export function collectTags(value: string, all: readonly (readonly string[])[] = []): (readonly string[])[] {
  return [...all, value.split(',').map((tag) => tag.trim())];
}

/** @throws CLI_USAGE */
export function wholeNumber(text: string): number {
  if (/^\d{1,9}$/.test(text)) return Number(text);
  throw new HoldfastError('CLI_USAGE', `"${text}" is no whole number`);
}

/** `5%`, in percent. @throws UNIT_INVALID */
export function percent(text: string): number {
  return parsePercent(text) * 100;
}

export const size: (text: string) => number = parseSizeBytes;

export interface FilterOptions {
  readonly host?: readonly string[];
  readonly path?: readonly string[];
  readonly tag?: readonly (readonly string[])[];
}

export function addFilterOptions(command: Command): Command {
  return command
    .option('--host <name>', 'only snapshots of this host (may be repeated)', collect)
    .option('--path <path>', 'only snapshots that have this path (may be repeated: all of them)', collect)
    .option('--tag <tags>', 'only snapshots with these tags, as a,b (may be repeated: or with those)', collectTags);
}

export function filterOf({ host, path, tag }: FilterOptions): SnapshotFilter {
  return { ...(host && { hosts: host }), ...(path && { paths: path }), ...(tag && { tags: tag }) };
}

/** The snapshots of the given ids, else all that the filter lets through; oldest first. */
export async function chosenSnapshots(
  { repository, signal }: RepositorySession,
  ids: readonly string[],
  options: FilterOptions & { readonly onDamaged?: SnapshotsOptions['onDamaged'] },
): Promise<Snapshot[]> {
  if (ids.length > 0) return Promise.all(ids.map((id) => repository.snapshot(id, { signal })));
  const filter = filterOf(options);
  const all = await Array.fromAsync(repository.snapshots({ signal, onDamaged: options.onDamaged }));
  return all.filter((snapshot) => matchesFilter(snapshot, filter)).toSorted((a, b) => a.timeMs - b.timeMs);
}

import { join, resolve } from 'node:path';
import type { RestoredBase, TablespacePlace } from '../../core/data-copies.ts';
import { HoldfastError } from '../../core/errors.ts';
import { findNode, loadTree } from '../browse/walk.ts';
import { give, look, writeText } from '../files/fs.ts';
import { restoreFiles, type RestoreOptions, type RestoreResult } from '../files/restore/restore.ts';
import type { Repository, Snapshot } from '../repository.ts';
import { checkPlaces, mapName, renderTablespaceMap, tablespacesOf } from './tablespaces.ts';

export interface RestoreBaseOptions extends Pick<RestoreOptions, 'onProgress' | 'signal'> {
  readonly directory: string;
  /** The directories may hold something: only what differs is written, what the snapshot does not have is removed. */
  readonly overwrite: boolean;
  /** Where a tablespace is to be. Default: where it was. */
  readonly tablespaceAt?: (tablespace: TablespacePlace) => string;
}

/**
 * Restores a base backup, reads it back, and leaves it as recovery wants it.
 * @throws BACKUP_TABLESPACE_REFUSED before anything is written; BACKUP_RESTORE_INCOMPLETE, and what `restoreFiles` throws
 */
export async function restoreBase(repository: Repository, snapshot: Snapshot, options: RestoreBaseOptions): Promise<RestoredBase> {
  const { overwrite, tablespaceAt = ({ location }) => location, onProgress, signal } = options;
  const directory = resolve(options.directory);
  const places = (await tablespacesOf(repository, snapshot, { signal })).map((one) => ({ ...one, target: tablespaceAt(one) }));
  await checkPlaces(directory, places, overwrite);
  const order = { overwrite, removeOthers: overwrite, verify: true, ...(onProgress && { onProgress }), signal };
  const exclude = places.length === 0 ? [] : [...places.map(({ oid }) => `/pg_tblspc/${oid}`), `/${mapName}`];
  const results = [await restoreFiles(repository, snapshot, { ...order, target: directory, filter: { exclude } })];
  // Before the first of them: the same call, when it goes on, knows them by it.
  if (places.length > 0) await writeMap(directory, places);
  for (const { oid, target } of places) {
    const from = `/pg_tblspc/${oid}`;
    // Only what is a server's own in there: beside it may lie what is nobody's to remove.
    const { subtree } = (await findNode(repository, snapshot.tree, from, signal))!;
    for (const { name } of await loadTree(repository, subtree!, signal)) {
      const inside = join(target, name);
      results.push(await restoreFiles(repository, snapshot, { ...order, from: `${from}/${name}`, target: inside }));
      await likeDataDirectory(directory, inside);
    }
    await likeDataDirectory(directory, target);
  }
  for (const { issueCount, issues } of results) if (issueCount > 0) throw incomplete(issueCount, issues[0]?.message ?? '');
  const sum = (of: (result: RestoreResult) => number): number => results.reduce((total, result) => total + of(result), 0);
  return {
    files: sum(({ files }) => files),
    writtenBytes: sum(({ writtenBytes }) => writtenBytes),
    keptBytes: sum(({ keptBytes }) => keptBytes),
    verifiedFiles: sum(({ verifiedFiles = 0 }) => verifiedFiles),
  };
}

async function writeMap(directory: string, places: readonly { readonly oid: string; readonly target: string }[]): Promise<void> {
  const map = join(directory, mapName);
  await writeText(map, renderTablespaceMap(places.map(({ oid, target }) => ({ oid, location: target }))));
  await give(map, await look(join(directory, 'PG_VERSION')), 0o600);
}

/** Of the root of what is restored a snapshot says nothing. */
async function likeDataDirectory(directory: string, target: string): Promise<void> {
  await give(target, await look(join(directory, 'PG_VERSION')), 0o700);
}

function incomplete(count: number, first: string): HoldfastError {
  return new HoldfastError('BACKUP_RESTORE_INCOMPLETE', `${count} files could not be restored: ${first}`, {
    hint: 'What was restored stays; the same command goes on. `holdfast check --read-data` tells whether the copies are damaged.',
  });
}

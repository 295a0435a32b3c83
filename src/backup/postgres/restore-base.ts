import { join, resolve } from 'node:path';
import type { RestoredBase, TablespacePlace } from '../../core/data-copies.ts';
import { HoldfastError } from '../../core/errors.ts';
import { findNode, loadTree } from '../browse/walk.ts';
import { give, look, writeText } from '../files/fs.ts';
import { assertRestorable, restoreFiles, type RestoreOptions, type RestoreResult } from '../files/restore/restore.ts';
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
 * @throws BACKUP_TABLESPACE_REFUSED, BACKUP_NO_SPACE and whatever else `restoreFiles` refuses, before anything is written; BACKUP_RESTORE_INCOMPLETE
 */
export async function restoreBase(repository: Repository, snapshot: Snapshot, options: RestoreBaseOptions): Promise<RestoredBase> {
  const { overwrite, tablespaceAt = ({ location }) => location, onProgress, signal } = options;
  const directory = resolve(options.directory);
  const places = (await tablespacesOf(repository, snapshot, { signal })).map((one) => ({ ...one, target: tablespaceAt(one) }));
  await checkPlaces(directory, places, overwrite);
  const common = { overwrite, removeOthers: overwrite, verify: true, ...(onProgress && { onProgress }), signal };
  const exclude = places.length === 0 ? [] : [...places.map(({ oid }) => `/pg_tblspc/${oid}`), `/${mapName}`];
  const main = { ...common, target: directory, filter: { exclude } };
  const parts = await Promise.all(
    places.map(async ({ oid, target }) => ({ target, orders: await ordersWithin(repository, snapshot, { oid, target, common }) })),
  );
  if (parts.length > 0) await assertRestorable(repository, snapshot, [main, ...parts.flatMap(({ orders }) => orders)]);
  const results = [await restoreFiles(repository, snapshot, main)];
  // Of the root of what is restored a snapshot says nothing.
  const owner = await look(join(directory, 'PG_VERSION')).catch(() => look(directory));
  // Before the first of them: the same call, when it goes on, knows them by it.
  if (places.length > 0) await writeMap(directory, places, owner);
  for (const { target, orders } of parts) {
    for (const order of orders) {
      results.push(await restoreFiles(repository, snapshot, order));
      await give(order.target, owner, 0o700);
    }
    await give(target, owner, 0o700);
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

/** Only what is a server's own in a tablespace's directory: beside it may lie what is nobody's to remove. */
async function ordersWithin(
  repository: Repository,
  snapshot: Snapshot,
  { oid, target, common }: { readonly oid: string; readonly target: string; readonly common: Omit<RestoreOptions, 'target'> },
): Promise<RestoreOptions[]> {
  const from = `/pg_tblspc/${oid}`;
  const { subtree } = (await findNode(repository, snapshot.tree, from, common.signal))!;
  const nodes = await loadTree(repository, subtree!, common.signal);
  return nodes.map(({ name }) => ({ ...common, from: `${from}/${name}`, target: join(target, name) }));
}

async function writeMap(
  directory: string,
  places: readonly { readonly oid: string; readonly target: string }[],
  owner: { readonly uid: bigint; readonly gid: bigint },
): Promise<void> {
  const map = join(directory, mapName);
  await writeText(map, renderTablespaceMap(places.map(({ oid, target }) => ({ oid, location: target }))));
  await give(map, owner, 0o600);
}

function incomplete(count: number, first: string): HoldfastError {
  return new HoldfastError('BACKUP_RESTORE_INCOMPLETE', `${count} files could not be restored: ${first}`, {
    hint: 'What was restored stays; the same command goes on. `holdfast check --read-data` tells whether the copies are damaged.',
  });
}

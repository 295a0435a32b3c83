import { basename, isAbsolute, join } from 'node:path';
import type { TablespacePlace } from '../../core/data-copies.ts';
import { HoldfastError } from '../../core/errors.ts';
import { dumpSnapshot } from '../browse/dump.ts';
import { loadTree } from '../browse/walk.ts';
import { listDirectory, readLink, readText } from '../files/fs.ts';
import type { Repository, Snapshot } from '../repository.ts';

/*
 * A base backup has a tablespace's files below `pg_tblspc/OID`, as if they lay there, and PostgreSQL's `tablespace_map`, which says where they
 * lay and by which a server that starts on a copy makes the links. Tags `tablespace=OID:NAME` tell the names.
 */

export const mapName = 'tablespace_map';
const tag = 'tablespace=';
const mapBytesMax = 1024 * 1024;

export function tagsOfTablespaces(tablespaces: readonly { readonly oid: string; readonly name: string }[]): string[] {
  return tablespaces.map(({ oid, name }) => `${tag}${oid}:${name}`);
}

/** Those that a base backup has outside of the data directory. */
export async function tablespacesOf(
  repository: Repository,
  snapshot: Snapshot,
  { signal }: { readonly signal: AbortSignal },
): Promise<TablespacePlace[]> {
  const root = await loadTree(repository, snapshot.tree, signal);
  if (!root.some(({ name }) => name === mapName)) return [];
  const pieces: Uint8Array[] = [];
  let sizeBytes = 0;
  for await (const piece of dumpSnapshot(repository, snapshot, { path: `/${mapName}`, signal })) {
    sizeBytes += piece.byteLength;
    if (sizeBytes > mapBytesMax) throw new RangeError(`a ${mapName} of more than ${mapBytesMax} bytes`);
    pieces.push(Uint8Array.from(piece));
  }
  const names = namesOf(snapshot);
  return parseTablespaceMap(Buffer.concat(pieces).toString('utf8')).map((place) => ({ ...place, name: names.get(place.oid) ?? place.oid }));
}

function namesOf({ tags }: Snapshot): ReadonlyMap<string, string> {
  const told = tags.filter((one) => one.startsWith(tag)).map((one) => one.slice(tag.length));
  return new Map(told.map((one) => [one.slice(0, one.indexOf(':')), one.slice(one.indexOf(':') + 1)]));
}

/** Lines `OID PATH`, with a backslash before each backslash, line feed and carriage return of the path (do_pg_backup_start of xlog.c). */
export function parseTablespaceMap(text: string): { oid: string; location: string }[] {
  return [...text.matchAll(/(\d+) ((?:\\[^]|[^\\\n\r])+)(?:\r?\n|$)/g)].map(([, oid, path]) => ({
    oid: oid!,
    location: path!.replaceAll(/\\([^])/g, '$1'),
  }));
}

export function renderTablespaceMap(places: readonly { readonly oid: string; readonly location: string }[]): string {
  return places.map(({ oid, location }) => `${oid} ${location.replaceAll(/[\\\n\r]/g, String.raw`\$&`)}\n`).join('');
}

/** What may be in a directory for a tablespace before it is used: those of other versions of PostgreSQL, of Holdfast's own, of the file system's. */
const notInTheWay = /^(holdfast\.(aside|partial)-.*|lost\+found)$/;
const ofServers = /^PG_/;
/** Where a member's tablespaces are made, to be moved into place: nobody else's. */
const inTheMaking = /^holdfast\.partial-/;

/**
 * Refuses places that can not be taken, before anything is written.
 * @param overwrite a tablespace may be there that belongs to what the directory holds: what belongs to other data is not gone over
 * @throws BACKUP_TABLESPACE_REFUSED
 */
export async function checkPlaces(
  directory: string,
  places: readonly { readonly name: string; readonly target: string }[],
  overwrite: boolean,
): Promise<void> {
  const taken = new Set<string>();
  const own = overwrite ? await placesWithin(directory) : new Set<string>();
  const isOwn = (target: string): boolean => own.has(target) || (overwrite && inTheMaking.test(basename(target)));
  for (const { name, target } of places) {
    if (!isAbsolute(target)) throw refused(name, target, 'is no absolute path');
    if (isWithin(target, directory) || isWithin(directory, target)) throw refused(name, target, `overlaps with ${directory}`);
    if (taken.has(target)) throw refused(name, target, 'is the place of another tablespace');
    taken.add(target);
    const found = await listDirectory(target).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return [];
      throw refused(name, target, `can not be read: ${error.message}`);
    });
    const inTheWay = found.find((one) => !notInTheWay.test(one) && !(isOwn(target) && ofServers.test(one)));
    if (inTheWay !== undefined) throw refused(name, target, `is not empty: it holds ${inTheWay}`);
  }
}

/** Those of data that a server has started on, by its links; else by the map that a restore wrote. */
async function placesWithin(directory: string): Promise<ReadonlySet<string>> {
  const links = join(directory, 'pg_tblspc');
  const names = await listDirectory(links).catch(() => []);
  const linked = await Promise.all(names.map((name) => readLink(join(links, name)).catch(() => undefined)));
  const map = await readText(join(directory, mapName), mapBytesMax);
  const mapped = parseTablespaceMap(map ?? '').map(({ location }) => location);
  return new Set([...linked.filter((target) => target !== undefined), ...mapped]);
}

function isWithin(path: string, directory: string): boolean {
  return path === directory || path.startsWith(`${directory}/`);
}

function refused(name: string, target: string, why: string): HoldfastError {
  return new HoldfastError('BACKUP_TABLESPACE_REFUSED', `${target}, where the tablespace ${name} is to be, ${why}`, {
    hint: 'Nothing was written. Empty it, or name another directory: --tablespace NAME=DIRECTORY.',
  });
}

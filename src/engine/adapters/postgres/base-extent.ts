import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { BaseRead } from '../../../core/base-source.ts';
import type { Session } from './session.ts';
import { queryTimeoutMs } from './sessions.ts';
import { tablespaceLinks } from './tablespaces.ts';

/** How far a base backup reaches: tablespaces outside of the data directory too, but not what a start makes empty anyway. */

/** Temporary files in tablespaces. */
export const excludedOfTablespaces: readonly string[] = [
  'pg_tblspc/*/*/pgsql_tmp/*',
  'pg_tblspc/*/*/*/t*_*',
  'pg_tblspc/*/*/*/pg_internal.init*',
];

/** Tablespaces that are elsewhere, as they are linked on this member. */
export async function outsideTablespaces(data: string, session: Session, signal: AbortSignal): Promise<BaseRead['tablespaces']> {
  const links = await tablespaceLinks(data);
  if (links.length === 0) return [];
  const rows = await session.query('select oid::text as oid, spcname as name from pg_tablespace', { timeoutMs: queryTimeoutMs, signal });
  const names = new Map(rows.map((row) => [String(row['oid']), String(row['name'])]));
  return links.map((path) => {
    const oid = path.slice(path.indexOf('/') + 1);
    return { path, oid, name: names.get(oid) ?? oid };
  });
}

/**
 * What pg_basebackup leaves out as well: files of unlogged relations, but for the init forks of which they are made anew when recovery ends
 * (ResetUnloggedRelations of reinit.c), where relations that are made later are read for nothing; and what is not of this version in tablespaces.
 */
export async function needlessFiles(data: string, version: string): Promise<(path: string) => boolean> {
  const isUnlogged = await unloggedFiles(data);
  return (path) => {
    const [, inside = version] = /^pg_tblspc\/\d+\/([^/]+)/.exec(path) ?? [];
    return inside !== version || isUnlogged(path);
  };
}

async function unloggedFiles(data: string): Promise<(path: string) => boolean> {
  const unlogged = new Set<string>();
  for (const directory of await databaseDirectories(data)) {
    for (const name of await readdir(join(data, directory)).catch(() => [])) {
      const [, relation] = /^(\d+)_init$/.exec(name) ?? [];
      if (relation !== undefined) unlogged.add(`${directory}/${relation}`);
    }
  }
  if (unlogged.size === 0) return () => false;
  return (path) => {
    const [, relation] = /^(.*\/\d+)(?:_(?:fsm|vm))?(?:\.\d+)?$/.exec(path) ?? [];
    return relation !== undefined && unlogged.has(relation);
  };
}

/** `base/OID` and `pg_tblspc/OID/PG_…/OID`. */
async function databaseDirectories(data: string): Promise<string[]> {
  const list = async (directory: string): Promise<string[]> =>
    (await readdir(join(data, directory)).catch(() => [])).map((name) => `${directory}/${name}`);
  const versions = (await Promise.all((await list('pg_tblspc')).map(list))).flat();
  return [...(await list('base')), ...(await Promise.all(versions.map(list))).flat()];
}

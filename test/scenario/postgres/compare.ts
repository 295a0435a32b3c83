import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Client } from 'pg';
import { isPageIntact } from '../../../src/core/page-checksum.ts';

/** Everything that a client can see, as one hash per table of every database: rows, indexes by amcheck, sequences. */
export async function fingerprint(connect: (options: { database?: string }) => Promise<Client>): Promise<Record<string, string>> {
  const result: Record<string, string> = {};
  for (const database of await names(connect)) {
    const client = await connect({ database });
    try {
      const tables = await client.query<{ name: string; kind: string }>(
        `select format('%I.%I', nspname, relname) as name, relkind as kind from pg_class join pg_namespace n on n.oid = relnamespace
          where relkind in ('r', 'm', 'S') and relpersistence = 'p' and nspname not in ('information_schema', 'pg_toast') and relname not like 'pg_stat%' order by 1`,
      );
      for (const { name } of tables.rows) {
        const { rows } = await client.query<{ hash: string }>(
          `select md5(coalesce(string_agg(t::text, '|' order by t::text), '')) || count(*) as hash from (select * from ${name}) as t`,
        );
        result[`${database}.${name}`] = rows[0]!.hash;
      }
    } finally {
      await client.end();
    }
  }
  return result;
}

async function names(connect: (options: { database?: string }) => Promise<Client>): Promise<string[]> {
  const client = await connect({});
  const { rows } = await client.query<{ datname: string }>('select datname from pg_database where datallowconn order by 1');
  await client.end();
  return rows.map((row) => row.datname);
}

/** Runs amcheck over every index and heap; the extension must be there. Resolves to what it complains of. */
export async function amcheck(client: Client): Promise<string[]> {
  const complaints: string[] = [];
  const indexes = await client.query<{ name: string }>(
    `select i.indexrelid::regclass::text as name from pg_index i join pg_class c on c.oid = i.indexrelid join pg_am a on a.oid = c.relam where a.amname = 'btree' and i.indisvalid and c.relpersistence = 'p'`,
  );
  for (const { name } of indexes.rows) {
    await client
      .query('select bt_index_check($1::regclass, true)', [name])
      .catch((error: Error) => complaints.push(`${name}: ${error.message}`));
  }
  const heaps = await client.query<{ name: string }>(
    `select oid::regclass::text as name from pg_class where relkind in ('r', 't', 'm') and relpersistence = 'p'`,
  );
  for (const { name } of heaps.rows) {
    const { rows } = await client.query<{ blkno: string; msg: string }>('select blkno, msg from verify_heapam($1::regclass)', [name]);
    complaints.push(...rows.map((row) => `${name} block ${row.blkno}: ${row.msg}`));
  }
  return complaints;
}

/** Pages of a stopped server whose checksum does not fit, and how many were looked at. */
export async function pageProblems(data: string): Promise<{ pages: number; problems: string[] }> {
  let pages = 0;
  const problems: string[] = [];
  for (const file of await relationFiles(data)) {
    const content = await readFile(join(data, file.path));
    for (let at = 0; at + 8192 <= content.length; at += 8192) {
      pages += 1;
      const page = Buffer.from(content.subarray(at, at + 8192));
      if (!isPageIntact(page, file.segment * 131_072 + at / 8192)) problems.push(`${file.path} page ${at / 8192}`);
    }
  }
  return { pages, problems };
}

async function relationFiles(data: string): Promise<{ path: string; segment: number }[]> {
  const directories = ['global', ...(await readdir(join(data, 'base'))).map((name) => `base/${name}`)];
  const found: { path: string; segment: number }[] = [];
  for (const directory of directories) {
    for (const name of await readdir(join(data, directory))) {
      const [matched, segment = '0'] = /^\d+(?:\.(\d+))?$/.exec(name) ?? [];
      if (matched !== undefined) found.push({ path: `${directory}/${name}`, segment: Number(segment) });
    }
  }
  return found;
}

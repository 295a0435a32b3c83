import pg from 'pg';
import { TABLE } from './row-client.ts';

const QUERY_MS_MAX = 5_000;
const IDS_PER_QUERY = 20_000;

/** One query on a connection of its own. @throws what the server or the network says */
export async function query<T extends pg.QueryResultRow>(connection: string, sql: string, values: unknown[] = []): Promise<T[]> {
  const client = new pg.Client({ connectionString: connection, connectionTimeoutMillis: QUERY_MS_MAX, query_timeout: QUERY_MS_MAX });
  client.on('error', () => {});
  try {
    await client.connect();
    return (await client.query<T>(sql, values)).rows;
  } finally {
    void client.end().catch(() => {});
  }
}

export async function createTable(connection: string): Promise<void> {
  await query(connection, `create table if not exists ${TABLE} (source text not null, id bigint not null, primary key (source, id))`);
}

/** How many of these rows are not there. */
export async function countMissing(connection: string, source: string, ids: readonly number[]): Promise<number> {
  let found = 0;
  for (let from = 0; from < ids.length; from += IDS_PER_QUERY) {
    const sql = `select count(*)::int as found from ${TABLE} where source = $1 and id = any($2::bigint[])`;
    const [row] = await query<{ found: number }>(connection, sql, [source, ids.slice(from, from + IDS_PER_QUERY)]);
    found += row!.found;
  }
  return ids.length - found;
}

/** How many standbys stream from this server now. */
export async function streamingStandbys(connection: string): Promise<number> {
  const sql = `select count(*)::int as n from pg_stat_replication where state = 'streaming' and not pg_is_in_recovery()`;
  const [row] = await query<{ n: number }>(connection, sql);
  return row!.n;
}

import { mkdir, open, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { listSnapshot } from '../../../src/backup/browse/list.ts';
import { restoreFiles } from '../../../src/backup/files/restore/restore.ts';
import { initRepository, openRepository } from '../../../src/backup/open/open-repository.ts';
import type { OpenedRepository } from '../../../src/backup/open/opened-repository.ts';
import { backupBase, type BaseResult } from '../../../src/backup/postgres/base.ts';
import { recover } from '../../../src/engine/adapters/postgres/recover.ts';
import { LocalLocation } from '../../../src/storage/adapters/local/local-location.ts';
import { account } from '../postgres/account.ts';
import { amcheck, fingerprint, pageProblems } from '../postgres/compare.ts';
import { eventually, replicate, TestCluster, type TestMember } from '../postgres/harness.ts';
import { startRestored } from './restored.ts';

const { signal } = new AbortController();
const service = 'orders';
const password = 'correct horse';

/** Nothing but what a test does changes pages. */
const quiet = { parameters: { summarize_wal: true, autovacuum: false, wal_keep_size: '1GB', checkpoint_timeout: '1h' } };

async function newRepository(cluster: TestCluster): Promise<OpenedRepository> {
  const path = join(cluster.directory, 'repository');
  await mkdir(path);
  const location = new LocalLocation('disk', path, cluster.runtime);
  await initRepository(location, { password, kdfCost: { N: 1024, r: 8, p: 1 } }, cluster.runtime, { signal });
  return await openRepository(location, { password }, cluster.runtime, { signal });
}

/** Pages of relations, but for free space maps, which the server itself trusts little: their blobs, by path. */
async function relations(repository: OpenedRepository, { snapshot }: BaseResult): Promise<Map<string, readonly string[]>> {
  const found = new Map<string, readonly string[]>();
  for await (const { path, node } of listSnapshot(repository, snapshot, { signal }))
    if (/\/\d+(_vm|_init)?(\.\d+)?$/.test(path) && node.type === 'file') found.set(path, node.content!);
  return found;
}

/**
 * Pages in which a base differs from one that read everything right after it, though WAL tells of no change between the two. Reading
 * changes pages, too: the catalogue's, by the server's own queries.
 */
async function wrongPages(repository: OpenedRepository, part: BaseResult, whole: BaseResult): Promise<string[]> {
  const [found, expected] = [await relations(repository, part), await relations(repository, whole)];
  const contentOf = async (ids: readonly string[] = []): Promise<Buffer> =>
    Buffer.concat(await Promise.all(ids.map((id) => repository.loadBlob('data', id, { signal }))));
  const wrong = [...found.keys()].filter((path) => !expected.has(path));
  for (const [path, ids] of expected) {
    if (ids.join() === found.get(path)?.join()) continue;
    const [mine, theirs] = [await contentOf(found.get(path)), await contentOf(ids)];
    if (mine.length !== theirs.length) wrong.push(`${path}: ${mine.length} bytes of ${theirs.length}`);
    for (let at = 0; at < theirs.length; at += 8192) {
      const page = theirs.subarray(at, at + 8192);
      // pd_lsn: two halves of four bytes each.
      const lsn = (BigInt(page.readUInt32LE(0)) << 32n) | BigInt(page.readUInt32LE(4));
      if (!page.equals(mine.subarray(at, at + 8192)) && lsn < part.facts.start.lsn) wrong.push(`${path}: page ${at / 8192}`);
    }
  }
  return wrong;
}

/** What databases go through, and what summaries of WAL tell of by more than the numbers of changed blocks. */
const rounds: readonly { readonly name: string; readonly sql: readonly string[] }[] = [
  { name: 'nothing', sql: [] },
  { name: 'a few rows', sql: ['update bulk set text = md5(text) where id between 20000 and 20400'] },
  {
    name: 'cut off at the end and grown again by other rows; emptied and filled; databases made',
    sql: [
      'delete from bulk where id > 50000',
      'vacuum (truncate) bulk',
      'insert into bulk select id, md5(id::text) || $$x$$ from generate_series(90000, 120000) id',
      'truncate small',
      'insert into small select generate_series(1, 30000)',
      'create database by_copy template filled strategy file_copy',
      'create database by_log template filled strategy wal_log',
    ],
  },
  {
    name: 'made anew: tables, an index, a database by the name of one that went; unlogged, then logged',
    sql: [
      'vacuum full small',
      'reindex table bulk',
      'drop database by_copy',
      'create database by_copy template filled strategy file_copy',
      'create unlogged table loose as select generate_series(1, 20000) as id',
      'alter table loose set logged',
      'update loose set id = -id where id < 100',
    ],
  },
  {
    name: 'frozen and forgotten',
    sql: [
      'vacuum (freeze) bulk',
      'cluster bulk using bulk_pkey',
      'delete from loose where id % 7 = 0',
      'vacuum loose',
      'drop table small',
      'drop database by_log',
    ],
  },
];

test('a base that reads only what changed is the one that reads everything', { timeout: 300_000 }, async () => {
  await using cluster = await TestCluster.open();
  const a = await cluster.member('a', quiet);
  await a.engine.bootstrap({ signal });
  await a.engine.startPrimary({ acknowledge: null, signal });
  await using repository = await newRepository(cluster);
  const base = (full = false): Promise<BaseResult> =>
    backupBase(repository, a.engine.base!, cluster.runtime, { service, host: 'a', full, signal });
  const client = await a.connect();
  await client.query('create extension amcheck');
  await client.query('create table bulk as select id, repeat(md5(id::text), 4) as text from generate_series(1, 80000) as id');
  await client.query('alter table bulk add primary key (id); create table small as select generate_series(1, 30000) as id');
  await client.query('create database filled');
  const filled = await a.connect({ database: 'filled' });
  await filled.query('create table t as select id, md5(id::text) as text from generate_series(1, 20000) as id');
  await filled.end();
  await base();
  for (const { name, sql } of rounds) {
    for (const statement of sql) await client.query(statement);
    const part = await base();
    const whole = await base(true);
    expect(await wrongPages(repository, part, whole), name).toEqual([]);
    expect(part.isComplete, name).toBe(true);
    if (name === 'nothing') expect(part.summary.readBytes).toBeLessThan(whole.summary.readBytes / 20);
    if (name === 'a few rows') expect(part.summary.readBytes).toBeLessThan(whole.summary.readBytes / 4);
  }

  // What rots on the disk is told when it is read; while it need not be, the earlier base's page stands for it.
  await client.query('create table rotten as select generate_series(1, 20000) as id');
  await base();
  const { rows } = await client.query<{ path: string }>("select pg_relation_filepath('rotten') as path");
  const rotten = join(a.data, rows[0]!.path);
  await flipBit(rotten, 3 * 8192 + 5000);
  const message = 'pages do not match their checksums: 3';
  expect((await base(true)).issues).toEqual([{ path: rotten, kind: 'damaged', message }]);
  await flipBit(rotten, 3 * 8192 + 5000);

  // Taken while pages are written, each time from the one before.
  const loads = [1, 2].map((seed) => load(a, seed));
  let last = await base();
  for (let round = 0; round < 3; round += 1) last = await base();
  for (const one of loads) await one.stop();
  await client.end();
  await expectRestored(a, last, { repository, cluster });
});

test(
  'pages of a base are taken over by other members and on later timelines, but not where one went astray',
  { timeout: 300_000 },
  async () => {
    await using cluster = await TestCluster.open();
    const [a, b] = [await cluster.member('a', quiet), await cluster.member('b', quiet)];
    await replicate(a, [b], signal);
    await using repository = await newRepository(cluster);
    const base = (member: TestMember, full = false): Promise<BaseResult> =>
      backupBase(repository, member.engine.base!, cluster.runtime, { service, host: member.address.node, full, signal });
    const client = await a.connect();
    await client.query('create extension amcheck');
    await client.query('create table bulk as select id, repeat(md5(id::text), 4) as text from generate_series(1, 80000) as id');
    await base(a);
    const touch = 'update bulk set text = md5(text) where id between 30000 and 30200';
    await client.query(touch);
    await a.engine.checkpoint({ signal });
    const { lsn } = (await a.engine.inspect({ signal })).position!;
    await eventually(cluster.runtime, 'the replica has all', async () => (await b.engine.inspect({ signal })).replayLsn! >= lsn);
    // The replica's own checkpoint, at the primary's.
    await b.engine.checkpoint({ signal });
    const ofReplica = await base(b);
    const whole = await base(b, true);
    expect(ofReplica.summary.readBytes).toBeLessThan(whole.summary.readBytes / 2);

    await a.engine.stop('immediate', { timeoutMs: 0 });
    await b.engine.promote({ acknowledge: null, timeline: 5, signal });
    const promoted = await b.connect();
    await promoted.query(touch);
    const afterwards = await base(b);
    expect(afterwards.facts.start.timeline).toBe(5);
    expect(afterwards.summary.readBytes).toBeLessThan(whole.summary.readBytes / 2);
    await promoted.end();

    // The old primary goes on by itself: what it writes is of a timeline that ended before.
    await a.engine.startPrimary({ acknowledge: null, signal });
    const astray = await a.connect();
    await astray.query(touch);
    await base(a);
    await astray.end();
    await client.end().catch(() => {});
    // An older one serves.
    const last = await base(b);
    expect(last.summary.readBytes).toBeLessThan(whole.summary.readBytes / 2);
    await expectRestored(b, last, { repository, cluster });
  },
);

async function flipBit(path: string, position: number): Promise<void> {
  await using file = await open(path, 'r+');
  const byte = Buffer.alloc(1);
  await file.read(byte, 0, 1, position);
  await file.write(Uint8Array.of(byte[0]! ^ 1), 0, 1, position);
}

/** Restored and recovered, a base is what the member has now: every page, row and index of it. */
async function expectRestored(
  member: TestMember,
  { snapshot }: BaseResult,
  { repository, cluster }: { readonly repository: OpenedRepository; readonly cluster: TestCluster },
): Promise<void> {
  const client = await member.connect();
  await client.query('select pg_switch_wal()');
  await client.end();
  const expected = await fingerprint((options) => member.connect(options));
  const { timeline } = (await member.engine.inspect({ signal })).position!;
  const target = join(cluster.directory, 'restored');
  expect(await restoreFiles(repository, snapshot, { target, verify: true, signal })).toMatchObject({ issueCount: 0 });
  const fetch = (name: string): Promise<Buffer | undefined> => readFile(join(member.data, 'pg_wal', name)).catch(() => undefined);
  await recover(target, cluster.runtime, { account, target: { kind: 'latest' }, timeline, fetch, signal });
  expect(await pageProblems(target)).toMatchObject({ problems: [] });
  await using server = await startRestored(target, (await member.engine.credentials())!['superuser']!, cluster.runtime);
  expect(await fingerprint(({ database = 'postgres' }) => server.connect(database))).toEqual(expected);
  expect(await amcheck(server.client)).toEqual([]);
}

/** Rows that come and go, in a table that now and then is another one, until it is stopped. */
function load(member: TestMember, seed: number): { stop(): Promise<void> } {
  const end = new AbortController();
  const run = async (): Promise<void> => {
    const client = await member.connect();
    await client.query(`create table load${seed} (id int primary key, text text)`);
    for (let turn = 0; !end.signal.aborted; turn += 1) {
      await client.query(`insert into load${seed} select $1 * 500 + n, repeat(md5(n::text), 8) from generate_series(1, 500) as n`, [turn]);
      await client.query(`update load${seed} set text = md5(text) where id % 5 = $1`, [turn % 5]);
      await client.query(`update bulk set text = md5(text) where id % 2 = $1 and id % 499 = $2`, [seed - 1, turn % 499]);
      if (turn % 7 === 3) await client.query(`delete from load${seed} where id % 2 = 0`);
      if (turn % 7 === 5) await client.query(`vacuum load${seed}`);
      if (turn % 11 === 10) await client.query(`truncate load${seed}`);
      if (turn % 13 === 12) await client.query(`vacuum full load${seed}`);
    }
    await client.end();
  };
  const running = run();
  running.catch(() => {});
  return {
    stop: async () => {
      end.abort();
      await running;
    },
  };
}

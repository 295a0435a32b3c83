import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openDataCopies, type CopiesOrder, type PlannedCopies } from '../../../src/agent/copies/data-copies.ts';
import { restoreService } from '../../../src/agent/copies/restore.ts';
import { backupBase, initRepository, Journal, openRepository, type OpenedRepository } from '../../../src/backup/index.ts';
import type { HoldfastConfig } from '../../../src/config/schema.ts';
import type { DataCopies, RestoredBase } from '../../../src/core/data-copies.ts';
import type { HoldfastError } from '../../../src/core/errors.ts';
import { parseLsn } from '../../../src/core/lsn.ts';
import { parseHistory } from '../../../src/core/timeline.ts';
import { LocalLocation } from '../../../src/storage/adapters/local/local-location.ts';
import { eventually, giveToAccount, replicate, TestCluster, type TestMember } from '../postgres/harness.ts';
import { startRestored } from './restored.ts';

const { signal } = new AbortController();
const service = 'orders';
const password = 'correct horse';

let cluster: TestCluster;
let repository: OpenedRepository;
let config: HoldfastConfig;
let primary: TestMember;
let journal: ReturnType<typeof startJournal>;
/** Of the primary, outside of its data. */
let space: string;

function startJournal(member: TestMember) {
  const running = new Journal(member.engine.wal!, repository, cluster.runtime, { service, intervalMs: 50 });
  const stop = new AbortController();
  const ended = running.run(stop.signal);
  return Object.assign(running, {
    [Symbol.asyncDispose]: async () => {
      stop.abort();
      await ended;
    },
  });
}

async function storedAll(): Promise<void> {
  const end = (await primary.engine.inspect({ signal })).position!;
  await eventually(cluster.runtime, 'the journal has all', async () => {
    const { stored } = journal.status();
    return stored !== undefined && stored.timeline === end.timeline && stored.lsn >= end.lsn;
  });
}

async function note(member: TestMember, text: string): Promise<Date> {
  const client = await member.connect();
  const { rows } = await client.query<{ at: Date }>('insert into note (text) values ($1) returning at', [text]);
  await client.end();
  return rows[0]!.at;
}

async function notes(member: TestMember): Promise<string[]> {
  return await eventually(cluster.runtime, 'it answers', async () => {
    const client = await member.connect();
    try {
      return (await client.query<{ text: string }>('select text from note order by at')).rows.map(({ text }) => text);
    } finally {
      await client.end();
    }
  });
}

/** On this machine the old place of the tablespace is taken. */
function openMember(node: string): Promise<TestMember> {
  return cluster.member(node, { tablespaces: { [space]: join(cluster.directory, `space-${node}`) } });
}

/** In the tablespace: of the logged table, and of the unlogged one. */
async function counts(of: TestMember): Promise<unknown> {
  const client = await of.connect();
  try {
    return (await client.query('select (select count(*)::int from spaced) as spaced, (select count(*)::int from scratch) as scratch'))
      .rows[0];
  } finally {
    await client.end();
  }
}

function copies(order: Partial<CopiesOrder> = {}): Promise<PlannedCopies> {
  return openDataCopies(config, cluster.runtime, { service, target: { kind: 'latest' }, signal, ...order });
}

/** Its own properties: of an object of a class a spread has none. */
function partsOf(from: PlannedCopies): DataCopies {
  const { systemId, version, timeline, timelineMax, reached, tablespaces } = from;
  return {
    systemId,
    version,
    timeline,
    timelineMax,
    reached,
    tablespaces,
    restore: from.restore.bind(from),
    wal: from.wal.bind(from),
    [Symbol.asyncDispose]: from[Symbol.asyncDispose].bind(from),
  };
}

beforeAll(async () => {
  cluster = await TestCluster.open();
  primary = await cluster.member('a');
  space = join(cluster.directory, 'space');
  await mkdir(space, { mode: 0o700 });
  await giveToAccount(space);
  const path = join(cluster.directory, 'repository');
  await mkdir(path);
  const location = new LocalLocation('disk', path, cluster.runtime);
  await initRepository(location, { password, kdfCost: { N: 1024, r: 8, p: 1 } }, cluster.runtime, { signal });
  repository = await openRepository(location, { password }, cluster.runtime, { signal });
  const secret = { reveal: () => password };
  config = {
    services: { [service]: { backup: { to: 'disk' } } },
    locations: { disk: { path, password: secret } },
  } as unknown as HoldfastConfig;
  await replicate(primary, [], signal);
  journal = startJournal(primary);
  await eventually(cluster.runtime, 'the journal runs', async () => journal.status().stored !== undefined);
  const client = await primary.connect();
  await client.query('create table note (text text primary key, at timestamptz default clock_timestamp())');
  await client.query('create table bulk as select generate_series(1, 20000) as id, repeat(md5(random()::text), 4) as text');
  await client.query(`create tablespace fast location '${space}'`);
  await client.query('create table spaced tablespace fast as select generate_series(1, 1000) as id');
  await client.query('create unlogged table scratch tablespace fast as select generate_series(1, 1000) as id');
  await client.end();
  await backupBase(repository, primary.engine.base!, cluster.runtime, { service, host: 'a', signal });
  await note(primary, 'after the base');
  await storedAll();
}, 60_000);

afterAll(async () => {
  await journal?.[Symbol.asyncDispose]();
  await repository?.[Symbol.asyncDispose]();
  await cluster?.[Symbol.asyncDispose]();
});

describe('a replica made of copies', () => {
  test('replays all that is stored, follows by streaming, and is promoted with all', async () => {
    const b = await openMember('b');
    await b.engine.acceptCredentials((await primary.engine.credentials())!);
    {
      await using from = await copies();
      await b.engine.provision(primary.address, { copies: from, signal });
    }
    expect(await readdir(dirname(b.data))).not.toContain('data.restoring');
    await note(primary, 'only by streaming');
    await b.engine.follow(primary.address, { signal });
    await eventually(cluster.runtime, 'it streams', async () => (await b.engine.inspect({ signal })).upstream?.streaming);
    await eventually(cluster.runtime, 'it has all', async () => (await notes(b)).includes('only by streaming'));
    expect(await notes(b)).toEqual(['after the base', 'only by streaming']);
    await b.engine.promote({ acknowledge: null, timeline: 7, signal });
    expect(await counts(b)).toEqual({ spaced: 1000, scratch: 0 });
  });

  test('cut off, it is gone on with, and only what differs is written', async () => {
    const c = await openMember('c');
    await c.engine.acceptCredentials((await primary.engine.credentials())!);
    await using from = await copies();
    const away = (): Promise<never> => Promise.reject(new Error('the location is away'));
    await expect(c.engine.provision(primary.address, { copies: { ...partsOf(from), wal: away }, signal })).rejects.toThrow('is away');
    expect((await c.engine.inspect({ signal })).data).toBe('absent');
    // As the server of a recovery whose agent was killed.
    const leftover = spawn('sleep', ['600'], { cwd: `${c.data}.restoring` });
    const ended = once(leftover, 'exit');
    const again: RestoredBase[] = [];
    const restore: DataCopies['restore'] = async (...order) => {
      const restored = await from.restore(...order);
      again.push(restored);
      return restored;
    };
    await c.engine.provision(primary.address, { copies: { ...partsOf(from), restore }, signal });
    expect(await ended).toEqual([null, 'SIGKILL']);
    // Data that are given up are gone over, too.
    expect(await c.engine.setAside('reinit', { toReuse: true })).toBe(`${c.data}.restoring`);
    expect((await c.engine.inspect({ signal })).data).toBe('absent');
    await c.engine.provision(primary.address, { copies: { ...partsOf(from), restore }, signal });
    expect(again).toHaveLength(2);
    for (const { keptBytes, writtenBytes } of again) expect(keptBytes).toBeGreaterThan(writtenBytes * 10);
    expect(await readdir(join(cluster.directory, 'space-c'))).toEqual([expect.stringMatching(/^PG_/)]);
    expect(await readdir(dirname(c.data))).not.toContain('data.restoring');
    await c.engine.follow(primary.address, { signal });
    await eventually(cluster.runtime, 'it has all', async () => (await notes(c)).includes('only by streaming'));
  });
});

test('copies that the leader does not continue are refused before anything is written', async () => {
  const d = await openMember('d');
  await d.engine.acceptCredentials((await primary.engine.credentials())!);
  await using from = await copies();
  const parts = partsOf(from);
  const gone = { ...parts, reached: { ...from.reached, lsn: 0x1000n } };
  const other = { ...parts, systemId: '7' };
  const ahead = { ...parts, reached: { timeline: 9, lsn: from.reached.lsn } };
  const newer = { ...parts, version: '99.1' };
  const refused = (wrong: DataCopies, code: string) =>
    expect(d.engine.provision(primary.address, { copies: wrong, signal })).rejects.toMatchObject({ code });
  await refused(gone, 'ENGINE_COPIES_UNFIT');
  await refused(ahead, 'ENGINE_COPIES_UNFIT');
  await refused(other, 'ENGINE_FOREIGN_DATA');
  await refused(newer, 'ENGINE_VERSION_MISMATCH');
  expect(await readdir(dirname(d.data))).toEqual(['state']);
  expect(await readdir(cluster.directory)).not.toContain('space-d');
});

describe('a cluster made of copies', () => {
  test('is what it was at a time, on a timeline that copies know nothing of, with passwords of its own', async () => {
    const later = await note(primary, 'later');
    const to = new Date(later.getTime() - 1);
    await note(primary, 'last');
    await storedAll();
    const [e, f] = [await openMember('e'), await openMember('f')];
    const target = { kind: 'time', timeMs: to.getTime() } as const;
    const ofThen = await eventually(cluster.runtime, 'that time is within reach', () => copies({ target }));
    const twin = await copies({ target: { kind: 'latest' } });
    await makeCluster(e, ofThen, target);
    expect(await notes(e)).toEqual(['after the base', 'only by streaming']);
    expect((await e.engine.inspect({ signal })).position?.timeline).toBe(2);
    expect(await counts(e)).toEqual({ spaced: 1000, scratch: 0 });
    expect(await readdir(join(cluster.directory, 'space-e'))).toEqual([expect.stringMatching(/^PG_/)]);
    const [own, old] = [await e.engine.credentials(), await primary.engine.credentials()];
    expect(own!['superuser']).not.toBe(old!['superuser']);
    {
      await using ofTheNew = startJournal(e);
      await note(e, 'new history');
      const end = (await e.engine.inspect({ signal })).position!;
      await eventually(cluster.runtime, 'its journal has all', async () => (ofTheNew.status().stored?.lsn ?? 0n) >= end.lsn);
      expect(ofTheNew.status()).toMatchObject({ stored: { timeline: 2 }, gaps: [] });
    }
    // Made of the same copies, before these knew of the first one: it begins the same timeline elsewhere.
    const wal: DataCopies['wal'] = async (name, options) => (name === '00000002.history' ? undefined : await twin.wal(name, options));
    await makeCluster(f, { ...partsOf(twin), wal }, { kind: 'latest' });
    expect(await notes(f)).toEqual(['after the base', 'only by streaming', 'later', 'last']);
    await using ofTheTwin = startJournal(f);
    await eventually(cluster.runtime, 'its journal is refused', async () => ofTheTwin.status().failure?.includes('timeline 2'));
    await expectContinued(f);
    const g = await openMember('g');
    await makeCluster(g, await copies({ timeline: 1 }), { kind: 'latest' });
    expect((await g.engine.inspect({ signal })).position?.timeline).toBe(3);
    await using newest = await copies();
    expect(newest).toMatchObject({ timeline: 2, timelineMax: 2 });
    await expect(g.engine.bootstrap({ signal })).rejects.toMatchObject({ code: 'ENGINE_DATA_PRESENT' });
  });
});

/** By a leader on a timeline of its own, of which nothing is stored: copies that end where that timeline begins. */
async function expectContinued(leader: TestMember): Promise<void> {
  const { timeline, end: lsn } = parseHistory(2, await leader.engine.wal!.history(2, { signal })).ancestors.at(-1)!;
  const h = await openMember('h');
  await h.engine.acceptCredentials((await leader.engine.credentials())!);
  await using from = await copies({ timeline: 1 });
  const restore = (): Promise<never> => Promise.reject(new Error('it would be restored now'));
  const ending = { ...partsOf(from), reached: { timeline, lsn }, restore };
  await expect(h.engine.provision(leader.address, { copies: ending, signal })).rejects.toThrow('it would be restored now');
}

async function makeCluster(of: TestMember, from: DataCopies, target: CopiesOrder['target']): Promise<void> {
  await using source = from;
  await of.engine.bootstrap({ restore: { copies: source, target }, signal });
  await of.engine.startPrimary({ acknowledge: null, signal });
}

describe('a restore of tablespaces', () => {
  test('takes no place that holds something, and writes nothing then; elsewhere they are as they were', async () => {
    const directory = join(cluster.directory, 'restored');
    const order = { service, target: { kind: 'latest' }, timeline: 1, directory, overwrite: false, signal } as const;
    const restoreTo = (tablespaces: Record<string, string>) =>
      restoreService(config, cluster.runtime, { ...order, tablespaces: new Map(Object.entries(tablespaces)) });
    const refused = expect.objectContaining({ code: 'BACKUP_TABLESPACE_REFUSED' });
    await expect(restoreTo({})).rejects.toEqual(refused);
    await expect(restoreTo({ fast: join(directory, 'inside') })).rejects.toEqual(refused);
    await expect(restoreTo({ slow: join(cluster.directory, 'elsewhere') })).rejects.toEqual(refused);
    const programs = join(cluster.directory, 'programs-of-15');
    await mkdir(programs);
    for (const name of ['postgres', 'initdb'])
      await writeFile(join(programs, name), '#!/bin/sh\necho "$(basename "$0") (PostgreSQL) 15.13"\n', { mode: 0o755 });
    const others = restoreService(config, cluster.runtime, { ...order, bin: programs, tablespaces: new Map() });
    await expect(others).rejects.toMatchObject({ code: 'ENGINE_VERSION_MISMATCH' });
    // Not over data that a server runs on, whatever may be overwritten.
    const over = restoreService(config, cluster.runtime, { ...order, directory: primary.data, overwrite: true });
    await expect(over).rejects.toMatchObject({ code: 'ENGINE_DATA_IN_USE' });
    expect(await notes(primary)).toContain('after the base');
    expect(await readdir(cluster.directory)).not.toContain('restored');
    await restoreTo({ fast: join(cluster.directory, 'elsewhere') });
    await using restored = await startRestored(directory, (await primary.engine.credentials())!['superuser']!, cluster.runtime);
    const { rows } = await restored.client.query(
      'select (select count(*)::int from spaced) as spaced, (select count(*)::int from scratch) as scratch',
    );
    expect(rows).toEqual([{ spaced: 1000, scratch: 0 }]);
    const places = await restored.client.query("select pg_tablespace_location(oid) as place from pg_tablespace where spcname = 'fast'");
    expect(places.rows).toEqual([{ place: join(cluster.directory, 'elsewhere') }]);
  });

  test('ends before it touches a tablespace that the running database has made since the base backup', async () => {
    const young = join(cluster.directory, 'young');
    await mkdir(young, { mode: 0o700 });
    await giveToAccount(young);
    const before = await note(primary, 'before the young tablespace');
    await note(primary, 'just before it');
    const client = await primary.connect();
    await client.query(`create tablespace young location '${young}'`);
    await client.query('create table grown tablespace young as select generate_series(1, 1000) as id');
    await client.query('checkpoint');
    await storedAll();
    const hashOf = async (path: string) =>
      createHash('sha256')
        .update(await readFile(path))
        .digest('hex');
    const everything = async () => {
      const names = await readdir(young, { recursive: true, withFileTypes: true });
      const paths = names.filter((one) => one.isFile()).map((one) => join(one.parentPath, one.name));
      return await Promise.all(paths.map(async (path) => [path, await hashOf(path)]));
    };
    const directory = join(cluster.directory, 'beside');
    const tablespaces = new Map([['fast', join(cluster.directory, 'beside-fast')]]);
    const restoreTo = (target: CopiesOrder['target'], overwrite = true) =>
      restoreService(config, cluster.runtime, { service, target, timeline: 1, directory, overwrite, tablespaces, signal });
    const found = await everything();
    const refused = expect.objectContaining({ code: 'ENGINE_TABLESPACE_IN_USE', message: expect.stringContaining(`'${young}'`) });
    await expect(restoreTo({ kind: 'latest' }, false)).rejects.toEqual(refused);
    const [{ lsn }] = (await client.query<{ lsn: string }>('select pg_current_wal_flush_lsn()::text as lsn')).rows as [{ lsn: string }];
    const error: unknown = await restoreTo({ kind: 'lsn', lsn: parseLsn(lsn) }).catch((reason: unknown) => reason);
    expect(error).toEqual(refused);
    // As far as the refusal says, and by time, though it is in the same file of WAL.
    const [, told] = /up to LSN ([\dA-F]+\/[\dA-F]+)/.exec((error as HoldfastError).hint ?? '') ?? [];
    await restoreTo({ kind: 'lsn', lsn: parseLsn(told!) });
    await restoreTo({ kind: 'time', timeMs: before.getTime() });
    expect(await everything()).toEqual(found);
    await client.query('drop table grown');
    await client.query('drop tablespace young');
    await client.end();
    await storedAll();
    // Where nothing is in the way it is made, here to be dropped again.
    await rm(young, { recursive: true });
    await restoreTo({ kind: 'latest' });
    expect(existsSync(young)).toBe(false);
  });
});

import { mkdir, readdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openDataCopies, type CopiesOrder, type PlannedCopies } from '../../../src/agent/copies/data-copies.ts';
import { backupBase, initRepository, Journal, openRepository, type OpenedRepository } from '../../../src/backup/index.ts';
import type { HoldfastConfig } from '../../../src/config/schema.ts';
import type { DataCopies, RestoredBase } from '../../../src/core/data-copies.ts';
import { LocalLocation } from '../../../src/storage/adapters/local/local-location.ts';
import { eventually, replicate, TestCluster, type TestMember } from '../postgres/harness.ts';

const { signal } = new AbortController();
const service = 'orders';
const password = 'correct horse';

let cluster: TestCluster;
let repository: OpenedRepository;
let config: HoldfastConfig;
let primary: TestMember;
let journal: ReturnType<typeof startJournal>;

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
    const b = await cluster.member('b');
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
  });

  test('cut off, it is gone on with, and only what differs is written', async () => {
    const c = await cluster.member('c');
    await c.engine.acceptCredentials((await primary.engine.credentials())!);
    await using from = await copies();
    const away = (): Promise<never> => Promise.reject(new Error('the location is away'));
    await expect(c.engine.provision(primary.address, { copies: { ...partsOf(from), wal: away }, signal })).rejects.toThrow('is away');
    expect((await c.engine.inspect({ signal })).data).toBe('absent');
    const again: RestoredBase[] = [];
    const restore: DataCopies['restore'] = async (...order) => {
      const restored = await from.restore(...order);
      again.push(restored);
      return restored;
    };
    await c.engine.provision(primary.address, { copies: { ...partsOf(from), restore }, signal });
    expect(again[0]!.keptBytes).toBeGreaterThan(again[0]!.writtenBytes * 10);
    await c.engine.follow(primary.address, { signal });
    await eventually(cluster.runtime, 'it has all', async () => (await notes(c)).includes('only by streaming'));
  });
});

test('copies that the leader does not continue are refused before anything is written', async () => {
  const d = await cluster.member('d');
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
});

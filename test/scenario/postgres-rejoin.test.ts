import { mkdir, open, rm, symlink } from 'node:fs/promises';
import { existsSync, readdirSync } from 'node:fs';
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Client } from 'pg';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { amcheck, fingerprint, pageProblems } from './postgres/compare.ts';
import { eventually, giveToAccount, replicate, TestCluster, versions, type TestMember } from './postgres/harness.ts';

const { signal } = new AbortController();
const programs = join(tmpdir(), `holdfast-bin-${randomBytes(6).toString('hex')}`);

/** The system's programs, once as they are and once without pg_rewind, and the embedded ones, which have none. */
const kinds: { name: string; bin?: string }[] = versions.flatMap(({ name, bin }) =>
  bin === undefined
    ? [{ name }]
    : [
        { name: `${name}, pg_rewind`, bin },
        { name: `${name}, no pg_rewind`, bin: withoutRewind(bin) },
      ],
);

function withoutRewind(bin: string): string {
  return join(programs, bin.replaceAll('/', '_'));
}

beforeAll(async () => {
  await mkdir(programs, { mode: 0o755 });
  for (const { bin } of versions) {
    if (bin === undefined) continue;
    await mkdir(withoutRewind(bin), { mode: 0o755 });
    for (const program of ['postgres', 'initdb']) await symlink(join(bin, program), join(withoutRewind(bin), program));
  }
});
afterAll(() => rm(programs, { recursive: true, force: true }));

describe.each(kinds)('rejoining PostgreSQL ($name)', ({ bin }) => {
  let cluster: TestCluster;
  afterEach(() => cluster[Symbol.asyncDispose]());

  /** A primary and its replica with a common history of some size; the replica then frozen. */
  async function common(): Promise<{ a: TestMember; b: TestMember; client: Client }> {
    cluster = await TestCluster.open(bin);
    const a = await cluster.member('a');
    const b = await cluster.member('b');
    await replicate(a, [b], signal);
    const client = await a.connect();
    await client.query('create extension amcheck');
    await client.query(
      'create table t (id int primary key, v text); insert into t select i, md5(i::text) from generate_series(1, 20000) i',
    );
    await client.query('create table u (id int); insert into u select generate_series(1, 10000)');
    await client.query('create table emptied (id int); insert into emptied select generate_series(1, 10000)');
    await client.query('create unlogged table passing (id int); insert into passing values (1)');
    await client.query('create database gone');
    await eventually(
      cluster.runtime,
      'b has it all',
      async () => (await b.engine.inspect({ signal })).replayLsn === (await a.engine.inspect({ signal })).position!.lsn,
    );
    await b.engine.freeze({ signal });
    return { a, b, client };
  }

  /** What only the old primary has: every kind of change that must not survive. */
  async function diverge(client: Client): Promise<void> {
    await client.query('insert into t select i, md5(i::text) from generate_series(30000, 31800) i');
    await client.query("update t set v = v || 'x' where id % 100 = 0");
    await client.query('delete from u where id % 7 = 0');
    await client.query('create table lost (id int); insert into lost select generate_series(1, 1000)');
    await client.query('truncate emptied');
    await client.query('create database lostdb template template0');
    await client.query('drop database gone');
    // Sets hint bits, and bits of the visibility map.
    await client.query('vacuum u');
    await client.query('select count(*) from t');
  }

  async function goOn(b: TestMember): Promise<Client> {
    await b.engine.promote({ acknowledge: null, signal });
    const client = await b.connect();
    await client.query('insert into t select i, md5((i * 3)::text) from generate_series(30500, 32000) i');
    await client.query("update t set v = v || 'y' where id % 90 = 0");
    await client.query('create table won (id int primary key); insert into won select generate_series(1, 2000)');
    await client.query('create database wondb template template1');
    await client.query('delete from u where id > 9000');
    return client;
  }

  async function expectSame(a: TestMember, b: TestMember, writer: Client): Promise<void> {
    await writer.query('insert into won values (0)');
    await eventually(
      cluster.runtime,
      'a has it all',
      async () => (await a.engine.inspect({ signal })).replayLsn === (await b.engine.inspect({ signal })).position!.lsn,
    );
    const mine = await fingerprint((options) => a.connect(options));
    expect(mine).toEqual(await fingerprint((options) => b.connect(options)));
    expect(Object.keys(mine)).toContain('postgres.public.won');
    const client = await a.connect();
    expect(await amcheck(client)).toEqual([]);
    await client.end();
    await a.engine.stop('clean', { timeoutMs: 10_000 });
    const { pages, problems } = await pageProblems(a.data);
    expect(pages).toBeGreaterThan(1000);
    expect(problems).toEqual([]);
  }

  test('a crashed primary with a tail that nobody has is told apart, and becomes an exact replica', async () => {
    const { a, b, client } = await common();
    await diverge(client);
    await a.engine.stop('immediate', { timeoutMs: 0 });
    const writer = await goOn(b);
    await expect(a.engine.follow(b.address, { signal })).rejects.toMatchObject({ code: 'ENGINE_DIVERGED' });
    await a.engine.rejoin(b.address, { signal });
    expect(await a.engine.inspect({ signal })).toMatchObject({ role: 'replica', running: true });
    await expectSame(a, b, writer);
    await writer.end();
  });

  test('also when its last checkpoint lies beyond the fork, and it still runs', async () => {
    const { a, b, client } = await common();
    await diverge(client);
    await client.query('checkpoint');
    await client.query("update t set v = v || 'z' where id % 50 = 0");
    const writer = await goOn(b);
    await a.engine.rejoin(b.address, { signal });
    await expectSame(a, b, writer);
    await writer.end();
  });

  test('killed at any moment of it, the member is unusable until it is done again, and then whole', async () => {
    const { a, b, client } = await common();
    await diverge(client);
    await a.engine.stop('immediate', { timeoutMs: 0 });
    const writer = await goOn(b);
    let interrupted = 0;
    for (const delayMs of [0, 60, 150, 300]) {
      await killedAfter(delayMs, a, b);
      if (!existsSync(planOf(a))) continue;
      interrupted += 1;
      const again = await a.reopen();
      expect((await again.inspect({ signal })).failure?.code).toBe('ENGINE_REJOIN_UNFINISHED');
      await expect(again.startPrimary({ acknowledge: null, signal })).rejects.toMatchObject({ code: 'ENGINE_REJOIN_UNFINISHED' });
      await expect(again.follow(b.address, { signal })).rejects.toMatchObject({ code: 'ENGINE_DIVERGED' });
      expect(await again.freeze({ signal })).toEqual({ timeline: 0, lsn: 0n });
      await again[Symbol.asyncDispose]();
    }
    expect(interrupted, 'at least one kill came in the midst of it').toBeGreaterThan(0);
    await a.engine.rejoin(b.address, { signal });
    await expectSame(a, b, writer);
    await writer.end();
  });

  test.skipIf(bin !== undefined && existsSync(join(bin, 'pg_rewind')))(
    'damage that a crash or a disk did to old pages is repaired on the way (pg_rewind does not look)',
    async () => {
      const { a, b, client } = await common();
      const { rows } = await client.query<{ path: string }>("select pg_relation_filepath('t') as path");
      await diverge(client);
      await a.engine.stop('immediate', { timeoutMs: 0 });
      const writer = await goOn(b);
      await using file = await open(join(a.data, rows[0]!.path), 'r+');
      await file.write(Buffer.from('torn'), 0, 4, 3 * 8192 + 5000);
      await a.engine.rejoin(b.address, { signal });
      await expectSame(a, b, writer);
      await writer.end();
    },
  );

  test('tablespaces too, those that only the new primary has included', async () => {
    cluster = await TestCluster.open(bin);
    const place = (name: string): string => join(cluster.directory, name);
    for (const name of ['old-a', 'new-b']) {
      await mkdir(place(name), { mode: 0o700 });
      await giveToAccount(place(name));
    }
    const a = await cluster.member('a', { tablespaces: { [place('new-b')]: place('new-a') } });
    const b = await cluster.member('b', { tablespaces: { [place('old-a')]: place('old-b') } });
    await a.engine.bootstrap({ signal });
    await a.engine.startPrimary({ acknowledge: null, signal });
    const client = await a.connect();
    await client.query('create extension amcheck');
    await client.query(`create tablespace old location '${place('old-a')}'`);
    await client.query(
      'create table t (id int primary key, v text) tablespace old; insert into t select i, md5(i::text) from generate_series(1, 20000) i',
    );
    await b.engine.acceptCredentials((await a.engine.credentials())!);
    await b.engine.provision(a.address, { signal });
    await b.engine.follow(a.address, { signal });
    await eventually(
      cluster.runtime,
      'b has it all',
      async () => (await b.engine.inspect({ signal })).replayLsn === (await a.engine.inspect({ signal })).position!.lsn,
    );
    await b.engine.freeze({ signal });
    await client.query("update t set v = 'lost' where id % 50 = 0");
    await client.query('create table lost tablespace old as select generate_series(1, 1000) as id');
    await a.engine.stop('immediate', { timeoutMs: 0 });
    await b.engine.promote({ acknowledge: null, signal });
    const writer = await b.connect();
    await writer.query(`create tablespace new location '${place('new-b')}'`);
    await writer.query('create table won (id int primary key) tablespace new; insert into won select generate_series(1, 2000)');
    await writer.query("update t set v = 'kept' where id % 70 = 0");
    await a.engine.rejoin(b.address, { signal });
    await expectSame(a, b, writer);
    for (const name of ['old-a', 'old-b', 'new-a', 'new-b'])
      expect(readdirSync(place(name)), name).toEqual([expect.stringMatching(/^PG_/)]);
    await writer.end();
  });

  const planOf = (member: TestMember): string => join(member.stateDir, 'postgres-rejoin.json');

  /** Lets another process, an agent as it were, rejoin, and ends that with SIGKILL so long after it has begun in earnest. */
  async function killedAfter(delayMs: number, a: TestMember, b: TestMember): Promise<void> {
    const child = spawn(process.execPath, [join(import.meta.dirname, 'postgres', 'agent-process.ts')], {
      stdio: ['pipe', 'pipe', 'inherit'],
      env: { PATH: process.env['PATH'] ?? '' },
    });
    child.stdin.end(
      JSON.stringify({ data: a.data, stateDir: a.stateDir, port: a.address.port, bin: bin ?? null, node: 'a', upstream: b.address }),
    );
    const exited = once(child, 'exit');
    await eventually(cluster.runtime, 'the rejoin begins', async () => existsSync(planOf(a)) || child.exitCode !== null);
    await cluster.runtime.clock.sleep(delayMs);
    child.kill('SIGKILL');
    await exited;
    for (const identity of cluster.runtime.processes.withWorkingDirectory(a.data)) cluster.runtime.processes.kill(identity, 'SIGKILL');
    expect(readdirSync(a.data)).toContain('PG_VERSION');
  }
});

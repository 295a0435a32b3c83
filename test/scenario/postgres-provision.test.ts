import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, readdir, readFile, readlink, rename, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { dirname, join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { fingerprint } from './postgres/compare.ts';
import { eventually, giveToAccount, replicate, TestCluster, versions, type TestMember } from './postgres/harness.ts';

const { signal } = new AbortController();
const hasOpenssl = spawnSync('openssl', ['version']).status === 0 || process.env['HOLDFAST_REQUIRE'] === 'all';

describe.each(versions)('copying and making PostgreSQL members ($name)', ({ bin }) => {
  let cluster: TestCluster;
  afterEach(() => cluster[Symbol.asyncDispose]());

  async function primary(more: Record<string, unknown> = {}): Promise<TestMember> {
    cluster = await TestCluster.open(bin, { initdb: 'run' });
    const a = await cluster.member('a', more);
    await a.engine.bootstrap({ signal });
    await a.engine.startPrimary({ acknowledge: null, signal });
    return a;
  }

  async function newcomer(a: TestMember, node: string, more: Record<string, unknown> = {}): Promise<TestMember> {
    const b = await cluster.member(node, more);
    await b.engine.acceptCredentials((await a.engine.credentials())!);
    return b;
  }

  async function expectSame(a: TestMember, b: TestMember): Promise<void> {
    await eventually(
      cluster.runtime,
      'b has it all',
      async () => (await b.engine.inspect({ signal })).replayLsn === (await a.engine.inspect({ signal })).position!.lsn,
    );
    expect(await fingerprint((options) => b.connect(options))).toEqual(await fingerprint((options) => a.connect(options)));
  }

  const siblings = async (member: TestMember): Promise<string[]> =>
    (await readdir(dirname(member.data))).filter((name) => name !== 'state').toSorted();

  test('a copy killed on the way is never taken for data, and leaves nothing in the way of the next', async () => {
    const a = await primary();
    const client = await a.connect();
    await client.query('create table t as select i, md5(i::text) as v from generate_series(1, 300000) i');
    const b = await newcomer(a, 'b');
    let left = 0;
    for (const delayMs of [0, 100, 250]) {
      const child = spawn(process.execPath, [join(import.meta.dirname, 'postgres', 'agent-process.ts')], {
        stdio: ['pipe', 'pipe', 'inherit'],
        env: { PATH: process.env['PATH'] ?? '' },
      });
      child.stdin.end(
        JSON.stringify({ data: b.data, stateDir: b.stateDir, port: b.address.port, bin: bin ?? null, node: 'b', upstream: a.address }),
      );
      const exited = once(child, 'exit');
      await eventually(cluster.runtime, 'the copy begins', async () => (await siblings(b)).length > 0 || child.exitCode !== null);
      await cluster.runtime.clock.sleep(delayMs);
      child.kill('SIGKILL');
      await exited;
      const names = await siblings(b);
      if (names.includes('data')) break;
      left += names.length;
      expect(await b.engine.inspect({ signal })).toMatchObject({ data: 'absent', running: false });
      await expect(b.engine.startPrimary({ acknowledge: null, signal })).rejects.toMatchObject({ code: 'ENGINE_DATA_ABSENT' });
    }
    expect(left, 'at least one kill came in the midst of it').toBeGreaterThan(0);
    if ((await siblings(b)).includes('data')) await b.engine.setAside('finished before it was killed');
    await b.engine.provision(a.address, { signal });
    expect((await siblings(b)).filter((name) => name.includes('partial'))).toEqual([]);
    await b.engine.follow(a.address, { signal });
    await expectSame(a, b);
    await client.end();
  });

  test('a copy cut off by the source, or given up, says so and leaves nothing', async () => {
    const a = await primary();
    const b = await newcomer(a, 'b');
    const gone = { ...a.address, port: 1 };
    await expect(b.engine.provision(gone, { signal })).rejects.toMatchObject({ code: 'ENGINE_UPSTREAM_UNREACHABLE', retryable: true });
    const given = new AbortController();
    const copying = b.engine.provision(a.address, { signal: given.signal }).catch((error: unknown) => error);
    await cluster.runtime.clock.sleep(30);
    given.abort(new Error('given up'));
    expect(await copying).toMatchObject({ message: 'given up' });
    const again = b.engine.provision(a.address, { signal }).catch((error: unknown) => error);
    await eventually(cluster.runtime, 'the copy begins', async () => (await siblings(b)).length > 0);
    await a.engine.stop('immediate', { timeoutMs: 0 });
    expect(await again).toMatchObject({ retryable: true });
    expect(await siblings(b)).toEqual([]);
  });

  test.skipIf(process.getuid?.() !== 0)('a full disk is called that, and nothing stays behind (needs root to mount one)', async () => {
    const a = await primary();
    const b = await newcomer(a, 'b', { data: join(cluster.directory, 'small', 'data') });
    const small = join(cluster.directory, 'small');
    await mkdir(small);
    expect(spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=16m,mode=755', 'tmpfs', small]).status).toBe(0);
    try {
      await expect(b.engine.provision(a.address, { signal })).rejects.toMatchObject({ code: 'ENGINE_NO_SPACE' });
      expect(await readdir(small)).toEqual([]);
      await expect(b.engine.bootstrap({ signal })).rejects.toMatchObject({ code: 'ENGINE_NO_SPACE' });
      expect(await readdir(small)).toEqual([]);
    } finally {
      spawnSync('umount', [small]);
    }
  });

  test('a replica copied from a replica, its WAL kept for it by a slot until it comes', async () => {
    const a = await primary();
    const b = await newcomer(a, 'b');
    await b.engine.provision(a.address, { signal });
    await b.engine.follow(a.address, { signal });
    const c = await newcomer(a, 'c');
    await c.engine.provision(b.address, { signal });
    const client = await a.connect();
    await client.query('create table t (id int)');
    for (let round = 0; round < 3; round += 1)
      await client.query('insert into t select generate_series(1, 50000)').then(() => client.query('checkpoint'));
    await c.engine.follow(b.address, { signal });
    await expectSame(a, c);
    expect((await b.engine.inspect({ signal })).replicas.map(({ node }) => node)).toEqual(['c']);
    await client.end();
  });

  test('tablespaces are copied to where this member has its own, and moved aside with the data', async () => {
    const a = await primary();
    const [there, here] = [join(cluster.directory, 'space-a'), join(cluster.directory, 'space-b')];
    await mkdir(there, { mode: 0o700 });
    await giveToAccount(there);
    const client = await a.connect();
    await client.query(`create tablespace fast location '${there}'`);
    await client.query('create table t tablespace fast as select generate_series(1, 10000) as id');
    const b = await newcomer(a, 'b', { tablespaces: { [there]: here } });
    await mkdir(here);
    await writeFile(join(here, 'mine'), 'not to be harmed');
    await expect(b.engine.provision(a.address, { signal })).rejects.toMatchObject({ code: 'ENGINE_TABLESPACE_IN_USE' });
    expect(await readdir(here)).toEqual(['mine']);
    await rm(join(here, 'mine'));

    await b.engine.provision(a.address, { signal });
    await b.engine.follow(a.address, { signal });
    await expectSame(a, b);
    const [oid] = await readdir(join(b.data, 'pg_tblspc'));
    expect(await readlink(join(b.data, 'pg_tblspc', oid!))).toBe(here);

    await b.engine.stop('clean', { timeoutMs: 10_000 });
    const aside = await b.engine.setAside('test');
    expect(await readdir(join(aside, 'pg_tblspc', oid!))).toEqual([expect.stringMatching(/^PG_/)]);
    await b.engine.provision(a.address, { signal });
    await b.engine.follow(a.address, { signal });
    await expectSame(a, b);
    await client.end();
  });

  test('data that is not ours is never touched', async () => {
    const a = await primary();
    const refused = async (node: string, prepare: (data: string) => Promise<void>, code: string): Promise<void> => {
      const member = await newcomer(a, node);
      await prepare(member.data);
      const before = await readdir(member.data, { recursive: true });
      const seen = await member.engine.inspect({ signal });
      expect(seen).toMatchObject({ data: 'foreign', failure: { code } });
      expect(seen.failure!.hint).not.toBe('');
      const acts = [
        () => member.engine.bootstrap({ signal }),
        () => member.engine.provision(a.address, { signal }),
        () => member.engine.follow(a.address, { signal }),
        () => member.engine.startPrimary({ acknowledge: null, signal }),
        () => member.engine.promote({ acknowledge: null, signal }),
        () => member.engine.freeze({ signal }),
        () => member.engine.rejoin(a.address, { signal }),
        () => member.engine.setAside('test'),
      ];
      for (const act of acts) await expect(act()).rejects.toMatchObject({ code });
      expect(await readdir(member.data, { recursive: true })).toEqual(before);
    };
    await refused(
      'files',
      async (data) => {
        await mkdir(data);
        await writeFile(join(data, 'letter.txt'), 'dear');
      },
      'ENGINE_FOREIGN_DATA',
    );
    const other = await cluster.member('other');
    await other.engine.bootstrap({ signal });
    await refused(
      'swapped',
      async (data) => {
        await rename(other.data, data);
        const marker = JSON.parse(await readFile(join(data, 'holdfast.json'), 'utf8')) as object;
        await writeFile(join(data, 'holdfast.json'), JSON.stringify({ ...marker, service: 'invoices' }));
        await chmod(data, 0o700);
      },
      'ENGINE_FOREIGN_DATA',
    );
    const older = await cluster.member('older');
    await older.engine.bootstrap({ signal });
    await refused(
      'version',
      async (data) => {
        await rename(older.data, data);
        await writeFile(join(data, 'PG_VERSION'), '13\n');
      },
      'ENGINE_VERSION_MISMATCH',
    );
  });

  test('a member of another cluster is not followed, and neither side is harmed', async () => {
    const a = await primary();
    const b = await cluster.member('b');
    await b.engine.bootstrap({ signal });
    // As if the passwords were the same: the identity of the data must tell.
    const credentials = (await a.engine.credentials())!;
    await b.engine.acceptCredentials(credentials);
    await expect(b.engine.follow(a.address, { signal })).rejects.toMatchObject({ code: 'ENGINE_FOREIGN_DATA' });
    await expect(b.engine.rejoin(a.address, { signal })).rejects.toMatchObject({ code: 'ENGINE_FOREIGN_DATA' });
    expect((await b.engine.inspect({ signal })).data).toBe('present');
  });

  test.skipIf(!hasOpenssl)('where servers speak TLS, members copy and stream encrypted (needs openssl)', async () => {
    cluster = await TestCluster.open(bin, { initdb: 'run' });
    const [key, cert] = [join(cluster.directory, 'server.key'), join(cluster.directory, 'server.crt')];
    spawnSync('openssl', [
      'req',
      '-x509',
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:prime256v1',
      '-nodes',
      '-days',
      '2',
      '-subj',
      '/CN=a',
      '-keyout',
      key,
      '-out',
      cert,
    ]);
    await giveToAccount(key);
    await chmod(key, 0o600);
    const parameters = { ssl: true, ssl_key_file: key, ssl_cert_file: cert, log_connections: true };
    const a = await cluster.member('a', { parameters });
    const b = await cluster.member('b', { parameters });
    await replicate(a, [b], signal);
    await expectSame(a, b);
    expect(await b.engine.reachable(a.address, { timeoutMs: 2000 })).toBe('answers');
    const log = await readFile(join(a.stateDir, 'postgres.log'), 'utf8');
    const logins = log.split('\n').filter((line) => /replication connection authorized/.test(line));
    expect(logins.length).toBeGreaterThanOrEqual(3);
    expect(logins.filter((line) => !/SSL enabled/.test(line))).toEqual([]);
  });

  test('a port in use is called that', async () => {
    cluster = await TestCluster.open(bin, { initdb: 'run' });
    const a = await cluster.member('a');
    await a.engine.bootstrap({ signal });
    const server = createServer().listen(a.address.port, '127.0.0.1');
    await once(server, 'listening');
    await expect(a.engine.startPrimary({ acknowledge: null, signal })).rejects.toMatchObject({ code: 'ENGINE_PORT_IN_USE' });
    await new Promise((closed) => server.close(closed));
    await a.engine.startPrimary({ acknowledge: null, signal });
    expect((await a.engine.inspect({ signal })).accepting).toBe(true);
  });

  test('odd bytes in names, paths and settings do no harm', async () => {
    cluster = await TestCluster.open(bin, { initdb: 'run' });
    const a = await cluster.member('a', {
      data: join(cluster.directory, "d'at\\a $(x) ü"),
      parameters: { 'my.setting': "it's a \\ 'test'", search_path: '"$user", public' },
    });
    const b = await cluster.member('b', { data: join(cluster.directory, 'b b') });
    await replicate(a, [b], signal);
    const client = await a.connect();
    const { rows } = await client.query<{ value: string }>("select current_setting('my.setting') as value");
    expect(rows[0]!.value).toBe("it's a \\ 'test'");
    await client.query('create table "T ""x"" ü" (id int)');
    await expectSame(a, b);
    await client.end();
  });
});

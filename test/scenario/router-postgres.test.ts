import { spawn, spawnSync } from 'node:child_process';
import { chmod, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Client, type ClientConfig } from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createAuthority, issueNodeCertificate } from '../../src/agent/certificates.ts';
import { silentLogger } from '../../src/core/logger.ts';
import { configSchema, type ProxyConfig } from '../../src/routing/adapters/proxy/config.ts';
import { openRouter } from '../../src/routing/registry.ts';
import type { Router, Target } from '../../src/routing/router.ts';
import { eventually, giveToAccount, replicate, TestCluster, type TestMember } from './postgres/harness.ts';

const hasPsql = spawnSync('psql', ['--version']).status === 0;
if (!hasPsql && process.env['HOLDFAST_REQUIRE'] === 'all') throw new Error('psql is absent, and HOLDFAST_REQUIRE=all');

const { signal } = new AbortController();
let cluster: TestCluster;
let a: TestMember;
let b: TestMember;
let password: string;
/** Terms grow over all tests, as they do in a cluster. */
let term = 0;

beforeAll(async () => {
  cluster = await TestCluster.open();
  const authority = createAuthority({ cluster: 'test', wallMs: cluster.runtime.clock.wallMs(), days: 1 });
  const issued = issueNodeCertificate(authority, { node: 'a', hosts: [], wallMs: cluster.runtime.clock.wallMs(), days: 1 });
  const [cert, key] = [join(cluster.directory, 'server.pem'), join(cluster.directory, 'server.key')];
  await writeFile(cert, issued.certificate);
  await writeFile(key, issued.key);
  await chmod(key, 0o600);
  await giveToAccount(key);
  const tls = { parameters: { ssl: 'on', ssl_cert_file: cert, ssl_key_file: key } };
  [a, b] = [await cluster.member('a', tls), await cluster.member('b', tls)];
  await replicate(a, [b], signal);
  password = (await a.engine.credentials())!['superuser']!;
});
afterAll(() => cluster[Symbol.asyncDispose]());

const target = (member: TestMember): Target => ({ ...member.address });
const logger = silentLogger;

async function open(overrides: Partial<ProxyConfig> = {}): Promise<Router> {
  const anyPort = { host: '127.0.0.1', port: 0 };
  const config = { ...configSchema.parse({ write: '127.0.0.1:1' }), write: anyPort, read: anyPort, ...overrides };
  return openRouter({ name: 'orders', protocol: 'postgres' }, config, { ...cluster.runtime, logger });
}

function lead(router: Router, leader: TestMember, replicas: readonly TestMember[]): void {
  router.publish({ term: ++term, leader: target(leader), replicas: replicas.map((replica) => ({ ...target(replica), lagBytes: 0 })) });
}

async function connect(router: Router, port: 'write' | 'read' = 'write', more: ClientConfig = {}): Promise<Client> {
  const client = new Client({
    ...router.status()[port],
    user: 'postgres',
    password,
    database: 'postgres',
    connectionTimeoutMillis: 30_000,
    ...more,
  });
  client.on('error', () => {});
  await client.connect();
  return client;
}

const portOf = async (client: Client): Promise<number> =>
  (await client.query<{ port: number }>('select inet_server_port() as port')).rows[0]!.port;

function psql(
  router: Router,
  port: 'write' | 'read',
  command: string,
  options = '',
): { ended: Promise<{ code: number | null; out: string; error: string }>; kill: (name: NodeJS.Signals) => void } {
  const { host, port: number } = router.status()[port]!;
  const child = spawn('psql', [`host=${host} port=${number} user=postgres dbname=postgres ${options}`, '-XAtqc', command], {
    env: { ...process.env, PGPASSWORD: password },
  });
  const [out, error] = [child.stdout.toArray(), child.stderr.toArray()];
  const ended = new Promise<{ code: number | null; out: string; error: string }>((resolve) => {
    child.once(
      'close',
      (code) =>
        void Promise.all([out, error]).then(([text, complaint]) =>
          resolve({ code, out: text.join('').trim(), error: complaint.join('').trim() }),
        ),
    );
  });
  return { ended, kill: (name) => void child.kill(name) };
}

describe('clients of a real PostgreSQL', () => {
  test('reach the leader and the replica, by password, and move megabytes', async () => {
    await using router = await open();
    lead(router, a, [b]);
    const [writer, reader] = [await connect(router), await connect(router, 'read')];
    expect([await portOf(writer), await portOf(reader)]).toEqual([a.address.port, b.address.port]);
    await expect(connect(router, 'write', { password: 'wrong' })).rejects.toMatchObject({ code: '28P01' });
    const { rows } = await writer.query<{ text: string }>("select repeat('0123456789', 1000000) as text");
    expect(rows[0]!.text).toBe('0123456789'.repeat(1_000_000));
    const long = 'y'.repeat(5_000_000);
    expect((await writer.query('select length($1::text) as length', [long])).rows).toEqual([{ length: long.length }]);
    await Promise.all([writer.end(), reader.end()]);
    await eventually(
      cluster.runtime,
      'the router forgets them',
      async () => router.status().connections.write + router.status().connections.read === 0,
    );
  });

  test('are encrypted end to end where they ask for it', async () => {
    await using router = await open();
    lead(router, a, [b]);
    for (const ssl of [{ rejectUnauthorized: false }, false] as const) {
      const client = await connect(router, 'write', { ssl });
      const { rows } = await client.query<{ ssl: boolean }>('select ssl from pg_stat_ssl where pid = pg_backend_pid()');
      expect(rows[0]!.ssl).toBe(ssl !== false);
      await client.end();
    }
  });

  test('are held through a failover, and their first statement runs on the new leader', async () => {
    await using router = await open();
    lead(router, a, [b]);
    const old = await connect(router);
    const failed = new Promise((resolve) => old.once('error', resolve));
    await a.engine.stop('immediate', { timeoutMs: 0 });
    // Some come before the router knows, some after.
    const early = [connect(router), connect(router, 'write', { ssl: { rejectUnauthorized: false } })];
    await eventually(cluster.runtime, 'they are held', async () => router.status().connections.held > 0);
    router.publish({ term: ++term, leader: undefined, replicas: [] });
    const late = [connect(router), connect(router, 'write', { ssl: { rejectUnauthorized: false } })];
    await eventually(cluster.runtime, 'all are held', async () => router.status().connections.held === 4);
    await b.engine.freeze({ signal });
    await b.engine.promote({ acknowledge: null, signal });
    router.publish({ term, leader: target(b), replicas: [] });
    for (const client of await Promise.all([...early, ...late])) {
      expect((await client.query('select pg_is_in_recovery() as recovering')).rows).toEqual([{ recovering: false }]);
      expect(await portOf(client)).toBe(b.address.port);
      await client.end();
    }
    await failed;
    // Back as a replica, for the tests that follow.
    await a.engine.rejoin(b.address, { signal });
    [a, b] = [b, a];
  });

  test('notice nothing but time when the leader restarts while they connect', async () => {
    await using router = await open();
    lead(router, a, []);
    const stop = new AbortController();
    let served = 0;
    const failures: unknown[] = [];
    const load = async (ssl: ClientConfig['ssl']): Promise<void> => {
      while (!stop.signal.aborted) {
        try {
          const client = await connect(router, 'write', { ssl });
          await client.query('select 1');
          served++;
          await client.end();
        } catch (error) {
          failures.push(error);
        }
      }
    };
    const loads = [load(false), load(false), load(false), load({ rejectUnauthorized: false })];
    await eventually(cluster.runtime, 'they are served', async () => served > 20);
    await a.engine.stop('immediate', { timeoutMs: 0 });
    await a.engine.startPrimary({ acknowledge: null, signal });
    const before = served;
    await eventually(cluster.runtime, 'they are served again', async () => served > before + 20);
    stop.abort();
    await Promise.all(loads);
    expect(router.status().refusedTotal).toBe(0);
    // Whom the old server was talking to when it was killed can not be helped: one of each load at most.
    expect(failures.length, String(failures)).toBeLessThanOrEqual(loads.length);
  });

  test('are told why when nobody comes', async () => {
    await using router = await open({ hold: { connections: 10, for: 300 } });
    router.publish({ term: ++term, leader: undefined, replicas: [] });
    await expect(connect(router)).rejects.toMatchObject({
      code: '57P03',
      message: expect.stringContaining('it has no leader; waited 300ms'),
      hint: expect.stringContaining('holdfast status'),
    });
  });
});

describe.skipIf(!hasPsql)('psql (needs psql)', () => {
  test('connects as it does by default, and with TLS required', async () => {
    await using router = await open();
    lead(router, a, [b]);
    for (const mode of ['prefer', 'require', 'disable', 'allow']) {
      const { code, out, error } = await psql(
        router,
        'write',
        'select ssl from pg_stat_ssl where pid = pg_backend_pid()',
        `sslmode=${mode}`,
      ).ended;
      expect({ mode, code, error, encrypted: out === 't' }).toEqual({
        mode,
        code: 0,
        error: '',
        encrypted: mode === 'prefer' || mode === 'require',
      });
    }
  });

  test.each(['prefer', 'disable'])('cancels the right query with sslmode=%s, on either port', async (mode) => {
    await using router = await open();
    lead(router, a, [b]);
    for (const port of ['write', 'read'] as const) {
      const sleeping = psql(router, port, 'select pg_sleep(60)', `sslmode=${mode} application_name=sleeper`);
      const watcher = await connect(router, port);
      await eventually(
        cluster.runtime,
        'it sleeps',
        async () =>
          (await watcher.query("select 1 from pg_stat_activity where application_name = 'sleeper' and wait_event = 'PgSleep'")).rowCount ===
          1,
      );
      sleeping.kill('SIGINT');
      expect(await sleeping.ended).toMatchObject({ code: 1, error: expect.stringContaining('canceling statement due to user request') });
      await watcher.end();
    }
  });

  test.each(['prefer', 'disable'])('prints why it was refused with sslmode=%s', async (mode) => {
    await using router = await open({ hold: { connections: 10, for: 200 } });
    router.publish({ term: ++term, leader: undefined, replicas: [] });
    const { code, error } = await psql(router, 'write', 'select 1', `sslmode=${mode}`).ended;
    expect(code).toBe(2);
    expect(error).toContain("service 'orders' can not be reached: it has no leader; waited 200ms");
  });

  test('is not told that there is no TLS where there is', async () => {
    await using router = await open({ hold: { connections: 10, for: 200 } });
    lead(router, a, []);
    expect((await psql(router, 'write', 'select 1', 'sslmode=require').ended).code).toBe(0);
    router.publish({ term: ++term, leader: undefined, replicas: [] });
    const { code, error } = await psql(router, 'write', 'select 1', 'sslmode=require').ended;
    expect(code).toBe(2);
    expect(error).not.toContain('does not support SSL');
  });

  test('is held until there is a leader', async () => {
    await using router = await open();
    router.publish({ term: ++term, leader: undefined, replicas: [] });
    const held = psql(router, 'write', 'select inet_server_port()');
    await eventually(cluster.runtime, 'it is held', async () => router.status().connections.held === 1);
    router.publish({ term, leader: target(a), replicas: [] });
    expect(await held.ended).toEqual({ code: 0, out: String(a.address.port), error: '' });
  });
});

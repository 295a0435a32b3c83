import { once } from 'node:events';
import { readFile, rm } from 'node:fs/promises';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { join } from 'node:path';
import type { Client } from 'pg';
import { afterEach, describe, expect, test } from 'vitest';
import { formatLsn } from '../../src/core/lsn.ts';
import { fingerprint } from './postgres/compare.ts';
import { eventually, replicate, TestCluster, versions, type TestMember } from './postgres/harness.ts';

const { signal } = new AbortController();

describe.each(versions)('PostgreSQL as it runs ($name)', ({ bin }) => {
  let cluster: TestCluster;
  afterEach(() => cluster[Symbol.asyncDispose]());

  async function pair(more: Record<string, unknown> = {}): Promise<[TestMember, TestMember]> {
    cluster = await TestCluster.open(bin);
    const [a, b] = [await cluster.member('a', more), await cluster.member('b', more)];
    await replicate(a, [b], signal);
    return [a, b];
  }

  const caughtUp = (primary: TestMember, replica: TestMember) =>
    eventually(
      cluster.runtime,
      'the replica has it all',
      async () => (await replica.engine.inspect({ signal })).replayLsn === (await primary.engine.inspect({ signal })).position!.lsn,
    );

  test('where the WAL of a crashed server ends is found as recovery itself finds it', async () => {
    cluster = await TestCluster.open(bin);
    const a = await cluster.member('a');
    await a.engine.bootstrap({ signal });
    for (const round of [1, 2, 3, 4]) {
      await a.engine.startPrimary({ acknowledge: null, signal });
      const client = await a.connect();
      await client.query('create table if not exists t (v text)');
      const load = client
        .query('do $$ begin for i in 1..1000000 loop insert into t values (repeat(md5(i::text), 1 + i % 400)); commit; end loop; end $$')
        .catch(() => {});
      await cluster.runtime.clock.sleep(60 + 45 * round);
      await a.engine.stop('immediate', { timeoutMs: 0 });
      await load;
      const logged = (await readFile(join(a.stateDir, 'postgres.log'), 'utf8')).length;
      const end = await a.engine.freeze({ signal });
      await a.engine.startPrimary({ acknowledge: null, signal });
      const log = (await readFile(join(a.stateDir, 'postgres.log'), 'utf8')).slice(logged);
      // What stopped recovery: the first record that is not valid, where the next one would have begun.
      expect(log, `round ${round}`).toMatch(
        new RegExp(`(invalid|incorrect|unexpected|could not|there is no contrecord|record).* (at|in) .*${formatLsn(end.lsn)}|redo done at`),
      );
      const stopped =
        /(?:invalid record length at|record with incorrect prev-link [0-9A-F/]+ at|incorrect resource manager data checksum in record at|invalid resource manager ID \d+ at) ([0-9A-F]+\/[0-9A-F]+)/.exec(
          log,
        )?.[1];
      if (stopped !== undefined) expect(stopped).toBe(formatLsn(end.lsn));
      await a.engine.stop('immediate', { timeoutMs: 0 });
    }
  });

  test('a server that stands still is silent to clients, and an inspection of it does not wait', async () => {
    cluster = await TestCluster.open(bin);
    const a = await cluster.member('a');
    await a.engine.bootstrap({ signal });
    await a.engine.startPrimary({ acknowledge: null, signal });
    await a.engine.inspect({ signal });
    for (const identity of cluster.runtime.processes.withWorkingDirectory(a.data)) cluster.runtime.processes.kill(identity, 'SIGSTOP');
    expect(await a.engine.reachable(a.address, { timeoutMs: 300 })).toBe('silent');
    expect(await a.engine.inspect({ signal })).toMatchObject({
      running: true,
      accepting: false,
      failure: { code: 'ENGINE_NOT_ANSWERING' },
    });
    await a.engine.stop('immediate', { timeoutMs: 0 });
    expect(await a.engine.reachable(a.address, { timeoutMs: 300 })).toBe('refused');
  });

  test('when the main process dies, no backend goes on committing', async () => {
    const [a, b] = await pair();
    const client = await a.connect();
    await client.query('create table t (i int)');
    const busy = client.query('do $$ begin for i in 1..10000000 loop insert into t values (i); commit; end loop; end $$').catch(() => {});
    await cluster.runtime.clock.sleep(200);
    const death = Promise.withResolvers<void>();
    a.engine.onDeath(death.resolve);
    const { pid } = await a.engine.inspect({ signal });
    cluster.runtime.processes.kill(cluster.runtime.processes.identify(pid!)!, 'SIGKILL');
    await death.promise;
    await busy;
    await eventually(cluster.runtime, 'all are gone', async () => cluster.runtime.processes.withWorkingDirectory(a.data).length === 0);
    const before = await b.engine.freeze({ signal });
    await a.engine.startPrimary({ acknowledge: null, signal });
    expect((await a.engine.inspect({ signal })).position!.lsn).toBeGreaterThanOrEqual(before.lsn);
  });

  test('a slot keeps what a member that is away needs; when it leaves the cluster the slot goes, and with it the WAL', async () => {
    const [a, b] = await pair();
    const oldest = async (of: Client): Promise<string> =>
      (await of.query<{ name: string }>("select min(name) as name from pg_ls_waldir() where name ~ '^[0-9A-F]{24}$'")).rows[0]!.name;
    const client = await a.connect();
    await client.query('create table t (v text)');
    await a.engine.retain([{ node: 'b' }, { node: 'c' }], { signal });
    await b.engine.stop('clean', { timeoutMs: 10_000 });
    for (let round = 0; round < 6; round += 1) {
      await client.query("insert into t select repeat('x', 100) from generate_series(1, 20000)");
      await client.query('select pg_switch_wal()');
      await client.query('checkpoint');
    }
    const kept = await oldest(client);
    await b.engine.follow(a.address, { signal });
    await caughtUp(a, b);
    expect(await fingerprint((options) => b.connect(options))).toEqual(await fingerprint((options) => a.connect(options)));
    const slots = async () =>
      (await client.query<{ slot_name: string }>('select slot_name from pg_replication_slots order by 1')).rows.map((row) => row.slot_name);
    expect((await slots()).length).toBe(2);
    const { position } = await a.engine.inspect({ signal });
    await a.engine.retain([{ node: 'b' }], { signal });
    expect(await slots()).toEqual([expect.stringMatching(/^holdfast_b_/)]);
    await client.query('checkpoint');
    expect((await oldest(client)) > kept, 'what only c needed is gone').toBe(true);
    // A replica keeps it, too, as far as it is told; of one whose data are being copied it is told zero.
    await b.engine.retain(
      [
        { node: 'c', lsn: 0n },
        { node: 'a', lsn: position!.lsn },
      ],
      { signal },
    );
    const reader = await b.connect();
    const { rows } = await reader.query<{ kept: string }>(
      "select restart_lsn::text as kept from pg_replication_slots where slot_name like 'holdfast_a_%'",
    );
    expect(rows[0]!.kept).toBe(formatLsn(position!.lsn));
    await reader.end();
    await client.end();
  });

  test('beyond the limit the primary keeps no WAL for a member that is away; that one says so, and is made whole again', async () => {
    const [a, b] = await pair({
      replication: { walKeep: '64MiB' },
      parameters: { wal_keep_size: '0', max_wal_size: '64MB', min_wal_size: '32MB' },
    });
    const client = await a.connect();
    await client.query('create table t (v text)');
    await a.engine.retain([{ node: 'b' }], { signal });
    await b.engine.stop('clean', { timeoutMs: 10_000 });
    for (let round = 0; round < 9; round += 1) {
      await client.query("insert into t select repeat('x', 200) from generate_series(1, 20000)");
      await client.query('select pg_switch_wal()');
      await client.query('checkpoint');
    }
    await expect(b.engine.follow(a.address, { signal })).rejects.toMatchObject({ code: 'ENGINE_DIVERGED' });
    await b.engine.rejoin(a.address, { signal });
    await caughtUp(a, b);
    expect(await fingerprint((options) => b.connect(options))).toEqual(await fingerprint((options) => a.connect(options)));
    await client.end();
  });

  test('two members that were promoted at the same place to the same timeline are told apart', async () => {
    cluster = await TestCluster.open(bin);
    const members = [await cluster.member('a'), await cluster.member('b'), await cluster.member('c')] as const;
    const [a, b, c] = members;
    await replicate(a, [b, c], signal);
    await caughtUp(a, b);
    await caughtUp(a, c);
    await a.engine.stop('immediate', { timeoutMs: 0 });
    await Promise.all([b.engine.freeze({ signal }), c.engine.freeze({ signal })]);
    expect(await b.engine.promote({ acknowledge: null, signal })).toEqual(await c.engine.promote({ acknowledge: null, signal }));
    const [one, other] = [await b.connect(), await c.connect()];
    await one.query('create table only_b as select generate_series(1, 1000) as id');
    await other.query('create table only_c as select generate_series(1, 9000) as id');
    await one.query('checkpoint');
    await b.engine.stop('immediate', { timeoutMs: 0 });
    await expect(b.engine.follow(c.address, { signal })).rejects.toMatchObject({ code: 'ENGINE_DIVERGED' });
    await b.engine.rejoin(c.address, { signal });
    await caughtUp(c, b);
    expect(await fingerprint((options) => b.connect(options))).toEqual(await fingerprint((options) => c.connect(options)));
    await other.end();
  });

  test('a replica is never started as a primary on its old timeline, even if its signal file is gone', async () => {
    const [a, b] = await pair();
    await caughtUp(a, b);
    await b.engine.stop('immediate', { timeoutMs: 0 });
    await rm(join(b.data, 'standby.signal'));
    expect(await b.engine.inspect({ signal })).toMatchObject({ running: false, stoppedAs: 'replica' });
    await expect(b.engine.startPrimary({ acknowledge: null, signal })).rejects.toMatchObject({ code: 'ENGINE_NOT_PRIMARY' });
    expect((await b.engine.promote({ acknowledge: null, signal })).timeline).toBe(2);
    await expect(a.engine.promote({ acknowledge: null, signal })).resolves.toMatchObject({ timeline: 1 });
    await a.engine.stop('immediate', { timeoutMs: 0 });
    await expect(a.engine.promote({ acknowledge: null, signal })).rejects.toMatchObject({ code: 'ENGINE_NOT_REPLICA' });
  });

  test('a replica with less room than its primary is given as much', async () => {
    cluster = await TestCluster.open(bin);
    const a = await cluster.member('a', { parameters: { max_connections: 150, max_locks_per_transaction: 100 } });
    const b = await cluster.member('b', { parameters: { max_connections: 50 } });
    await replicate(a, [b], signal);
    await caughtUp(a, b);
    const client = await b.connect();
    expect((await client.query<{ max_connections: string }>('show max_connections')).rows[0]!.max_connections).toBe('150');
    await client.end();
  });

  test.skipIf(/\/1[4-6]\//.test(bin ?? ''))(
    'a logical slot made to survive failover is there on the new primary (17 and later)',
    async () => {
      const [a, b] = await pair({ parameters: { wal_level: 'logical' } });
      const client = await a.connect();
      await client.query("select pg_create_logical_replication_slot('changes', 'test_decoding', failover => true)");
      await client.query('create table t (id int)');
      const slots = async (of: TestMember): Promise<Record<string, unknown>[]> => {
        const reader = await of.connect();
        const { rows } = await reader.query("select slot_name, synced, temporary from pg_replication_slots where slot_type = 'logical'");
        await reader.end();
        return rows as Record<string, unknown>[];
      };
      // As a subscriber does: the copy is kept once the slot has moved beyond what the replica still has.
      const consume = async (of: Client): Promise<void> => {
        await of.query('select pg_log_standby_snapshot()');
        await of.query("select count(*) from pg_logical_slot_get_changes('changes', null, null)");
      };
      const isCopied = async (from: Client, to: TestMember): Promise<boolean> => {
        await consume(from);
        return (await slots(to)).some((slot) => slot['synced'] === true && slot['temporary'] === false);
      };
      await eventually(cluster.runtime, 'the slot is copied', () => isCopied(client, b));
      await client.query('insert into t values (1)');
      await caughtUp(a, b);
      await a.engine.stop('clean', { timeoutMs: 10_000 });
      await b.engine.freeze({ signal });
      await b.engine.promote({ acknowledge: null, signal });
      const next = await b.connect();
      const { rows } = await next.query<{ data: string }>("select data from pg_logical_slot_get_changes('changes', null, null)");
      expect(rows.map((row) => row.data).join(' ')).toContain('INSERT: id[integer]:1');
      // The former primary's own slot makes way for the copy.
      await a.engine.follow(b.address, { signal });
      await a.engine.retain([{ node: 'b' }], { signal });
      await eventually(cluster.runtime, 'the slot is copied back', () => isCopied(next, a));
      await next.end();
    },
  );

  test('another agent adopts a replica as it is, and learns of its death', async () => {
    const [a, b] = await pair();
    await caughtUp(a, b);
    const before = await b.engine.inspect({ signal });
    await b.engine[Symbol.asyncDispose]();
    // What the agent before had begun: it watches over nothing any more, else its process would not end.
    await b.engine.adopt({ signal });
    const told: string[] = [];
    b.engine.onDeath(() => told.push('the one before'));
    await using next = await b.reopen();
    await next.adopt({ signal });
    const seen = await next.inspect({ signal });
    expect(seen).toMatchObject({ pid: before.pid, role: 'replica', upstream: { node: 'a', streaming: true } });
    await next.follow(a.address, { signal });
    expect((await next.inspect({ signal })).pid).toBe(before.pid);
    const death = Promise.withResolvers<void>();
    next.onDeath(death.resolve);
    cluster.runtime.processes.kill(cluster.runtime.processes.identify(before.pid!)!, 'SIGKILL');
    await death.promise;
    await cluster.runtime.clock.sleep(200);
    expect(told).toEqual([]);
  });

  test("whoever sits at a member's address and asks for the password does not get it", async () => {
    cluster = await TestCluster.open(bin);
    const a = await cluster.member('a');
    await a.engine.bootstrap({ signal });
    const heard: Buffer[] = [];
    const server = createServer((socket: Socket) => {
      socket.on('error', () => {});
      socket.on('data', (chunk) => {
        heard.push(chunk);
        // AuthenticationCleartextPassword.
        socket.write(Buffer.from([0x52, 0, 0, 0, 8, 0, 0, 0, 3]));
      });
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const b = await cluster.member('b');
    const credentials = (await a.engine.credentials())!;
    await b.engine.acceptCredentials(credentials);
    await expect(b.engine.provision({ node: 'a', host: '127.0.0.1', port }, { signal })).rejects.toMatchObject({
      code: 'ENGINE_UPSTREAM_UNREACHABLE',
    });
    expect(Buffer.concat(heard).length).toBeGreaterThan(0);
    expect(Buffer.concat(heard).includes(credentials['replication']!)).toBe(false);
    await new Promise((closed) => server.close(closed));
  });
});

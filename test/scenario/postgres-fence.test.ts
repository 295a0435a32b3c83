import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Client } from 'pg';
import { afterEach, describe, expect, test } from 'vitest';
import { parseLsn } from '../../src/core/lsn.ts';
import { eventually, replicate, TestCluster, versions, type TestMember } from './postgres/harness.ts';

const { signal } = new AbortController();

describe.each(versions)('the fence of PostgreSQL ($name)', ({ bin }) => {
  let cluster: TestCluster;
  afterEach(() => cluster[Symbol.asyncDispose]());

  async function three(config: Record<string, unknown> = {}): Promise<[TestMember, TestMember, TestMember]> {
    cluster = await TestCluster.open(bin);
    const members = [await cluster.member('a', config), await cluster.member('b', config), await cluster.member('c', config)] as const;
    await replicate(members[0], members.slice(1), signal);
    await streaming(members[1]);
    await streaming(members[2]);
    return [...members];
  }

  async function streaming(replica: TestMember): Promise<void> {
    await eventually(
      cluster.runtime,
      `${replica.address.node} streams`,
      async () => (await replica.engine.inspect({ signal })).upstream?.streaming,
    );
  }

  /** Commits one row after another, and notes which were acknowledged, until the connection fails. */
  function load(client: Client): { acknowledged: number[]; done: Promise<void> } {
    const acknowledged: number[] = [];
    const run = async (): Promise<void> => {
      for (let id = 1; ; id += 1) {
        await client.query('insert into t values ($1)', [id]);
        acknowledged.push(id);
      }
    };
    return { acknowledged, done: run().catch(() => {}) };
  }

  async function isHanging(work: Promise<unknown>): Promise<boolean> {
    return await Promise.race([
      work.then(
        () => false,
        () => false,
      ),
      cluster.runtime.clock.sleep(400).then(() => true),
    ]);
  }

  test('a frozen voter acknowledges nothing more, and its position covers all that it did; so nothing is lost by promoting it', async () => {
    const [a, b, c] = await three();
    await a.engine.acknowledge({ k: 1, voters: ['b', 'c'] }, { signal });
    expect(await a.engine.inspect({ signal })).toMatchObject({ role: 'primary', acknowledge: { k: 1, voters: ['b', 'c'] } });
    const client = await a.connect();
    await client.query('create table t (id int primary key)');
    const { acknowledged, done } = load(client);
    await eventually(cluster.runtime, 'a hundred rows', async () => acknowledged.length > 100);

    const positions = await Promise.all([b.engine.freeze({ signal }), c.engine.freeze({ signal })]);
    const after = acknowledged.length;
    await cluster.runtime.clock.sleep(400);
    // One commit may have been on its way to the client when the last voter froze.
    expect(acknowledged.length - after).toBeLessThanOrEqual(1);
    const final = [...acknowledged];
    expect(await b.engine.freeze({ signal }), 'freezing again changes nothing').toEqual(positions[0]);

    const [first, second] = positions[0].lsn >= positions[1].lsn ? [b, c] : [c, b];
    await a.engine.stop('immediate', { timeoutMs: 0 });
    await done;
    const begins = await first.engine.promote({ acknowledge: { k: 1, voters: [second.address.node] }, signal });
    expect(begins.timeline).toBe(2);
    await second.engine.follow(first.address, { signal });
    const reader = await first.connect();
    await reader.query('insert into t values (-1)');
    const { rows } = await reader.query<{ id: number }>('select id from t');
    const kept = new Set(rows.map(({ id }) => id));
    expect(
      final.filter((id) => !kept.has(id)),
      'acknowledged and lost',
    ).toEqual([]);
    expect(final.length).toBeGreaterThan(100);
    await reader.end();
  });

  test('the fence does not wait for replay, and covers what was confirmed but not yet replayed', async () => {
    const [a, b] = await three();
    await a.engine.acknowledge({ k: 1, voters: ['b'] }, { signal });
    const reader = await b.connect();
    await reader.query('select pg_wal_replay_pause()');
    const client = await a.connect();
    await client.query('create table t (id int)');
    await client.query('insert into t select generate_series(1, 1000)');
    const acknowledged = (await client.query<{ lsn: string }>('select pg_current_wal_flush_lsn()::text as lsn')).rows[0]!.lsn;
    const position = await b.engine.freeze({ signal });
    expect(position.lsn).toBeGreaterThanOrEqual(parseLsn(acknowledged));
    expect(position.lsn).toBeGreaterThan((await b.engine.inspect({ signal })).replayLsn!);
    expect(await isHanging(client.query('insert into t values (-1)').catch(() => {}))).toBe(true);
    await a.engine.stop('immediate', { timeoutMs: 0 });
    await b.engine.promote({ acknowledge: null, signal });
    const next = await b.connect();
    expect((await next.query<{ count: string }>('select count(*) from t')).rows[0]!.count).toBe('1000');
    await next.end();
    await reader.end();
  });

  test('it is not said to be frozen while a receiver could still confirm something', async () => {
    const [, b] = await three();
    const reader = await b.connect();
    const { rows } = await reader.query<{ pid: number }>('select pid from pg_stat_wal_receiver');
    const receiver = cluster.runtime.processes.identify(rows[0]!.pid)!;
    cluster.runtime.processes.kill(receiver, 'SIGSTOP');
    const freezing = b.engine.freeze({ signal });
    expect(await isHanging(freezing)).toBe(true);
    cluster.runtime.processes.kill(receiver, 'SIGCONT');
    await freezing;
    expect(cluster.runtime.processes.isAlive(receiver)).toBe(false);
    await reader.end();
  });

  test('being frozen outlasts a restart of the server', async () => {
    const [a, b] = await three();
    const before = await b.engine.freeze({ signal });
    await b.engine.stop('immediate', { timeoutMs: 0 });
    expect(await b.engine.freeze({ signal }), 'of a stopped member, from its disk').toEqual(before);
    const client = await a.connect();
    await client.query('create table t (id int)');
    // Whatever starts it (promotion does): it goes on to receive nothing.
    const restarted = await b.engine.promote({ acknowledge: null, signal });
    expect(restarted).toEqual({ timeline: 2, lsn: before.lsn });
    await client.end();
  });

  test('a new primary writes nothing before its voters have it, and goes on once they do', async () => {
    const [a, b, c] = await three();
    await Promise.all([b.engine.freeze({ signal }), c.engine.freeze({ signal })]);
    await a.engine.stop('immediate', { timeoutMs: 0 });
    await b.engine.promote({ acknowledge: { k: 1, voters: ['c'] }, signal });
    const client = await b.connect();
    const write = client.query('create table t (id int)');
    expect(await isHanging(write)).toBe(true);
    await c.engine.follow(b.address, { signal });
    await write;
    await client.end();
  });

  test('a changed rule holds for every commit after it: nobody is let through by the old one', async () => {
    const [a, b] = await three();
    const client = await a.connect();
    await client.query('create table t (id int)');
    const rules = [{ k: 1, voters: ['b'] }, { k: 2, voters: ['b', 'c'] }, { k: 1, voters: ['b', 'c'] }, null, { k: 1, voters: ['b', 'c'] }];
    for (const rule of rules) {
      const bound = await a.engine.acknowledge(rule, { signal });
      expect(bound).toBeLessThanOrEqual((await a.engine.inspect({ signal })).position!.lsn);
      await client.query('insert into t values (1)');
    }
    // From nothing to a rule that nobody can satisfy: from the moment it returns no commit comes through, on any connection.
    await a.engine.acknowledge(null, { signal });
    await b.engine.freeze({ signal });
    await a.engine.acknowledge({ k: 2, voters: ['b', 'c'] }, { signal });
    const others = await Promise.all(Array.from({ length: 5 }, () => a.connect()));
    const writes = [client, ...others].map((one) => one.query('insert into t values (2)').catch(() => {}));
    expect(await Promise.all(writes.map(isHanging))).toEqual(writes.map(() => true));
    await a.engine.acknowledge({ k: 1, voters: ['b', 'c'] }, { signal });
    await Promise.all(writes);
    for (const one of [client, ...others]) await one.end();
  });

  test('a commit that waited through a change goes on with it, although nobody else writes', async () => {
    // Replicas that report only what they have newly received.
    const [a, , c] = await three({ parameters: { wal_receiver_status_interval: '0' } });
    const client = await a.connect();
    await a.engine.acknowledge({ k: 2, voters: ['b', 'c'] }, { signal });
    await c.engine.freeze({ signal });
    const write = client.query('create table t (id int)');
    expect(await isHanging(write)).toBe(true);
    await a.engine.acknowledge({ k: 1, voters: ['b', 'c'] }, { signal });
    expect(await isHanging(write)).toBe(false);
    await client.end();
  });

  test('a rule is not said to hold before every process that decides has read it', async () => {
    const [a] = await three();
    const client = await a.connect();
    const { processes } = cluster.runtime;
    const pidOf = async (sql: string): Promise<number> => (await client.query<{ pid: number }>(sql)).rows[0]!.pid;
    const whileStopped = async (pid: number, rule: { k: number; voters: string[] }): Promise<void> => {
      const identity = processes.identify(pid)!;
      processes.kill(identity, 'SIGSTOP');
      const changing = a.engine.acknowledge(rule, { signal });
      expect(await isHanging(changing), 'returned although one process works by the old rule').toBe(true);
      expect((await a.engine.inspect({ signal })).acknowledge, 'no rule is in force meanwhile').toBeUndefined();
      processes.kill(identity, 'SIGCONT');
      await changing;
      expect((await a.engine.inspect({ signal })).acknowledge).toEqual(rule);
    };
    // The checkpointer keeps the flag by which commits wait at all.
    await whileStopped(await pidOf("select pid from pg_stat_activity where backend_type = 'checkpointer'"), { k: 1, voters: ['b', 'c'] });
    // Each walsender releases commits by the rule that it has read.
    await whileStopped(await pidOf("select pid from pg_stat_replication where application_name = 'b'"), { k: 2, voters: ['b', 'c'] });
    await client.query('create table t (id int)');
    await client.end();
  });

  test('fewer voters than needed block commits instead of lying', async () => {
    const [a] = await three();
    await a.engine.acknowledge({ k: 1, voters: [] }, { signal });
    expect((await a.engine.inspect({ signal })).acknowledge).toEqual({ k: 1, voters: [] });
    const client = await a.connect();
    expect(await isHanging(client.query('create table t (id int)').catch(() => {}))).toBe(true);
    await a.engine.acknowledge(null, { signal });
    await client.end();
  });

  test('settings made with ALTER SYSTEM do not get round the rule', async () => {
    const [a] = await three();
    await a.engine.acknowledge({ k: 1, voters: ['b', 'c'] }, { signal });
    const client = await a.connect();
    await client.query("alter system set synchronous_standby_names = ''");
    await client.query('alter system set work_mem = 4321');
    await a.engine.acknowledge({ k: 2, voters: ['b', 'c'] }, { signal });
    const { rows } = await client.query<{ rule: string; memory: string }>(
      "select current_setting('synchronous_standby_names') as rule, current_setting('work_mem') as memory",
    );
    expect(rows[0]).toEqual({ rule: 'ANY 2 ("b", "c")', memory: '4321kB' });
    await client.end();
  });

  test('no password is in the log, in the settings or in a command line', async () => {
    const [a, b] = await three();
    const secrets = Object.values((await a.engine.credentials())!);
    const client = await b.connect();
    const { rows } = await client.query<{ text: string }>(
      "select string_agg(setting, ' ') || (select string_agg(query, ' ') from pg_stat_activity) as text from pg_settings",
    );
    const processes = cluster.runtime.processes
      .withWorkingDirectory(b.data)
      .map(({ pid }) => readFileSync(`/proc/${pid}/cmdline`, 'latin1') + readFileSync(`/proc/${pid}/environ`, 'latin1'));
    const texts = [
      rows[0]!.text,
      ...processes,
      ...[a, b].map((member) => readFileSync(join(member.stateDir, 'postgres.log'), 'utf8')),
      readFileSync(join(b.data, 'holdfast.conf'), 'utf8'),
    ];
    for (const secret of secrets) expect(texts.filter((text) => text.includes(secret))).toEqual([]);
    await client.end();
  });
});

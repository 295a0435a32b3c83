import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { Agents, DirectWriter, query } from './agents.ts';
import { temporaryDirectory, expectNothingLeft } from './demo-process.ts';
import { createClock } from '../../src/runtime/index.ts';
import { EtcdCluster, hasEtcd } from './servers/etcd.ts';

async function missing(connection: string, ids: Iterable<number>): Promise<number[]> {
  const wanted = [...ids];
  const rows = await query<{ id: number }>(connection, 'select id from held where id = any($1::int[])', [wanted]);
  const found = new Set(rows.map((row) => row.id));
  return wanted.filter((id) => !found.has(id));
}

/** For what is to come true on a machine however loaded. */
const patiently = { timeout: 60_000, interval: 50 };

const withEtcd = hasEtcd() || process.env['HOLDFAST_REQUIRE'] === 'all' ? test : test.skip;

describe('failover with real PostgreSQL', () => {
  test('quorum mode: a stalled agent never means two primaries, and what the old one acknowledged is on the new one', async () => {
    await using directory = await temporaryDirectory();
    {
      await using agents = await Agents.start({ directory: directory.path });
      const before = await agents.whole();
      const leader = before.leader!;
      await query(agents.write, 'create table held (id int primary key)');
      await using old = new DirectWriter(agents.connection(leader), 1);
      await using routed = new DirectWriter(agents.write, 1_000_000);
      old.start();
      routed.start();
      await expect.poll(() => old.acked.size, patiently).toBeGreaterThan(10);
      await agents.signal(leader, 'SIGSTOP');
      const after = await agents.until('another leader', (service) => service.leader !== null && service.leader !== leader);
      expect(after.term).toBeGreaterThan(before.term);
      // Its guard has ended it, or will within the grace; either way it acknowledges nothing more.
      await sleep(1_500);
      const oldEndedMs = old.lastAckMs;
      await sleep(1_000);
      expect(old.lastAckMs).toBe(oldEndedMs);
      await expect.poll(() => routed.lastAckMs, patiently).toBeGreaterThan(oldEndedMs);
      await agents.signal(leader, 'SIGCONT');
      await agents.whole();
      await old[Symbol.asyncDispose]();
      await routed[Symbol.asyncDispose]();
      expect(await missing(agents.write, [...old.acked.keys(), ...routed.acked.keys()])).toEqual([]);
    }
    await expectNothingLeft(directory.path);
  });

  test('asynchronous mode: the old primary takes its last write before the new one takes its first', async () => {
    await using directory = await temporaryDirectory();
    {
      await using agents = await Agents.start({ directory: directory.path, acknowledge: 0 });
      const leader = (await agents.whole()).leader!;
      await query(agents.write, 'create table held (id int primary key)');
      await using old = new DirectWriter(agents.connection(leader), 1);
      old.start();
      await expect.poll(() => old.acked.size, patiently).toBeGreaterThan(10);
      await agents.signal(leader, 'SIGSTOP');
      const after = await agents.until('another leader', (service) => service.leader !== null && service.leader !== leader);
      await using fresh = new DirectWriter(agents.connection(after.leader!), 1_000_000);
      fresh.start();
      await sleep(1_000);
      await expect.poll(() => fresh.acked.size, patiently).toBeGreaterThan(0);
      expect(old.lastAckMs).toBeLessThan(fresh.firstAckMs);
      await agents.signal(leader, 'SIGCONT');
      await agents.whole();
    }
    await expectNothingLeft(directory.path);
  });

  test('an agent that is killed and does not come back: its guard ends the database, the others take over', async () => {
    await using directory = await temporaryDirectory();
    {
      await using agents = await Agents.start({ directory: directory.path });
      const before = await agents.whole();
      const leader = before.leader!;
      const postmaster = agents.member(before, leader).pids.database!;
      await agents.signal(leader, 'SIGKILL');
      await agents.until('another leader', (service) => service.leader !== null && service.leader !== leader);
      await expect.poll(() => processIsThere(postmaster), patiently).toBe(false);
      agents.startAgent(leader);
      await agents.whole();
    }
    await expectNothingLeft(directory.path);
  });

  test('both other nodes gone: commits wait rather than lie; they go on when one is back', async () => {
    await using directory = await temporaryDirectory();
    await using agents = await Agents.start({ directory: directory.path });
    const leader = (await agents.whole()).leader!;
    const others = agents.members.map((node) => node.name).filter((name) => name !== leader);
    await query(agents.write, 'create table held (id int primary key)');
    for (const name of others) await agents.signal(name, 'SIGINT');
    await sleep(2_500);
    await expect(query(agents.write, 'insert into held values (1)', [], 2_000)).rejects.toThrow();
    agents.startAgent(others[0]!);
    await expect
      .poll(
        () =>
          query(agents.write, 'insert into held values (2) on conflict do nothing', [], 2_000).then(
            () => true,
            () => false,
          ),
        patiently,
      )
      .toBe(true);
    agents.startAgent(others[1]!);
    await agents.whole();
  });

  test('everything stopped at once and started again: the same data, one leader', async () => {
    await using directory = await temporaryDirectory();
    await using agents = await Agents.start({ directory: directory.path });
    const before = await agents.whole();
    await query(agents.write, 'create table held (id int primary key)');
    await query(agents.write, 'insert into held select generate_series(1, 1000)');
    const pids = before.members.flatMap((member) =>
      [member.pids.agent, member.pids.guard, member.pids.database].filter((pid) => pid !== undefined),
    );
    for (const pid of pids) process.kill(pid, 'SIGKILL');
    await sleep(500);
    for (const node of agents.members) agents.startAgent(node.name);
    await agents.whole();
    expect(await query(agents.write, 'select count(*)::int as n from held')).toEqual([{ n: 1000 }]);
  });

  // Most of it is waiting, each with a store and a cluster of its own.
  withEtcd.concurrent.each([
    ['in quorum mode the leader goes on', 1],
    ['in asynchronous mode only while every member confirms it', 0],
  ])('the store away: %s', async (_, acknowledge) => {
    await using directory = await temporaryDirectory();
    await using etcd = await EtcdCluster.start(createClock());
    await using agents = await Agents.start({ directory: directory.path, coordination: `etcd:${etcd.endpoints.join(',')}`, acknowledge });
    const before = await agents.whole();
    const leader = before.leader!;
    await query(agents.write, 'create table held (id int primary key)');
    await etcd.members[0]!.pause();
    await sleep(8_000);
    await query(agents.write, 'insert into held values (1)');
    expect((await agents.status())?.leader).toBe(leader);
    if (acknowledge === 0) {
      const other = agents.members.find((node) => node.name !== leader)!.name;
      await agents.signal(other, 'SIGSTOP');
      await agents.until('no leader: one member does not confirm', (service) => service.leader === null, { timeoutMs: 20_000 });
      await agents.signal(other, 'SIGCONT');
    }
    etcd.members[0]!.continue();
    await agents.whole();
    await query(agents.write, 'insert into held values (2)');
  });
});

function processIsThere(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

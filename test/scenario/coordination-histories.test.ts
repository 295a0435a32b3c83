import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { eventually } from '../../src/coordination/contract/harness.ts';
import { createClock } from '../../src/runtime/index.ts';
import { Client, type Reach } from './histories/clients.ts';
import { Histories } from './histories/histories.ts';
import { Resource } from './histories/resource.ts';
import { amount, type RunReport, runUnderFaults, summarize } from './histories/run.ts';
import { etcdServers, zooKeeperServers } from './histories/server-faults.ts';
import { EtcdCluster, hasEtcd } from './servers/etcd.ts';
import { hasZooKeeper, ZooKeeperEnsemble } from './servers/zookeeper.ts';

/*
 * Safety: keys of a store are linearizable registers; of a lock or an election, tokens never go back and no hold is found valid once a later
 * one was given. Method: clients in processes of their own record what they do while everything around them fails; the recordings are checked.
 */

const clock = createClock();
const minuteMs = 60_000;
/** A round, and what comes before and after it. */
const timeout = (2 + amount.rounds) * minuteMs;

describe.runIf(hasEtcd())('etcd of three members (needs the programs etcd and etcdctl)', () => {
  it('keeps what is promised while members, clients and links fail', { timeout }, async () => {
    await using cluster = await EtcdCluster.start(clock, { members: 3 });
    const reach: Reach = {
      ports: cluster.members.map(({ port }) => port),
      configure: (ports) => ({ etcd: { endpoints: ports.map((port) => `http://127.0.0.1:${port}`), requestTimeout: '2s' } }),
    };
    expectAllWell('etcd', await runUnderFaults(clock, 'etcd', reach, etcdServers(cluster)));
  });

  it('is caught when a client takes no answer for a no', { timeout: minuteMs * 2 }, async () => {
    await using cluster = await EtcdCluster.start(clock);
    await using histories = new Histories(clock);
    const reach: Reach = {
      ports: [cluster.members[0]!.port],
      configure: (ports) => ({ etcd: { endpoints: ports.map((port) => `http://127.0.0.1:${port}`), requestTimeout: '500ms' } }),
    };
    const settings = { seed: '1', keyUsers: 4, holders: 0, candidates: 0, pauseMs: 10, acts: 0 };
    const { directory } = histories;
    const hasty = await Client.start(clock, reach, new Resource(), { ...settings, directory, name: 'hasty', mistake: 'hasty' });
    const other = await Client.start(clock, reach, new Resource(), { ...settings, directory, name: 'other' });
    await Promise.all([hasty.ready(), other.ready()]);
    for (let cuts = 0; cuts < 3; cuts += 1) {
      await clock.sleep(400);
      for (const relay of hasty.relays) relay.hang('to-client');
      await clock.sleep(1_000);
      for (const relay of hasty.relays) relay.reset();
      for (const relay of hasty.relays) await relay.restore();
    }
    await clock.sleep(400);
    expect(await Promise.all([hasty.stop(), other.stop()])).toEqual([undefined, undefined]);
    const keys = (await histories.check()).find(({ recording }) => recording === 'keys')!;
    expect(keys.verdict, keys.why).toBe('not linearizable');
    await rm(directory, { recursive: true });
  });
});

describe.runIf(hasZooKeeper())('ZooKeeper of three servers (needs java and the package zookeeper)', () => {
  it('keeps what is promised while servers, clients and links fail', { timeout }, async () => {
    await using ensemble = await ZooKeeperEnsemble.start(clock, { servers: 3 });
    const reach: Reach = {
      ports: ensemble.servers.map(({ port }) => port),
      configure: (ports) => ({ zookeeper: { servers: ports.map((port) => `127.0.0.1:${port}`) } }),
    };
    expectAllWell('ZooKeeper', await runUnderFaults(clock, 'ZooKeeper', reach, zooKeeperServers(ensemble, clock)));
  });
});

describe('the embedded store', () => {
  it('keeps what is promised while its processes are stopped and killed', { timeout }, async () => {
    await using file = await temporaryFile();
    const reach: Reach = { ports: [], configure: () => ({ embedded: file.path }) };
    expectAllWell('embedded', await runUnderFaults(clock, 'embedded', reach, undefined));
  });

  it('is caught when a holder does not look whether it still holds', { timeout: minuteMs * 2 }, async () => {
    await using file = await temporaryFile();
    await using histories = new Histories(clock);
    const reach: Reach = { ports: [], configure: () => ({ embedded: file.path }) };
    const { directory } = histories;
    const resource = new Resource();
    const settings = { seed: '1', keyUsers: 0, holders: 1, candidates: 0, pauseMs: 10, directory };
    const careless = await Client.start(clock, reach, resource, { ...settings, name: 'careless', acts: 100_000, mistake: 'careless' });
    await careless.ready();
    await eventually(clock, minuteMs, 'it holds', () => resource.accepted > 0);
    const rival = await Client.start(clock, reach, resource, { ...settings, name: 'rival', acts: 5 });
    await rival.ready();
    careless.stall();
    const before = resource.accepted;
    await eventually(clock, minuteMs, 'its rival holds', () => resource.accepted > before + 10);
    careless.continue();
    await eventually(clock, minuteMs, 'it acts all the same', () => resource.refused > 0);
    await clock.sleep(300);
    expect(await Promise.all([careless.stop(), rival.stop()])).toEqual([undefined, undefined]);
    const locks = (await histories.check()).find(({ recording }) => recording === 'locks')!;
    expect(locks.verdict, locks.why).toBe('not linearizable');
    expect(locks.why).toContain('careless/lock1: finds valid');
    await rm(directory, { recursive: true });
  });
});

function expectAllWell(name: string, report: RunReport): void {
  process.stdout.write(summarize(name, report));
  expect(report.problems, 'no client saw an error that none may see').toEqual([]);
  for (const { recording, verdict, why, file } of report.findings)
    expect(verdict, `${recording}, kept in ${file}:\n${why}`).toBe('linearizable');
  const [keys, locks, elections] = (['keys', 'locks', 'elections'] as const).map(
    (recording) => report.findings.find((finding) => finding.recording === recording)!.counts,
  );
  // Else nothing was tried.
  expect(keys!['get ok']).toBeGreaterThan(50);
  expect(keys!['swap ok']).toBeGreaterThan(50);
  expect(keys!['swap fail']).toBeGreaterThan(5);
  expect(locks!['acquire ok']).toBeGreaterThan(10);
  expect(elections!['acquire ok']).toBeGreaterThan(5);
  expect(report.acts.accepted).toBeGreaterThan(50);
}

async function temporaryFile(): Promise<AsyncDisposable & { readonly path: string }> {
  const directory = await mkdtemp(join(tmpdir(), 'holdfast-embedded-'));
  return { path: join(directory, 'store.db'), [Symbol.asyncDispose]: () => rm(directory, { recursive: true }) };
}

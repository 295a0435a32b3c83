import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ServiceStatus } from '../../src/api/schema.ts';
import type { Configuration } from './agents.ts';
import type { Fault } from './hosts/faults.ts';
import { whyNoHosts } from './hosts/machine.ts';
import { another, LASTS_MS, same, Trials, whatever } from './hosts/trial.ts';
import { hasEtcd } from './servers/etcd.ts';
import { hasZooKeeper } from './servers/zookeeper.ts';

const why = whyNoHosts() ?? (hasEtcd() ? undefined : 'needs etcd and etcdctl');
const describeHosts = why === undefined ? describe : describe.skip;
const skipped = why === undefined ? '' : ` (SKIPPED: ${why})`;

/** However busy the machine is, the next agent is there in time. */
const patient = (config: Configuration): void => {
  config.services['orders']!['failover'] = { agentGrace: '60s' };
};

/** A database that stands still is given up sooner than by default, for the tests wait for it. */
const impatient = (config: Configuration): void => {
  config.services['orders']!['failover'] = { unresponsive: '3s' };
};

describeHosts(`quorum mode on three hosts, each with a member of etcd${skipped}`, () => {
  let trials: Trials;
  beforeAll(async () => {
    trials = await Trials.start({ configure: impatient });
  });
  afterAll(() => trials?.[Symbol.asyncDispose]());

  describe('another member leads while', () => {
    test('the agent of the leader is killed', () => trials.run((faults, leader) => faults.kill(leader, 'agent'), another));
    test('the database of the leader is killed', () => trials.run((faults, leader) => faults.kill(leader, 'database'), another));
    test('the host of the leader is off', () => trials.run((faults, leader) => faults.powerOff(leader), another));
    test('the agent of the leader is stalled', () => trials.run((faults, leader) => faults.stall(leader, 'agent'), another));
    test('the database of the leader is stalled', () => trials.run((faults, leader) => faults.stall(leader, 'database'), another));
    test('everything of the leader is stalled', () =>
      trials.run((faults, leader) => faults.stall(leader, 'agent', 'guard', 'database', 'store'), another));
    test('the leader is cut off', () => trials.run((faults, leader) => faults.cut(leader), another));
    test('the leader is cut off from the other hosts, but not from clients', () =>
      trials.run((faults, leader) => faults.cutFromHosts(leader), another));
    test('nothing reaches the leader', () => trials.run((faults, leader) => faults.cutOneWay(leader, 'in'), another));
    test('nothing of the leader reaches anybody', () => trials.run((faults, leader) => faults.cutOneWay(leader, 'out'), another));
  });

  describe('the leader goes on while', () => {
    test('one replica is cut off from it', () => trials.run((faults, leader, [replica]) => faults.cutPair(leader, replica!), same));
    test('one replica is cut off', () => trials.run((faults, _leader, [replica]) => faults.cut(replica!), same));
    test('one replica is off', () => trials.run((faults, _leader, [replica]) => faults.powerOff(replica!), same));
    test('one replica is cut off from the store', () => trials.run((faults, _leader, [replica]) => faults.cutFromStore(replica!), same));
    test('it is cut off from the store', () => trials.run((faults, leader) => faults.cutFromStore(leader), same));
    test('the leader of the store is killed', () =>
      trials.run(async (faults) => faults.kill(await trials.hosts.storeLeader(), 'store'), same));
    test('the leader of the store is stalled', () =>
      trials.run(async (faults) => faults.stall(await trials.hosts.storeLeader(), 'store'), same));
    test('the leader of the store is cut off from its peers, not from its clients', () =>
      trials.run(async (faults) => faults.cutStorePeers(await trials.hosts.storeLeader()), same));
    test('a majority of the store is lost', () =>
      trials.run((faults, _leader, replicas) => faults.all(replicas.map((host) => faults.kill(host, 'store'))), same));
  });

  test('without the store nobody takes over from a leader that is off; with it again, somebody does', async () => {
    let store: Fault;
    await trials.run(
      async (faults, leader, replicas) => {
        const off = await faults.powerOff(leader);
        store = await faults.all(replicas.map((host) => faults.kill(host, 'store')));
        return await faults.all([Promise.resolve(off), Promise.resolve(store)]);
      },
      async (_, before) => {
        await sleep(1_000);
        trials.load.mark();
        await sleep(LASTS_MS);
        expect(trials.load.measure().acknowledged).toBe(0);
        expect(await trials.hosts.agents.status()).toMatchObject({ term: before.term });
        await store.undo();
        await another(trials, before);
      },
    );
  });

  describe('after', () => {
    test('30 % of all packets were lost', () => trials.run((faults) => faults.lose(30), whatever));
    test('30 % of what reached the leader was reset', () => trials.run((faults, leader) => faults.reset(leader, 30), whatever));
    test('the leader had 256 kbit/s', () => trials.run((faults, leader) => faults.slow(leader, 256), whatever));
    test('everything was off', () =>
      trials.run(
        (faults) => faults.powerOff(...trials.hosts.names),
        async () => {},
      ));
  });
});

describeHosts(`asynchronous mode on two of three hosts, each with a member of etcd${skipped}`, () => {
  let trials: Trials;
  beforeAll(async () => {
    trials = await Trials.start({ members: 2, acknowledge: 0, configure: impatient });
  });
  afterAll(() => trials?.[Symbol.asyncDispose]());

  test('the leader is cut off from the other hosts, but not from clients', () =>
    trials.run((faults, leader) => faults.cutFromHosts(leader), another));
  test('nothing of the other hosts reaches the leader', () =>
    trials.run((faults, leader) => faults.cutOneWay(leader, 'in', false), another));
  test('the agent of the leader is stalled', () => trials.run((faults, leader) => faults.stall(leader, 'agent'), another));
  test('both are lost at once, and come back', () =>
    trials.run(
      (faults, leader, replicas) => faults.powerOff(leader, ...replicas),
      async () => {},
    ));
});

const whyNoZooKeeper = whyNoHosts() ?? (hasZooKeeper() ? undefined : 'needs ZooKeeper');

(whyNoZooKeeper === undefined ? describe : describe.skip)(
  `quorum mode on three hosts, each with a server of ZooKeeper${whyNoZooKeeper === undefined ? '' : ` (SKIPPED: ${whyNoZooKeeper})`}`,
  () => {
    let trials: Trials;
    beforeAll(async () => {
      trials = await Trials.start({ store: 'zookeeper', configure: patient });
    });
    afterAll(() => trials?.[Symbol.asyncDispose]());

    test('the host of the leader is off', () => trials.run((faults, leader) => faults.powerOff(leader), another));
    test('the leader is cut off', () => trials.run((faults, leader) => faults.cut(leader), another));
    test('the leader of the store is killed', () =>
      trials.run(async (faults) => faults.kill(await trials.hosts.storeLeader(), 'store'), same));

    test('an upgrade of all agents restarts no database, moves no leadership, and clients of the databases notice nothing', async () => {
      const { hosts, load } = trials;
      const before = await hosts.agents.whole();
      load.mark();
      for (const name of hosts.members) {
        await using upgrade = await trials.faults.upgrade(name);
        await upgrade.undo();
        await hosts.agents.whole();
        await load.flows();
      }
      const after = await hosts.agents.whole();
      expect(after).toMatchObject({ leader: before.leader, term: before.term });
      const databases = (service: ServiceStatus): unknown[] => service.members.map(({ node, pids }) => [node, pids.database]);
      expect(databases(after)).toEqual(databases(before));
      expect(load.since(`stubborn on ${before.leader}`).filter(({ outcome }) => outcome !== 'acknowledged')).toEqual([]);
      await trials.recovered('upgrades');
    });
  },
);

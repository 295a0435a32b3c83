import { describe } from 'vitest';
import { blockThread, describeRecipesContract, describeStoreContract, type StoreHarness } from '../../src/coordination/contract.ts';
import { configSchema } from '../../src/coordination/adapters/etcd/config.ts';
import { open } from '../../src/coordination/adapters/etcd/index.ts';
import type { CoordinationStore } from '../../src/coordination/store.ts';
import { silentLogger } from '../../src/core/logger.ts';
import { createClock, createRandom } from '../../src/runtime/index.ts';
import { CutProxy } from './servers/cut-proxy.ts';
import { EtcdCluster, hasEtcd, type EtcdOptions } from './servers/etcd.ts';

const clock = createClock();
const runtime = { clock, random: createRandom(), logger: silentLogger };

/** Each client reaches the members through relays of its own. */
function harnessOn(options: EtcdOptions): StoreHarness {
  const relays = new Map<CoordinationStore, readonly CutProxy[]>();
  let cluster: EtcdCluster;
  const harness: StoreHarness = {
    clock,
    ttlMs: 2_000,
    start: async () => {
      cluster = await EtcdCluster.start(clock, options);
    },
    stop: async () => {
      await Promise.all([...relays.keys()].map((store) => store[Symbol.asyncDispose]()));
      await Promise.all([...relays.values()].flat().map((relay) => relay[Symbol.asyncDispose]()));
      await cluster[Symbol.asyncDispose]();
    },
    open: async () => {
      const own = await Promise.all(cluster.members.map(({ port }) => CutProxy.open({ port }, clock)));
      const store = await open(configSchema.parse({ endpoints: own.map(({ port }) => `http://127.0.0.1:${port}`) }), runtime, {});
      relays.set(store, own);
      return store;
    },
    stall: blockThread,
    cut: async (client) => relays.get(client)!.forEach((relay) => relay.hang()),
    restore: async (client) => {
      for (const relay of relays.get(client)!) {
        // What was under way does not arrive after all, as after a long cut.
        relay.reset();
        await relay.restore();
      }
    },
    pause: async () => {
      await Promise.all(cluster.members.map((member) => member.pause()));
    },
    resume: async () => {
      for (const member of cluster.members) member.continue();
      await cluster.ready();
    },
    restart: async () => {
      await Promise.all(cluster.members.map((member) => member.restart()));
      await cluster.ready();
    },
    compact: () => cluster.compact(),
  };
  if (options.members !== 3) return harness;
  return { ...harness, changeLeader: async () => void (await cluster.moveLeader()) };
}

describe.runIf(hasEtcd())('etcd (needs the programs etcd and etcdctl)', () => {
  describeStoreContract('etcd of one member', harnessOn({}));
  describeStoreContract('etcd of three members', harnessOn({ members: 3 }));
  describeRecipesContract('etcd', harnessOn({}));
});

import { describe } from 'vitest';
import { blockThread, describeRecipesContract, describeStoreContract, type StoreHarness } from '../../src/coordination/contract.ts';
import { configSchema, open } from '../../src/coordination/adapters/zookeeper/index.ts';
import type { CoordinationStore } from '../../src/coordination/store.ts';
import { silentLogger } from '../../src/core/logger.ts';
import { createClock, createRandom } from '../../src/runtime/index.ts';
import { CutProxy } from './servers/cut-proxy.ts';
import { hasZooKeeper, ZooKeeperEnsemble, type ZooKeeperOptions } from './servers/zookeeper.ts';

const clock = createClock();
const runtime = { clock, random: createRandom(), logger: silentLogger };

/** Each client reaches the servers through relays of its own. */
function harnessOn(options: ZooKeeperOptions): StoreHarness {
  const relays = new Map<CoordinationStore, readonly CutProxy[]>();
  let ensemble: ZooKeeperEnsemble;
  const harness: StoreHarness = {
    clock,
    ttlMs: 2_000,
    start: async () => {
      ensemble = await ZooKeeperEnsemble.start(clock, options);
    },
    stop: async () => {
      await Promise.all([...relays.keys()].map((store) => store[Symbol.asyncDispose]()));
      await Promise.all([...relays.values()].flat().map((relay) => relay[Symbol.asyncDispose]()));
      await ensemble[Symbol.asyncDispose]();
    },
    open: async () => {
      const own = await Promise.all(ensemble.servers.map(({ port }) => CutProxy.open({ port }, clock)));
      const store = await open(configSchema.parse({ servers: own.map(({ port }) => `127.0.0.1:${port}`) }), runtime, {});
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
      await Promise.all(ensemble.servers.map(({ process }) => process.pause()));
    },
    resume: async () => {
      for (const { process } of ensemble.servers) process.continue();
      await ensemble.ready();
    },
    restart: async () => {
      await Promise.all(ensemble.servers.map(({ process }) => process.kill()));
      for (const { process } of ensemble.servers) process.start();
      await ensemble.ready();
    },
  };
  if (options.servers !== 3) return harness;
  return { ...harness, changeLeader: () => ensemble.changeLeader() };
}

describe.runIf(hasZooKeeper())('ZooKeeper (needs java and the package zookeeper)', () => {
  describeStoreContract('ZooKeeper of one server', harnessOn({}));
  describeStoreContract('ZooKeeper of three servers', harnessOn({ servers: 3 }));
  describeRecipesContract('ZooKeeper', harnessOn({ servers: 3 }));
});

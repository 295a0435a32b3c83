import { silentLogger } from '../../../core/logger.ts';
import { SimulatedTime } from '../../../sim/clock.ts';
import { seededRandom } from '../../../sim/random.ts';
import { describeRecipesContract, describeStoreContract, type StoreHarness } from '../../contract.ts';
import type { CoordinationStore } from '../../store.ts';
import { connectMemory, type MemoryLink, MemoryServer } from './index.ts';

/** The store in simulated time, which runs as fast as it can while the tests do. */
function memoryHarness(): Required<StoreHarness> {
  const time = new SimulatedTime();
  const clock = time.clock();
  const serverClock = time.clock();
  const server = new MemoryServer(serverClock);
  const links = new Map<CoordinationStore, MemoryLink>();
  const random = seededRandom('memory contract');
  const over = new AbortController();
  let running = Promise.resolve();
  const pass = (durationMs: number): Promise<void> => (running = running.then(() => time.advance(durationMs)));

  return {
    clock,
    ttlMs: 1_000,
    start: async () => {
      void (async () => {
        while (!over.signal.aborted) await pass(1);
      })();
    },
    stop: async () => {
      await Promise.all(links.keys().map((store) => store[Symbol.asyncDispose]()));
      over.abort();
    },
    open: async () => {
      const { store, link } = connectMemory(server, { clock, random, logger: silentLogger }, { serverClock });
      link.requestTravel = link.replyTravel = () => random.integer(3);
      links.set(store, link);
      return store;
    },
    stall: async (durationMs) => {
      clock.stall();
      await pass(durationMs);
      clock.resume();
    },
    cut: async (client) => links.get(client)!.cut(),
    restore: async (client) => links.get(client)!.restore(),
    pause: async () => server.pause(),
    resume: async () => server.start(),
    restart: async () => {
      server.crash();
      await clock.sleep(300);
      server.start();
    },
    changeLeader: async () => {
      server.pause();
      await clock.sleep(100);
      server.start();
    },
    compact: async () => server.compact(),
  };
}

describeStoreContract('memory', memoryHarness());
describeRecipesContract('memory', memoryHarness());

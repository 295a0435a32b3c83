import type { CoordinationStore, Entry } from '../../src/coordination/store.ts';
import type { MemoryServer } from '../../src/coordination/adapters/memory/index.ts';
import type { Clock } from '../../src/core/clock.ts';
import type { SeededRandom } from '../../src/sim/index.ts';
import { storeWith } from './variation.ts';

/**
 * What real stores do that their in-memory stand-in does not: a watch that is served by a follower far behind, a read that shows the past
 * (etcd before 3.4.42, 3.5.28 and 3.6.9, after a pause).
 */
export class StoreWeather {
  /** How much later than it could a watch tells of a change. */
  watchLagMs = 0;
  /** Share of reads of a key that show what was there before its last change. */
  pastShare = 0;
  readonly #random: SeededRandom;
  readonly #versions = new Map<string, { readonly before: Entry | undefined; readonly now: Entry | undefined }>();

  constructor(server: MemoryServer, random: SeededRandom) {
    this.#random = random;
    server.subscribe((key) => this.#versions.set(key, { before: this.#versions.get(key)?.now, now: server.get(key) }));
  }

  clear(): void {
    this.watchLagMs = 0;
    this.pastShare = 0;
  }

  /** @param clock the client's */
  over(store: CoordinationStore, clock: Clock): CoordinationStore {
    return storeWith(store, {
      get: async (key, options) => {
        const entry = await store.get(key, options);
        if (this.pastShare === 0 || !this.#random.chance(this.pastShare)) return entry;
        return this.#versions.get(key)?.before ?? entry;
      },
      watch: (key, options) => this.#late(store.watch(key, options), clock, options.signal),
    });
  }

  async *#late<T>(events: AsyncIterable<T>, clock: Clock, signal: AbortSignal): AsyncIterable<T> {
    for await (const event of events) {
      if (this.watchLagMs > 0) await clock.sleep(this.watchLagMs, signal);
      yield event;
    }
  }
}

import { unreachable } from '../../failures.ts';
import { MemoryLocation, type MemoryObjects } from '../../adapters/memory/index.ts';
import type { ByteRange, CallOptions, Location, LocationCapabilities, LocationStatus, ObjectInfo } from '../../location.ts';
import type { SimulatedClock } from '../../../sim/index.ts';
import type { SeededRandom } from '../../../sim/index.ts';

/** A store that outlives the processes which use it. */
export interface Store {
  readonly name: string;
  readonly objects: MemoryObjects;
  away: boolean;
}

/** A process: when it is dead nothing it does reaches anybody. */
export interface Life {
  dead: boolean;
  /** Calls that it has left; counted down from when it is set. */
  callsLeft: number;
}

/** Chance of a broken connection at each call, before and after it is done; 0 while the weather is calm. */
export interface Weather {
  cuts: number;
}

export class KilledError extends Error {
  override readonly name = 'KilledError';
}

const latencyMsMax = 12;

/** One process's way to a store: takes its time, so that calls of many interleave, and breaks as told. */
export class SimulatedPart implements Location {
  readonly name: string;
  readonly capabilities: LocationCapabilities = { conditionalCreate: true, keepsOldVersions: false };
  readonly #store: Store;
  readonly #memory: MemoryLocation;
  readonly #life: Life;
  readonly #weather: Weather;
  readonly #clock: SimulatedClock;
  readonly #random: SeededRandom;

  constructor(store: Store, life: Life, weather: Weather, clock: SimulatedClock, random: SeededRandom) {
    this.name = store.name;
    this.#store = store;
    this.#memory = new MemoryLocation(store.name, { clock }, store.objects);
    this.#life = life;
    this.#weather = weather;
    this.#clock = clock;
    this.#random = random;
  }

  put(key: string, data: readonly Uint8Array[], options: CallOptions & { ifAbsent?: boolean }): Promise<void> {
    return this.#call(options.signal, () => this.#memory.put(key, data, options));
  }

  get(key: string, options: CallOptions & { range?: ByteRange }): Promise<Uint8Array> {
    return this.#call(options.signal, () => this.#memory.get(key, options));
  }

  stat(key: string, options: CallOptions): Promise<ObjectInfo | undefined> {
    return this.#call(options.signal, () => this.#memory.stat(key, options));
  }

  async *list(prefix: string, options: CallOptions): AsyncGenerator<ObjectInfo> {
    yield* await this.#call(options.signal, () => Array.fromAsync(this.#memory.list(prefix, options)));
  }

  remove(key: string, options: CallOptions): Promise<void> {
    return this.#call(options.signal, () => this.#memory.remove(key, options));
  }

  status(): LocationStatus {
    return this.#memory.status();
  }

  async [Symbol.asyncDispose](): Promise<void> {}

  async #call<T>(signal: AbortSignal, act: () => Promise<T>): Promise<T> {
    this.#step();
    await this.#clock.sleep(this.#random.integer(latencyMsMax), signal);
    this.#step();
    if (this.#store.away) throw unreachable(this.name, 'away (by the simulation)');
    if (this.#random.chance(this.#weather.cuts)) throw unreachable(this.name, 'cut before (by the simulation)');
    const result = await act();
    await this.#clock.sleep(this.#random.integer(latencyMsMax), signal);
    if (this.#life.dead) throw new KilledError();
    if (this.#random.chance(this.#weather.cuts)) throw unreachable(this.name, 'cut after (by the simulation)');
    return result;
  }

  #step(): void {
    this.#life.callsLeft -= 1;
    if (this.#life.callsLeft <= 0) this.#life.dead = true;
    if (this.#life.dead) throw new KilledError();
  }
}

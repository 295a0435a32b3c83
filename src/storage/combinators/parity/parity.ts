import { hasCode } from '../../../core/errors.ts';
import type { Runtime } from '../../../core/runtime.ts';
import { concatBytes } from '../../bytes.ts';
import { assertRange, objectBytes } from '../../key.ts';
import type { ByteRange, CallOptions, Location, LocationCapabilities, LocationStatus, ObjectInfo } from '../../location.ts';
import { type CatchUp, catchUp, CatchUpLoop } from '../catch-up.ts';
import type { CombinedLocation } from '../combined.ts';
import { type CombinedOptions, Ensemble } from '../ensemble.ts';
import { removeFrom } from '../remove-from.ts';
import { repair } from '../repair.ts';
import { stampWallMs } from '../stamps.ts';
import { Codec } from './codec.ts';
import { listObjects } from './list.ts';
import { SHARDS_MAX } from './matrix.ts';
import { ParityScheme } from './parity-scheme.ts';
import { ParityReader } from './read.ts';
import { Shards } from './shards.ts';
import { ParityWriter } from './write.ts';

export interface ParityCode {
  /** k: shards that make an object. */
  readonly data: number;
  /** m: parts that may be lost. */
  readonly parity: number;
}

export type ParityOptions = CombinedOptions;

/**
 * Each object as k + m shards, one in each part, of which any k make it again. A write is done when `writeMin` parts have their shard; the
 * others are noted as behind and caught up.
 *
 * `writeMin` is k + 1 where m is 2 or more: what is acknowledged survives the loss of a part at once, and of m as soon as all have it. With
 * m = 1 it is k, or a single part that is away would stop all writes. It is never less than m + 1, so that any k shards contain one of the
 * last write that was acknowledged: an older one is never taken for the object.
 */
export function createParity(
  name: string,
  parts: readonly Location[],
  { data, parity }: ParityCode,
  runtime: Runtime,
  options: ParityOptions = {},
): CombinedLocation {
  const count = data + parity;
  if (!Number.isInteger(data) || !Number.isInteger(parity) || data < 1 || parity < 1 || count > SHARDS_MAX || parts.length !== count)
    throw new RangeError(`${name} of ${data} + ${parity} shards needs as many locations, at least 1 + 1, not ${parts.length}`);
  const least = Math.max(data, parity + 1);
  const writeMin = options.writeMin ?? Math.min(count, Math.max(least, parity > 1 ? data + 1 : data));
  if (!Number.isInteger(writeMin) || writeMin < least || writeMin > count)
    throw new RangeError(`a write to ${name} can wait for ${least} to ${count} locations, not ${writeMin}`);
  return new Parity(new Ensemble(name, parts, writeMin, runtime, options), { data, parity });
}

class Parity implements CombinedLocation {
  readonly name: string;
  readonly capabilities: LocationCapabilities;
  readonly inside: { readonly ensemble: Ensemble; readonly scheme: ParityScheme };
  readonly #ensemble: Ensemble;
  readonly #scheme: ParityScheme;
  readonly #reader: ParityReader;
  readonly #writer: ParityWriter;
  readonly #data: number;
  readonly #loop: CatchUpLoop;

  constructor(ensemble: Ensemble, { data, parity }: ParityCode) {
    const parts = ensemble.parts.map(({ location }) => location.capabilities);
    const shards = new Shards(new Codec(data, parity, () => ensemble.runtime.clock.sleep(0)), ensemble);
    this.name = ensemble.name;
    this.capabilities = {
      conditionalCreate: parts.every(({ conditionalCreate }) => conditionalCreate),
      keepsOldVersions: parts.every(({ keepsOldVersions }) => keepsOldVersions),
    };
    this.#ensemble = ensemble;
    this.#data = data;
    this.#scheme = new ParityScheme(ensemble, shards);
    this.#reader = new ParityReader(ensemble, shards);
    this.#writer = new ParityWriter(ensemble, shards, this.#reader);
    this.inside = { ensemble, scheme: this.#scheme };
    this.#loop = new CatchUpLoop(ensemble, this.#scheme);
  }

  async put(key: string, data: readonly Uint8Array[], { signal, ifAbsent = false }: CallOptions & { ifAbsent?: boolean }): Promise<void> {
    objectBytes(data);
    await this.#begin(key, signal);
    const object = data.length === 1 ? data[0]! : concatBytes(data);
    const { replaced } = await this.#ensemble.turns.run(key, () => this.#writer.put(key, object, ifAbsent, signal));
    this.#reader.forget(key);
    // What waited beside the old object has done its service; if this fails, it is cleared away later.
    if (replaced) await repair(this.#ensemble, this.#scheme, key, signal).catch(() => signal.throwIfAborted());
  }

  async get(key: string, { signal, range }: CallOptions & { range?: ByteRange }): Promise<Uint8Array> {
    if (range !== undefined) assertRange(range);
    await this.#begin(key, signal);
    return await (range === undefined ? this.#reader.whole(key, signal) : this.#reader.range(key, range, signal));
  }

  async stat(key: string, { signal }: CallOptions): Promise<ObjectInfo | undefined> {
    await this.#begin(key, signal);
    try {
      const { sizeBytes, stamp } = await this.#reader.header(key, signal);
      return { key, sizeBytes, modifiedMs: stampWallMs(stamp) };
    } catch (error) {
      if (hasCode(error, 'STORAGE_NOT_FOUND')) return undefined;
      throw error;
    }
  }

  async *list(prefix: string, { signal }: CallOptions): AsyncGenerator<ObjectInfo> {
    await this.#ensemble.readyToList(prefix, signal);
    this.#loop.start();
    yield* listObjects(this.#ensemble, this.#data, prefix, (key) => this.stat(key, { signal }), signal);
  }

  async remove(key: string, { signal }: CallOptions): Promise<void> {
    await this.#begin(key, signal);
    this.#reader.forget(key);
    await this.#ensemble.turns.run(key, async () => {
      // First, or a removal that is cut off could leave it the only version that is whole.
      await this.#writer.dropStaged(key, this.#scheme, signal);
      await removeFrom(this.#ensemble, key, signal);
    });
  }

  status(): LocationStatus {
    return this.#ensemble.status(this.#data);
  }

  catchUp({ signal }: CallOptions): Promise<CatchUp> {
    return catchUp(this.#ensemble, this.#scheme, signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#loop[Symbol.asyncDispose]();
    await Promise.all(this.#ensemble.parts.map(({ location }) => location[Symbol.asyncDispose]()));
  }

  async #begin(key: string, signal: AbortSignal): Promise<void> {
    await this.#ensemble.ready(key, signal);
    this.#loop.start();
  }
}

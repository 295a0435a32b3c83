import { concatBytes } from '../../bytes.ts';
import { alreadyExists, beyondEnd, notFound } from '../../failures.ts';
import { assertKey, assertPrefix, assertRange, objectBytes } from '../../key.ts';
import type { ByteRange, CallOptions, Location, LocationCapabilities, LocationStatus, ObjectInfo } from '../../location.ts';
import type { Clock } from '../../../core/clock.ts';

interface StoredObject {
  readonly bytes: Uint8Array;
  readonly modifiedMs: number;
}

/** What memory locations have in common when they are clients of the same store; it outlives them. */
export type MemoryObjects = Map<string, StoredObject>;

/** Objects of this process. For tests, simulations and what need not outlive the process. Every call takes its turn like one on a real store. */
export class MemoryLocation implements Location {
  readonly name: string;
  readonly capabilities: LocationCapabilities = { conditionalCreate: true, keepsOldVersions: false };
  readonly #objects: MemoryObjects;
  readonly #clock: Clock;

  constructor(name: string, runtime: { readonly clock: Clock }, objects: MemoryObjects = new Map()) {
    this.name = name;
    this.#clock = runtime.clock;
    this.#objects = objects;
  }

  async put(key: string, data: readonly Uint8Array[], { signal, ifAbsent = false }: CallOptions & { ifAbsent?: boolean }): Promise<void> {
    assertKey(key);
    objectBytes(data);
    const bytes = concatBytes(data);
    await turn(signal);
    if (ifAbsent && this.#objects.has(key)) throw alreadyExists(this.name, key);
    this.#objects.set(key, { bytes, modifiedMs: this.#clock.wallMs() });
  }

  async get(key: string, { signal, range }: CallOptions & { range?: ByteRange }): Promise<Uint8Array> {
    assertKey(key);
    if (range !== undefined) assertRange(range);
    await turn(signal);
    const object = this.#objects.get(key);
    if (object === undefined) throw notFound(this.name, key);
    if (range === undefined) return object.bytes.slice();
    const end = range.offset + range.sizeBytes;
    if (end > object.bytes.byteLength) throw beyondEnd(this.name, key, end, object.bytes.byteLength);
    return object.bytes.slice(range.offset, end);
  }

  async stat(key: string, { signal }: CallOptions): Promise<ObjectInfo | undefined> {
    assertKey(key);
    await turn(signal);
    const object = this.#objects.get(key);
    return object && { key, sizeBytes: object.bytes.byteLength, modifiedMs: object.modifiedMs };
  }

  async *list(prefix: string, { signal }: CallOptions): AsyncGenerator<ObjectInfo> {
    assertPrefix(prefix);
    await turn(signal);
    // What is removed and put again meanwhile would be met twice in the map itself.
    for (const key of [...this.#objects.keys()].filter((one) => one.startsWith(prefix))) {
      signal.throwIfAborted();
      const object = this.#objects.get(key);
      if (object !== undefined) yield { key, sizeBytes: object.bytes.byteLength, modifiedMs: object.modifiedMs };
    }
  }

  async remove(key: string, { signal }: CallOptions): Promise<void> {
    assertKey(key);
    await turn(signal);
    this.#objects.delete(key);
  }

  status(): LocationStatus {
    return { name: this.name, state: 'ok', message: '', behindObjects: 0, behindBytes: 0, parts: [] };
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}

/** Lets others run before the store acts, as they would on a real one. @throws the signal's reason */
async function turn(signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  await Promise.resolve();
  signal.throwIfAborted();
}

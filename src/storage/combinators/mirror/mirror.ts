import { hasCode } from '../../../core/errors.ts';
import type { Runtime } from '../../../core/runtime.ts';
import { damaged, notFound } from '../../failures.ts';
import { assertRange, objectBytes } from '../../key.ts';
import type { ByteRange, CallOptions, Location, LocationCapabilities, LocationStatus, ObjectInfo } from '../../location.ts';
import { askInTurn, doneIn, failedIn, type Outcome } from '../attempts.ts';
import { type CatchUp, catchUp, CatchUpLoop } from '../catch-up.ts';
import type { CombinedLocation } from '../combined.ts';
import { createAmong } from '../create-among.ts';
import { type CombinedOptions, Ensemble } from '../ensemble.ts';
import type { Part } from '../part.ts';
import { removeFrom } from '../remove-from.ts';
import { MirrorScheme } from './mirror-scheme.ts';
import { type Verify, verifyResticKey } from './restic-keys.ts';

export interface MirrorOptions extends CombinedOptions {
  /** Tells damaged copies from good ones. Default: of objects that a restic repository names by their hash. */
  readonly verify?: Verify | undefined;
}

/**
 * The same objects in every part, under the same keys, as they are: each part alone is all. A change is done when `writeMin` parts have it
 * (default: all but one, so that one may be away; at least 1); the others are noted as behind and caught up. A read takes the first good
 * copy and has bad and missing ones healed.
 *
 * Where the key does not tell the content, two processes that replace the same object at the same time may leave different copies until a
 * scrub settles it; and of two copies that differ nobody can tell the damaged one.
 */
export function createMirror(name: string, parts: readonly Location[], runtime: Runtime, options: MirrorOptions = {}): CombinedLocation {
  const writeMin = options.writeMin ?? Math.max(1, parts.length - 1);
  if (!Number.isInteger(writeMin) || writeMin < 1 || writeMin > parts.length)
    throw new RangeError(`a write to ${name} can wait for 1 to ${parts.length} locations, not ${writeMin}`);
  return new Mirror(new Ensemble(name, parts, writeMin, runtime, options), options.verify ?? verifyResticKey);
}

class Mirror implements CombinedLocation {
  readonly name: string;
  readonly capabilities: LocationCapabilities;
  readonly inside: { readonly ensemble: Ensemble; readonly scheme: MirrorScheme };
  readonly #ensemble: Ensemble;
  readonly #scheme: MirrorScheme;
  readonly #verify: Verify;
  readonly #loop: CatchUpLoop;

  constructor(ensemble: Ensemble, verify: Verify) {
    this.name = ensemble.name;
    const parts = ensemble.parts.map(({ location }) => location.capabilities);
    this.capabilities = {
      // Two that each created it in more than half of the parts would have met in one.
      conditionalCreate: parts.every(({ conditionalCreate }) => conditionalCreate) && 2 * ensemble.writeMin > parts.length,
      keepsOldVersions: parts.every(({ keepsOldVersions }) => keepsOldVersions),
      judgesOnlyWholes: true,
    };
    this.#ensemble = ensemble;
    this.#verify = verify;
    this.#scheme = new MirrorScheme(ensemble, verify);
    this.inside = { ensemble, scheme: this.#scheme };
    this.#loop = new CatchUpLoop(ensemble, this.#scheme);
  }

  async put(key: string, data: readonly Uint8Array[], { signal, ifAbsent = false }: CallOptions & { ifAbsent?: boolean }): Promise<void> {
    const sizeBytes = objectBytes(data);
    await this.#begin(key, signal);
    await this.#ensemble.turns.run(key, async () => {
      const outcomes = ifAbsent ? await this.#create(key, data, signal) : await this.#replace(key, data, signal);
      await this.#ensemble.conclude(key, outcomes, sizeBytes, signal);
    });
  }

  #replace(key: string, data: readonly Uint8Array[], signal: AbortSignal): Promise<Outcome<void>[]> {
    return this.#ensemble.each(this.#ensemble.forChange(), this.#ensemble.writeMin, signal, (part, own) =>
      part.run((location) => location.put(key, data, { signal: own }), own),
    );
  }

  #create(key: string, data: readonly Uint8Array[], signal: AbortSignal): Promise<Outcome<void>[]> {
    return createAmong(this.#ensemble, key, signal, {
      create: (part, own) => part.run((location) => location.put(key, data, { signal: own, ifAbsent: true }), own),
      replace: (part, own) => part.run((location) => location.put(key, data, { signal: own }), own),
      // Any copy is the object.
      isFree: async () => false,
    });
  }

  async get(key: string, { signal, range }: CallOptions & { range?: ByteRange }): Promise<Uint8Array> {
    if (range !== undefined) assertRange(range);
    await this.#begin(key, signal);
    return await this.#first(key, signal, (part, own) => this.#read(key, part, range, own));
  }

  /** What the first part has that has it whole. @throws why there is none */
  async #first<T>(key: string, signal: AbortSignal, call: (part: Part, signal: AbortSignal) => Promise<T>): Promise<T> {
    const { hedgeMs, runtime, pending, present } = this.#ensemble;
    for (let again = false; ; again = true) {
      const outcomes = await askInTurn(this.#ensemble.believed(key), call, {
        missing: (all) => (doneIn(all).length > 0 ? 0 : 1),
        hedgeMs,
        clock: runtime.clock,
        signal,
      });
      const good = doneIn(outcomes)[0];
      if (good !== undefined) {
        for (const { part, error } of failedIn(outcomes))
          if (hasCode(error, 'STORAGE_DAMAGED') || hasCode(error, 'STORAGE_NOT_FOUND')) this.#ensemble.suspect(key, part);
        return good.value;
      }
      if (again || !pending.has(key)) throw this.#noCopy(key, outcomes);
      // Who was behind may have caught up by another process.
      await this.#ensemble.readNotes(key, present, signal);
    }
  }

  async #read(key: string, part: Part, range: ByteRange | undefined, signal: AbortSignal): Promise<Uint8Array> {
    const bytes = await part.run((location) => location.get(key, { signal, ...(range !== undefined && { range }) }), signal);
    if (range === undefined && this.#verify(key, bytes) === false) throw damaged(part.name, key, 'is not what its key says');
    return bytes;
  }

  #noCopy(key: string, outcomes: readonly Outcome<unknown>[]): unknown {
    const failed = failedIn(outcomes);
    const bad = failed.find(({ error }) => hasCode(error, 'STORAGE_DAMAGED'));
    const other = failed.find(({ error }) => !hasCode(error, 'STORAGE_DAMAGED') && !hasCode(error, 'STORAGE_NOT_FOUND'));
    if (bad !== undefined && other === undefined) return bad.error;
    const absent = failed.filter(({ error }) => hasCode(error, 'STORAGE_NOT_FOUND')).length;
    // All who should know have answered; or one at least of those that had to have it.
    const sure = (other === undefined && failed.length > 0) || absent > this.#ensemble.parts.length - this.#ensemble.writeMin;
    if (bad === undefined && sure) return notFound(this.name, key);
    return this.#ensemble.unreachable(key, 'those that answer do not have it', other?.error);
  }

  async stat(key: string, { signal }: CallOptions): Promise<ObjectInfo | undefined> {
    await this.#begin(key, signal);
    try {
      return await this.#first(
        key,
        signal,
        async (part, own) => (await part.run((location) => location.stat(key, { signal: own }), own)) ?? fail(notFound(part.name, key)),
      );
    } catch (error) {
      if (hasCode(error, 'STORAGE_NOT_FOUND')) return undefined;
      throw error;
    }
  }

  async *list(prefix: string, { signal }: CallOptions): AsyncGenerator<ObjectInfo> {
    await this.#ensemble.readyToList(prefix, signal);
    this.#loop.start();
    const listings = await this.#ensemble.listings(prefix, 1, signal);
    const told = new Set<string>();
    const order = this.#ensemble.parts.filter(({ number }) => listings.has(number));
    for (const part of order) {
      for (const [key, info] of listings.get(part.number)!) {
        if (told.has(key) || this.#ensemble.pending.behind(key).has(part.number)) continue;
        told.add(key);
        signal.throwIfAborted();
        yield info;
      }
    }
    this.#assertKnown(prefix, listings);
  }

  /** A list that is known to lack something is none: who prunes by it removes what is needed. */
  #assertKnown(prefix: string, listings: ReadonlyMap<number, unknown>): void {
    const { pending, parts } = this.#ensemble;
    const unknown = pending
      .keys()
      .find((key) => key.startsWith(prefix) && parts.every(({ number }) => !listings.has(number) || pending.behind(key).has(number)));
    if (unknown !== undefined) throw this.#ensemble.unreachable(unknown, 'those that know of its last change do not answer');
  }

  async remove(key: string, { signal }: CallOptions): Promise<void> {
    await this.#begin(key, signal);
    await this.#ensemble.turns.run(key, () => removeFrom(this.#ensemble, key, signal));
  }

  status(): LocationStatus {
    return this.#ensemble.status(1);
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

function fail(error: Error): never {
  throw error;
}

import type { CallOptions, Location } from '../../storage/index.ts';
import { objectKey } from '../documents/ids.ts';
import type { IndexedPack } from '../index/index-file.ts';
import type { BlobType } from '../repository.ts';
import type { OwnBytes } from '../documents/bytes.ts';
import type { WorkerPool } from '../workers/pool.ts';
import { entriesMax, type PackEntry } from './header.ts';

/** A blob that is sealed and goes into a pack. */
export type SealedEntry = Omit<PackEntry, 'offset'> & { readonly stored: OwnBytes };

/** Packs that are hashed and stored at once; whoever has the next one full waits. */
const storingMax = 2;

interface OpenPack {
  readonly parts: OwnBytes[];
  readonly entries: PackEntry[];
  sizeBytes: number;
}

export interface PackerParts {
  readonly location: Location;
  readonly pool: WorkerPool;
  readonly targetBytes: number;
  /** Told of each pack once it is durable. */
  readonly stored: (pack: IndexedPack) => void;
  /** Told of the first pack that could not be stored. */
  readonly failed: (error: Error) => void;
}

/**
 * Collects blobs into packs of about a target size, data and trees apart, in the order in which they come, and stores the full ones.
 * In memory are at most two open packs and `storingMax` + 1 full ones.
 */
export class Packer {
  readonly #location: Location;
  readonly #pool: WorkerPool;
  readonly #targetBytes: number;
  readonly #stored: (pack: IndexedPack) => void;
  readonly #failed: (error: Error) => void;
  readonly #open = new Map<BlobType, OpenPack>();
  readonly #storing = new Set<Promise<void>>();
  /** While a full pack waits until it can be stored. */
  #closing: Promise<void> | undefined;
  /** Why a pack could not be stored: blobs of it may be taken for stored by now. */
  #failure: Error | undefined;

  constructor({ location, pool, targetBytes, stored, failed }: PackerParts) {
    this.#location = location;
    this.#pool = pool;
    this.#targetBytes = targetBytes;
    this.#stored = stored;
    this.#failed = failed;
  }

  /** Resolves once there is room for more. */
  async add({ stored, ...blob }: SealedEntry, options: CallOptions): Promise<void> {
    // Else every caller could fill a pack of its own while one waits to be stored.
    while (this.#closing !== undefined) await this.#closing;
    if (this.#failure !== undefined) throw this.#failure;
    const pack = this.#openPack(blob.type);
    pack.parts.push(stored);
    pack.entries.push({ ...blob, offset: pack.sizeBytes });
    pack.sizeBytes += stored.byteLength;
    if (pack.sizeBytes < this.#targetBytes && pack.entries.length < entriesMax) return;
    this.#closing = this.#close(blob.type, options).finally(() => {
      this.#closing = undefined;
    });
    await this.#closing;
  }

  /** Every blob that was added is in a durable pack when it resolves. */
  async flush(options: CallOptions): Promise<void> {
    while (this.#closing !== undefined) await this.#closing;
    await Promise.all(Array.from(this.#open.keys(), (type) => this.#close(type, options)));
    await this.settle();
    if (this.#failure !== undefined) throw this.#failure;
  }

  /** Resolves when no pack is being stored, whatever came of it. */
  async settle(): Promise<void> {
    await Promise.all(this.#storing);
  }

  #openPack(type: BlobType): OpenPack {
    let pack = this.#open.get(type);
    if (pack === undefined) this.#open.set(type, (pack = { parts: [], entries: [], sizeBytes: 0 }));
    return pack;
  }

  async #close(type: BlobType, options: CallOptions): Promise<void> {
    const pack = this.#open.get(type)!;
    this.#open.delete(type);
    while (this.#storing.size >= storingMax) await Promise.race(this.#storing);
    const storing = this.#store(pack, options)
      .catch((error: unknown) => this.#fail(error))
      .finally(() => this.#storing.delete(storing));
    this.#storing.add(storing);
  }

  /** Nobody may be waiting now: whoever adds or flushes next hears of it. */
  #fail(error: unknown): void {
    this.#failure ??= error instanceof Error ? error : new Error(String(error));
    this.#failed(this.#failure);
  }

  async #store({ parts, entries }: OpenPack, { signal }: CallOptions): Promise<void> {
    const pack = await this.#pool.run('pack', { parts, entries });
    signal.throwIfAborted();
    await this.#location.put(objectKey('data', pack.id), pack.parts, { signal });
    this.#stored({ packId: pack.id, entries });
  }
}

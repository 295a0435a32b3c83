import { createHash, type Hash } from 'node:crypto';
import type { CallOptions, Location } from '../../storage/index.ts';
import { objectKey } from '../documents/ids.ts';
import type { IndexedPack } from '../index/index-file.ts';
import type { BlobType } from '../repository.ts';
import type { SealingKey } from '../crypto/seal.ts';
import { encodeHeader, entriesMax, type PackEntry } from './header.ts';
import { packBody, type PackBody } from './pack-body.ts';

/** A blob that is sealed. */
export type SealedBlob = Omit<PackEntry, 'offset'>;

/** What a run has at most. */
export const runBlobsMax = 1024;

/** Sealed blobs one behind the other: what goes into a pack as one piece. */
export interface SealedRun {
  readonly stored: Uint8Array;
  /** All of one type. */
  readonly blobs: readonly SealedBlob[];
}

/** Packs that are stored at once; whoever has the next one full waits. */
const storingMax = 2;

interface OpenPack {
  readonly body: PackBody;
  readonly entries: PackEntry[];
  readonly hash: Hash;
  sizeBytes: number;
}

export interface PackerParts {
  readonly location: Location;
  readonly key: SealingKey;
  readonly targetBytes: number;
  /** Told of each pack once it is durable. */
  readonly stored: (pack: IndexedPack) => void;
  /** Told of the first pack that could not be stored. */
  readonly failed: (error: Error) => void;
}

/**
 * Collects blobs into packs of about a target size, data and trees apart, in the order in which they come, and stores the full ones.
 * Where the location does not take them bit by bit, at most two open packs and `storingMax` + 1 full ones are in memory.
 */
export class Packer implements AsyncDisposable {
  readonly #parts: PackerParts;
  readonly #open = new Map<BlobType, OpenPack>();
  readonly #storing = new Set<Promise<void>>();
  /** While a full pack waits until it can be stored. */
  #closing: Promise<void> | undefined;
  /** Why a pack could not be stored: blobs of it may be taken for stored by now. */
  #failure: Error | undefined;

  constructor(parts: PackerParts) {
    this.#parts = parts;
  }

  /** Takes the bytes over. Resolves once there is room for more. */
  async add({ stored, blobs }: SealedRun, options: CallOptions): Promise<void> {
    // Else every caller could fill a pack of its own while one waits to be stored.
    while (this.#closing !== undefined) await this.#closing;
    if (this.#failure !== undefined) throw this.#failure;
    const { type } = blobs[0]!;
    const pack = this.#openPack(type, options);
    // Bit by bit: all of it at once would keep this thread from everything else, and another one would have to be free.
    pack.hash.update(stored);
    for (const blob of blobs) {
      pack.entries.push({ ...blob, offset: pack.sizeBytes });
      pack.sizeBytes += blob.sizeBytes;
    }
    const added = pack.body.add(stored, options);
    if (pack.sizeBytes < this.#parts.targetBytes && pack.entries.length < entriesMax - runBlobsMax) return await added;
    // What becomes of it, whoever stores it tells.
    added.catch(() => {});
    this.#closing = this.#close(type, options).finally(() => {
      this.#closing = undefined;
    });
    await this.#closing;
  }

  /** Every blob that was added is in a durable pack when it resolves. */
  async flush(options: CallOptions): Promise<void> {
    while (this.#closing !== undefined) await this.#closing;
    await Promise.all(Array.from(this.#open.keys(), (type) => this.#close(type, options)));
    await Promise.all(this.#storing);
    if (this.#failure !== undefined) throw this.#failure;
  }

  /** Resolves when no pack is being stored, whatever came of it, and nothing is left of those that are open. */
  async [Symbol.asyncDispose](): Promise<void> {
    while (this.#closing !== undefined) await this.#closing;
    await Promise.all([...this.#storing, ...Array.from(this.#open.values(), ({ body }) => body.giveUp())]);
  }

  #openPack(type: BlobType, options: CallOptions): OpenPack {
    let pack = this.#open.get(type);
    if (pack === undefined) {
      pack = { body: packBody(this.#parts.location, options), entries: [], hash: createHash('sha256'), sizeBytes: 0 };
      this.#open.set(type, pack);
    }
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
    this.#parts.failed(this.#failure);
  }

  async #store({ body, entries, hash }: OpenPack, { signal }: CallOptions): Promise<void> {
    const header = encodeHeader(this.#parts.key, entries);
    const packId = hash.update(header).digest('hex');
    try {
      signal.throwIfAborted();
      await body.add(header, { signal });
      await body.store(objectKey('data', packId), { signal });
    } catch (error) {
      await body.giveUp();
      throw error;
    }
    this.#parts.stored({ packId, entries });
  }
}

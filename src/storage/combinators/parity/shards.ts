import { createHash } from 'node:crypto';
import { hasCode } from '../../../core/errors.ts';
import { damaged } from '../../failures.ts';
import type { Ensemble } from '../ensemble.ts';
import type { Part } from '../part.ts';
import type { Meter } from '../repair.ts';
import type { Codec } from './codec.ts';
import {
  BLOCK_BYTES,
  blocksHolding,
  decodeBlocks,
  decodeHeader,
  decodeShard,
  encodeShard,
  HEADER_BYTES,
  type ShardHeader,
  shardChecksum,
} from './shard.ts';

/** A shard that was read whole, or its header alone. */
export interface Shard {
  readonly header: ShardHeader;
  readonly payload: Uint8Array;
}

/** One write: what its shards are made of. */
export interface Write {
  readonly header: Omit<ShardHeader, 'index'>;
  readonly payloads: readonly Uint8Array[];
}

/** Reads and writes shards of one code in parts. What does not fit the code, or its own checksums, is STORAGE_DAMAGED. */
export class Shards {
  readonly codec: Codec;
  readonly #ensemble: Ensemble;

  constructor(codec: Codec, ensemble: Ensemble) {
    this.codec = codec;
    this.#ensemble = ensemble;
  }

  async encode(object: Uint8Array): Promise<Write> {
    const { data, parity } = this.codec;
    const digest = createHash('sha256').update(object).digest('hex');
    const payloads = await this.codec.split(object);
    return {
      header: { data, parity, blockBytes: BLOCK_BYTES, sizeBytes: object.length, stamp: this.#ensemble.stamps.next(), digest },
      payloads,
    };
  }

  async put(part: Part, key: string, { header, payloads }: Write, index: number, signal: AbortSignal, ifAbsent = false): Promise<void> {
    const shard = encodeShard({ ...header, index }, payloads[index]!);
    await part.run((location) => location.put(key, [shard], { signal, ifAbsent }), signal);
  }

  async header(part: Part, key: string, signal: AbortSignal): Promise<ShardHeader> {
    const bytes = await part.run((location) => location.get(key, { signal, range: { offset: 0, sizeBytes: HEADER_BYTES } }), signal);
    return this.#checked(part, key, decodeHeader(bytes));
  }

  async whole(part: Part, key: string, signal: AbortSignal, meter?: Meter): Promise<Shard> {
    if (meter !== undefined) await meter((await part.run((location) => location.stat(key, { signal }), signal))?.sizeBytes ?? 0, signal);
    const bytes = await part.run((location) => location.get(key, { signal }), signal);
    const shard = decodeShard(bytes);
    if (typeof shard === 'string') throw damaged(part.name, key, shard);
    this.#checked(part, key, shard.header);
    return shard;
  }

  /** Bytes `from` to `end` of the payload, with what stands in the same blocks before and behind: `first` is the payload's first byte read. */
  async blocks(
    part: Part,
    key: string,
    header: ShardHeader,
    from: number,
    end: number,
    signal: AbortSignal,
  ): Promise<{ first: number; bytes: Uint8Array }> {
    const { first, offset, sizeBytes } = blocksHolding(header, from, end);
    const stored = await part.run((location) => location.get(key, { signal, range: { offset, sizeBytes } }), signal);
    const bytes = decodeBlocks(header, shardChecksum(header), first, stored);
    if (typeof bytes === 'string') throw damaged(part.name, key, bytes);
    return { first: first * header.blockBytes, bytes };
  }

  /** The object of these shards, all of one version, `data` of them or more; proven by its SHA-256. @throws STORAGE_DAMAGED */
  async join(key: string, shards: readonly Shard[]): Promise<Uint8Array> {
    const { header } = shards[0]!;
    const object = await this.codec.join(new Map(shards.map((shard) => [shard.header.index, shard.payload])), header.sizeBytes);
    if (createHash('sha256').update(object).digest('hex') !== header.digest)
      throw damaged(this.#ensemble.name, key, 'was put together from whole shards, and is not what was written');
    return object;
  }

  /** Where shards of a write wait that is to replace another. */
  stagedKey(key: string, stamp: string): string {
    return `${this.#ensemble.reserved}staged/${createHash('sha256').update(key).digest('hex')}/${stamp}`;
  }

  #checked(part: Part, key: string, header: ShardHeader | string): ShardHeader {
    if (typeof header === 'string') throw damaged(part.name, key, header);
    const { data, parity } = this.codec;
    if (header.data !== data || header.parity !== parity)
      throw damaged(part.name, key, `is a shard of ${header.data} + ${header.parity}, not of ${data} + ${parity}`);
    return header;
  }
}

/** Shards that belong together. */
export interface Group<T> {
  readonly digest: string;
  /** Latest stamp among them. */
  stamp: string;
  /** One for each index. */
  readonly shards: Map<number, T>;
}

/** By content, the latest first. */
export function groupShards<T extends { readonly header: ShardHeader }>(shards: readonly T[]): Group<T>[] {
  const groups = new Map<string, Group<T>>();
  for (const shard of shards) {
    const { digest, stamp, index } = shard.header;
    const group = groups.get(digest) ?? { digest, stamp, shards: new Map<number, T>() };
    groups.set(digest, group);
    if (stamp > group.stamp) group.stamp = stamp;
    if (!group.shards.has(index)) group.shards.set(index, shard);
  }
  return [...groups.values()].toSorted((a, b) => (a.stamp < b.stamp ? 1 : -1));
}

/** Whether an error speaks of an object that is there and wrong. */
export function isDamage(error: unknown): boolean {
  return hasCode(error, 'STORAGE_DAMAGED');
}

// What an index file says, as a few arrays: a thread decodes it, and hands them over at no cost.
import { idBytes } from '../documents/ids.ts';
import type { OwnBytes } from '../documents/bytes.ts';
import type { IndexedPack } from './index-file.ts';

/** Words of an entry: id, pack and type (see `headOf`), offset, stored size, plain size (0: not compressed). */
export const idWords = 8;
export const headWord = 8;
export const offsetWord = 9;
export const sizeWord = 10;
export const plainWord = 11;
export const entryWords = 12;

/** Offsets and sizes must be below this. */
const wordMax = 2 ** 32;

/** Entries in the order of their packs; packs are told by their place in `packIds`. */
export interface FlatIndex {
  /** `idBytes` for each pack. */
  readonly packIds: OwnBytes;
  /** `entryWords` words of this machine for each entry. */
  readonly entries: OwnBytes;
}

/** Pack and type of an entry in one word. */
export function headOf(pack: number, isTree: boolean): number {
  return pack * 2 + (isTree ? 1 : 0);
}

export function flattenIndex(packs: readonly IndexedPack[]): FlatIndex {
  const packIds = Buffer.alloc(packs.length * idBytes);
  const size = packs.reduce((sum, { entries }) => sum + entries.length, 0);
  const words = new Uint32Array(size * entryWords);
  const bytes = Buffer.from(words.buffer);
  let from = 0;
  for (const [pack, { packId, entries }] of packs.entries()) {
    packIds.write(packId, pack * idBytes, 'hex');
    for (const { type, id, offset, sizeBytes, plainSizeBytes, compressed } of entries) {
      if (offset >= wordMax || sizeBytes >= wordMax || plainSizeBytes >= wordMax)
        throw new RangeError('a blob lies beyond 4 GiB of its pack');
      bytes.write(id, from * 4, 'hex');
      words[from + headWord] = headOf(pack, type === 'tree');
      words[from + offsetWord] = offset;
      words[from + sizeWord] = sizeBytes;
      words[from + plainWord] = compressed ? plainSizeBytes : 0;
      from += entryWords;
    }
  }
  return { packIds: new Uint8Array(packIds), entries: new Uint8Array(words.buffer) };
}

// Index files: which blobs lie in which packs. doc/design.rst of restic/restic, "Indexing".
import { damaged } from '../documents/damaged.ts';
import { isId } from '../documents/ids.ts';
import { parseObject } from '../documents/sealed.ts';
import type { PackEntry } from '../pack/header.ts';
import { sealBytes } from '../crypto/seal.ts';
import type { FileId } from '../repository.ts';

/** A pack with its blobs, as an index lists it. */
export interface IndexedPack {
  readonly packId: FileId;
  readonly entries: readonly PackEntry[];
}

/** Blobs of one index file, so that it stays below 8 MiB: an entry takes at most about 160 bytes. */
export const indexBlobsMax = 50_000;

const wordMax = 2 ** 32;

export function encodeIndex(packs: Iterable<IndexedPack>): string {
  const texts: string[] = [];
  for (const { packId, entries } of packs) texts.push(`{"id":"${packId}","blobs":[${entries.map(formatEntry).join(',')}]}`);
  return `{"packs":[${texts.join(',')}]}\n`;
}

/** Several documents of at most `indexBlobsMax` blobs; a pack is never divided. */
export function* encodeIndexes(packs: Iterable<IndexedPack>): Generator<string> {
  let batch: IndexedPack[] = [];
  let blobs = 0;
  for (const pack of packs) {
    if (blobs > 0 && blobs + pack.entries.length > indexBlobsMax) {
      yield encodeIndex(batch);
      batch = [];
      blobs = 0;
    }
    batch.push(pack);
    blobs += pack.entries.length;
  }
  if (batch.length > 0) yield encodeIndex(batch);
}

/** What an index says; `what` names it in errors. @throws BACKUP_DAMAGED */
export function decodeIndex(
  text: string,
  what: string,
): { readonly packs: readonly IndexedPack[]; readonly supersedes: readonly FileId[] } {
  const { packs, supersedes } = parseObject(text, what);
  const fail = (problem: string): never => {
    throw damaged(what, problem);
  };
  if (!Array.isArray(packs) && packs !== null && packs !== undefined) fail('has no list of packs');
  return {
    packs: ((packs ?? []) as unknown[]).map((one) => parsePack(one, fail)),
    supersedes: Array.isArray(supersedes) ? supersedes.filter(isId) : [],
  };
}

function formatEntry({ id, type, offset, sizeBytes, plainSizeBytes, compressed }: PackEntry): string {
  const plain = compressed ? `,"uncompressed_length":${plainSizeBytes}` : '';
  return `{"id":"${id}","type":"${type}","offset":${offset},"length":${sizeBytes}${plain}}`;
}

function parsePack(json: unknown, fail: (problem: string) => never): IndexedPack {
  const { id, blobs } = (json ?? {}) as Record<string, unknown>;
  if (!isId(id)) return fail('names a pack without an id');
  if (!Array.isArray(blobs) && blobs !== null) return fail(`names pack ${id} without its blobs`);
  return { packId: id, entries: ((blobs ?? []) as unknown[]).map((one) => parseEntry(one, id, fail)) };
}

function parseEntry(json: unknown, packId: FileId, fail: (problem: string) => never): PackEntry {
  const { id, type, offset, length, uncompressed_length: plain = 0 } = (json ?? {}) as Record<string, unknown>;
  if (!isId(id)) return fail(`names a blob of pack ${packId} without an id`);
  if (type !== 'data' && type !== 'tree') return fail(`names blob ${id} of an unknown type`);
  if (!isWord(offset) || !isWord(length) || !isWord(plain) || length < sealBytes) return fail(`tells an impossible place of blob ${id}`);
  const compressed = plain !== 0;
  return { type, id, offset, sizeBytes: length, plainSizeBytes: compressed ? plain : length - sealBytes, compressed };
}

function isWord(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) >= 0 && (value as number) < wordMax;
}

import { decompress } from '../crypto/compression.ts';
import { type SealingKey, unseal } from '../crypto/seal.ts';
import { type OwnBytes, release } from '../documents/bytes.ts';
import { sha256 } from '../documents/ids.ts';
import type { FileId } from '../repository.ts';
import { decodeHeader, type PackEntry, PackHeaderError } from './header.ts';

/** Something wrong with a pack. With `entry`, that blob can not be read; without, the pack as a whole is at odds with itself or the index. */
export interface PackFault {
  readonly problem: string;
  readonly entry?: PackEntry;
}

/**
 * Reads a pack whole: its checksum, its header beside the index, every blob.
 * @param entries what the index says of it
 */
export function inspectPack(key: SealingKey, id: FileId, pack: Uint8Array, entries: readonly PackEntry[]): PackFault[] {
  const faults: PackFault[] = [];
  if (sha256(pack) !== id) faults.push({ problem: 'does not match its name' });
  faults.push(...compareHeader(key, pack, entries));
  for (const entry of entries) {
    const problem = inspectBlob(key, pack, entry);
    if (problem !== undefined) faults.push({ problem, entry });
  }
  return faults;
}

function compareHeader(key: SealingKey, pack: Uint8Array, entries: readonly PackEntry[]): PackFault[] {
  let header: readonly PackEntry[];
  try {
    header = decodeHeader(key, pack, pack.byteLength);
  } catch (error) {
    if (error instanceof PackHeaderError) return [{ problem: error.message }];
    throw error;
  }
  return compareEntries(header, entries);
}

/** What a pack's header and its index do not agree on. */
export function compareEntries(header: readonly PackEntry[], entries: readonly PackEntry[]): PackFault[] {
  const indexed = new Set(entries.map(textOf));
  const held = new Set(header.map(textOf));
  const unknown = header.filter((entry) => !indexed.has(textOf(entry))).length;
  const invented = entries.filter((entry) => !held.has(textOf(entry))).length;
  return [
    ...(unknown > 0 ? [{ problem: `holds ${unknown} blobs that its index does not know` }] : []),
    ...(invented > 0 ? [{ problem: `does not hold ${invented} blobs that its index tells of` }] : []),
  ];
}

function textOf({ type, id, offset, sizeBytes, plainSizeBytes, compressed }: PackEntry): string {
  return `${type} ${id} ${offset} ${sizeBytes} ${plainSizeBytes} ${compressed}`;
}

/** Why a blob can not be had from its pack; undefined when it can. */
function inspectBlob(key: SealingKey, pack: Uint8Array, entry: PackEntry): string | undefined {
  const { offset, sizeBytes } = entry;
  if (offset + sizeBytes > pack.byteLength) return 'lies beyond the end of its pack';
  const opened = unsealBlob(key, pack.subarray(offset, offset + sizeBytes), entry);
  if (typeof opened === 'string') return opened;
  release(opened);
  return undefined;
}

/** The plain bytes of a blob; or why it can not be had. */
export function unsealBlob(
  key: SealingKey,
  stored: Uint8Array,
  entry: Pick<PackEntry, 'id' | 'plainSizeBytes' | 'compressed'>,
): OwnBytes | string {
  const plain = unsealUnhashed(key, stored, entry);
  return typeof plain === 'string' || sha256(plain) === entry.id ? plain : notThatBlob;
}

/** The same for who looks at the hash later: that they were sealed with this key, and how many they are, is known. */
export function unsealUnhashed(
  key: SealingKey,
  stored: Uint8Array,
  { plainSizeBytes, compressed }: Pick<PackEntry, 'plainSizeBytes' | 'compressed'>,
): OwnBytes | string {
  const form = unseal(key, stored);
  if (form === undefined) return 'does not match its checksum';
  let plain = form;
  if (compressed) {
    try {
      plain = decompress(form, plainSizeBytes, plainSizeBytes);
    } catch {
      return 'can not be decompressed';
    } finally {
      release(form);
    }
  }
  return plain.byteLength === plainSizeBytes ? plain : notThatBlob;
}

const notThatBlob = 'is not the blob that it is said to be';

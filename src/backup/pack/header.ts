// The header at the end of a pack: doc/design.rst of restic/restic, "Pack Format".
import { idBytes } from '../documents/ids.ts';
import { seal, sealBytes, type SealingKey, unseal } from '../crypto/seal.ts';
import type { BlobId, BlobType } from '../repository.ts';

/** A blob within a pack. `plainSizeBytes` differs from what is stored when it is compressed. */
export interface PackEntry {
  readonly type: BlobType;
  readonly id: BlobId;
  readonly offset: number;
  readonly sizeBytes: number;
  readonly plainSizeBytes: number;
  readonly compressed: boolean;
}

/** Why a header can not be read. */
export class PackHeaderError extends Error {
  override readonly name = 'PackHeaderError';
}

const plainEntryBytes = 1 + 4 + idBytes;
const compressedEntryBytes = plainEntryBytes + 4;
/** The length of the sealed header, at the very end. */
const lengthBytes = 4;
/** Sealed bytes of a header, as restic bounds it. */
const headerBytesMax = 16 * 1024 * 1024;
/** Blobs that one pack holds at most. */
export const entriesMax: number = Math.floor((headerBytesMax - sealBytes) / compressedEntryBytes);
/** The smallest pack has one blob of no bytes. */
const packBytesMin = sealBytes + plainEntryBytes + sealBytes + lengthBytes;

const typeBits: Readonly<Record<BlobType, number>> = { data: 0, tree: 1 };
const compressedBit = 2;

/** Bytes that header and length of a pack take. */
export function headerBytes(entries: Iterable<Pick<PackEntry, 'compressed'>>): number {
  let bytes = sealBytes + lengthBytes;
  for (const { compressed } of entries) bytes += compressed ? compressedEntryBytes : plainEntryBytes;
  return bytes;
}

/** Sealed header and length: what follows the blobs. Offsets are not written: blobs lie one behind the other in the order of `entries`. */
export function encodeHeader(key: SealingKey, entries: readonly PackEntry[]): Uint8Array<ArrayBuffer> {
  const plain = Buffer.alloc(headerBytes(entries) - sealBytes - lengthBytes);
  let at = 0;
  for (const { type, id, sizeBytes, plainSizeBytes, compressed } of entries) {
    at = plain.writeUInt8(typeBits[type] + (compressed ? compressedBit : 0), at);
    at = plain.writeUInt32LE(sizeBytes, at);
    if (compressed) at = plain.writeUInt32LE(plainSizeBytes, at);
    at += plain.write(id, at, idBytes, 'hex');
  }
  const sealed = seal(key, plain);
  const header = new Uint8Array(sealed.byteLength + lengthBytes);
  header.set(sealed);
  new DataView(header.buffer).setUint32(sealed.byteLength, sealed.byteLength, true);
  return header;
}

/** Bytes of sealed header and length together, told by the last bytes of a pack. @throws PackHeaderError */
export function headerBytesOf(tail: Uint8Array, packBytes: number): number {
  if (packBytes < packBytesMin || tail.byteLength < lengthBytes) throw new PackHeaderError(`has ${packBytes} bytes: no pack is that short`);
  const sealedBytes = new DataView(tail.buffer, tail.byteOffset, tail.byteLength).getUint32(tail.byteLength - lengthBytes, true);
  const least = sealBytes + plainEntryBytes;
  if (sealedBytes < least || sealedBytes > headerBytesMax || sealedBytes + lengthBytes > packBytes)
    throw new PackHeaderError(`tells of a header of ${sealedBytes} bytes, which can not be in a pack of ${packBytes}`);
  return sealedBytes + lengthBytes;
}

/**
 * Reads a header.
 * @param tail the last bytes of the pack, as many as `headerBytesOf` tells or more
 * @throws PackHeaderError
 */
export function decodeHeader(key: SealingKey, tail: Uint8Array, packBytes: number): PackEntry[] {
  const bytes = headerBytesOf(tail, packBytes);
  if (bytes > tail.byteLength) throw new PackHeaderError(`has a header of ${bytes} bytes, which reaches into its blobs`);
  const sealed = tail.subarray(tail.byteLength - bytes, tail.byteLength - lengthBytes);
  const plain = unseal(key, sealed);
  if (plain === undefined) throw new PackHeaderError('has a header that does not match its checksum');
  const entries = readEntries(Buffer.from(plain.buffer));
  const end = entries.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  if (end !== packBytes - bytes) throw new PackHeaderError(`has blobs of ${end} bytes by its header, ${packBytes - bytes} by its size`);
  return entries;
}

function readEntries(plain: Buffer): PackEntry[] {
  const entries: PackEntry[] = [];
  let offset = 0;
  for (let at = 0; at < plain.length;) {
    const kind = plain[at]!;
    if (kind > 3) throw new PackHeaderError(`has a blob of the unknown type ${kind}`);
    const compressed = (kind & compressedBit) !== 0;
    const end = at + (compressed ? compressedEntryBytes : plainEntryBytes);
    if (end > plain.length) throw new PackHeaderError('has a header that ends within an entry');
    const sizeBytes = plain.readUInt32LE(at + 1);
    if (sizeBytes < sealBytes) throw new PackHeaderError(`has a blob of ${sizeBytes} bytes: less than sealing adds`);
    entries.push({
      type: (kind & 1) === 0 ? 'data' : 'tree',
      id: plain.toString('hex', end - idBytes, end),
      offset,
      sizeBytes,
      plainSizeBytes: compressed ? plain.readUInt32LE(at + 5) : sizeBytes - sealBytes,
      compressed,
    });
    offset += sizeBytes;
    at = end;
  }
  return entries;
}

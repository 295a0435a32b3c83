import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { owned } from '../documents/bytes.ts';
import { compressByContext, compressedBytesMax, decompressByContext } from './zstd-context.ts';

/** Of 1 to 22: the next one takes a fifth more time in all for 2 % less of a repository. */
const level = 2;
/** Bytes of a buffer that grows when the size of a result is not known. */
const unknownChunkBytes = 256 * 1024;

/**
 * zstd (RFC 8878).
 * @param chunkBytes of a buffer that the result may need several of: for what is large, where little memory counts more than time
 */
export function compress(plain: Uint8Array, chunkBytes?: number): Uint8Array<ArrayBuffer> {
  const packed = chunkBytes === undefined ? compressByContext(plain, level) : undefined;
  return packed?.slice() ?? compressByFunction(plain, chunkBytes ?? compressedBytesMax(plain.byteLength));
}

/** The same, in a buffer that the next call may overwrite: for what is used and done with before it. */
export function compressForNow(plain: Uint8Array): Uint8Array {
  // All that may be needed: one buffer, no copies.
  return compressByContext(plain, level) ?? compressByFunction(plain, compressedBytesMax(plain.byteLength));
}

function compressByFunction(plain: Uint8Array, chunkBytes: number): Uint8Array<ArrayBuffer> {
  return zstdCompressSync(plain, { params: { [constants.ZSTD_c_compressionLevel]: level }, chunkSize: Math.max(1024, chunkBytes) });
}

/**
 * @param plainBytesMax more than this is refused before it takes memory
 * @throws Error when it is not zstd, or larger
 */
export function decompress(packed: Uint8Array, plainBytesMax: number): Uint8Array<ArrayBuffer> {
  return decompressByFunction(packed, plainBytesMax, Math.min(plainBytesMax, unknownChunkBytes));
}

/**
 * The same where the size is known, in a buffer that the next call may overwrite: for what is used and done with before it.
 * @returns perhaps fewer bytes
 */
export function decompressForNow(packed: Uint8Array, plainBytes: number): Uint8Array<ArrayBuffer> {
  // One byte of room is left: a full buffer calls for a second one.
  return decompressByContext(packed, plainBytes) ?? decompressByFunction(packed, plainBytes, plainBytes + 1);
}

function decompressByFunction(packed: Uint8Array, plainBytesMax: number, chunkBytes: number): Uint8Array<ArrayBuffer> {
  const plain = zstdDecompressSync(packed, { maxOutputLength: Math.max(plainBytesMax, 1), chunkSize: Math.max(64, chunkBytes) });
  // Its buffer is larger, and nobody else's unless it is of Node's pool.
  if (plain.buffer.byteLength > Buffer.poolSize) return new Uint8Array(plain.buffer, plain.byteOffset, plain.byteLength);
  return owned(plain);
}

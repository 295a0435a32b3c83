import { crc32 } from 'node:zlib';

// One object is k + m shards, each an object of its own in one part. All numbers are big-endian.
//
//   0  8  magic: "HFSHARD" and the version of this format, 1
//   8  1  k, data shards            9  1  m, parity shards
//  10  1  index: 0 … k-1 data, k … k+m-1 parity        11  1  zero
//  12  4  bytes of a block
//  16  8  size of the object, S
//  24 16  stamp of the write: milliseconds since 1970 (6), a counter (2), the writer (8); of two writes the later one has the greater stamp
//  40 32  SHA-256 of the object
//  72  4  zero
//  76  4  CRC-32 of the 76 bytes before
//  80     q = ceil(S / k) bytes in blocks, the last one shorter; behind each block the CRC-32 of: the header's CRC-32, the block's number
//         (4 bytes each), the block
//         then index × r zeros, r = k·q - S
//
// Data shard i is the bytes from i·q on of the object, zeros behind its end. As shards differ in length by multiples of r, the lengths of
// any two tell S: a list of the parts is a list of the objects, sizes included.

export const HEADER_BYTES = 80;
export const BLOCK_BYTES = 64 * 1024;
const checksumBytes = 4;
const magic = Buffer.from('HFSHARD\x01', 'latin1');
const digestPattern = /^[0-9a-f]{64}$/;

export interface ShardHeader {
  readonly data: number;
  readonly parity: number;
  readonly index: number;
  readonly blockBytes: number;
  /** Of the whole object. */
  readonly sizeBytes: number;
  /** 32 hexadecimal digits. */
  readonly stamp: string;
  /** SHA-256 of the object, 64 hexadecimal digits. */
  readonly digest: string;
}

/** Bytes of the object in each shard. */
export function payloadBytes({ sizeBytes, data }: Pick<ShardHeader, 'sizeBytes' | 'data'>): number {
  return Math.ceil(sizeBytes / data);
}

/** Bytes of a whole shard. */
export function shardBytes(header: Pick<ShardHeader, 'sizeBytes' | 'data' | 'index' | 'blockBytes'>): number {
  const payload = payloadBytes(header);
  const rest = payload * header.data - header.sizeBytes;
  return HEADER_BYTES + payload + Math.ceil(payload / header.blockBytes) * checksumBytes + header.index * rest;
}

/** Size of the object of which two shards have these lengths; undefined where they can not be of one object. */
export function sizeOfObject(
  data: number,
  one: { index: number; bytes: number },
  other: { index: number; bytes: number },
): number | undefined {
  const rest = (one.bytes - other.bytes) / (one.index - other.index);
  if (!Number.isInteger(rest) || rest < 0 || rest >= data) return undefined;
  return sizeOfStem(data, rest, one.bytes - one.index * rest);
}

/** Where there is one data shard, nothing is left over, and one length says all. */
export function sizeOfSingle(bytes: number): number | undefined {
  return sizeOfStem(1, 0, bytes);
}

/** @param bytes what shard 0 has */
function sizeOfStem(data: number, rest: number, bytes: number): number | undefined {
  const stem = bytes - HEADER_BYTES;
  const payload = stem - Math.ceil(stem / (BLOCK_BYTES + checksumBytes)) * checksumBytes;
  const sizeBytes = payload * data - rest;
  return payload < 0 || sizeBytes < 0 || Math.ceil(sizeBytes / data) !== payload ? undefined : sizeBytes;
}

/** @param payload of the shard; zeros follow where it is shorter */
export function encodeShard(header: ShardHeader, payload: Uint8Array): Uint8Array {
  const shard = Buffer.alloc(shardBytes(header));
  shard.set(encodeHeader(header));
  const whole = payloadBytes(header);
  const seed = shard.subarray(HEADER_BYTES - checksumBytes, HEADER_BYTES);
  let at = HEADER_BYTES;
  for (let from = 0, number = 0; from < whole; from += header.blockBytes, number += 1) {
    const end = at + Math.min(header.blockBytes, whole - from);
    shard.set(payload.subarray(Math.min(from, payload.length), Math.min(from + header.blockBytes, payload.length)), at);
    shard.writeUInt32BE(checksumOf(seed, number, shard.subarray(at, end)), end);
    at = end + checksumBytes;
  }
  return shard;
}

function encodeHeader({ data, parity, index, blockBytes, sizeBytes, stamp, digest }: ShardHeader): Buffer {
  const bytes = Buffer.alloc(HEADER_BYTES);
  magic.copy(bytes);
  bytes.set([data, parity, index], 8);
  bytes.writeUInt32BE(blockBytes, 12);
  bytes.writeBigUInt64BE(BigInt(sizeBytes), 16);
  bytes.write(stamp, 24, 'hex');
  bytes.write(digest, 40, 'hex');
  bytes.writeUInt32BE(crc32(bytes.subarray(0, HEADER_BYTES - checksumBytes)), HEADER_BYTES - checksumBytes);
  return bytes;
}

/** What the first bytes of a shard say; a text says what is wrong with them. */
export function decodeHeader(bytes: Uint8Array): ShardHeader | string {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (view.length < HEADER_BYTES) return 'is shorter than the header of a shard';
  if (view.compare(magic, 0, magic.length, 0, magic.length) !== 0) return 'is no shard of a version that is known';
  const last = HEADER_BYTES - checksumBytes;
  if (view.readUInt32BE(last) !== crc32(view.subarray(0, last))) return 'has a header that does not fit its checksum';
  const header = {
    data: view[8]!,
    parity: view[9]!,
    index: view[10]!,
    blockBytes: view.readUInt32BE(12),
    sizeBytes: Number(view.readBigUInt64BE(16)),
    stamp: view.toString('hex', 24, 40),
    digest: view.toString('hex', 40, 72),
  };
  const sound = header.data > 0 && header.index < header.data + header.parity && header.blockBytes === BLOCK_BYTES;
  return sound && Number.isSafeInteger(header.sizeBytes) && digestPattern.test(header.digest) ? header : 'has a header that makes no sense';
}

/** A whole shard, each block compared with its checksum; a text says what is wrong. */
export function decodeShard(bytes: Uint8Array): { readonly header: ShardHeader; readonly payload: Uint8Array } | string {
  const header = decodeHeader(bytes);
  if (typeof header === 'string') return header;
  const expected = shardBytes(header);
  if (bytes.length !== expected) return `has ${bytes.length} bytes and was to have ${expected}`;
  const payload = decodeBlocks(header, bytes.subarray(HEADER_BYTES - checksumBytes, HEADER_BYTES), 0, bytes.subarray(HEADER_BYTES));
  return typeof payload === 'string' ? payload : { header, payload };
}

/** The header's own checksum, which those of its blocks continue. */
export function shardChecksum(header: ShardHeader): Uint8Array {
  return encodeHeader(header).subarray(HEADER_BYTES - checksumBytes);
}

/** Where in a shard the blocks lie that hold bytes `from` to `end` (at least one) of its payload. */
export function blocksHolding(header: ShardHeader, from: number, end: number): { first: number; offset: number; sizeBytes: number } {
  const { blockBytes } = header;
  const stride = blockBytes + checksumBytes;
  const first = Math.floor(from / blockBytes);
  const last = Math.floor((end - 1) / blockBytes);
  const lastBytes = Math.min(blockBytes, payloadBytes(header) - last * blockBytes);
  return { first, offset: HEADER_BYTES + first * stride, sizeBytes: (last - first) * stride + lastBytes + checksumBytes };
}

/** What blocks hold, from number `first` on, until `bytes` or the payload end; a text says what is wrong. */
export function decodeBlocks(header: ShardHeader, seed: Uint8Array, first: number, bytes: Uint8Array): Uint8Array | string {
  const { blockBytes } = header;
  const stride = blockBytes + checksumBytes;
  const left = payloadBytes(header) - first * blockBytes;
  const blocks = Math.min(Math.ceil(left / blockBytes), Math.ceil(bytes.length / stride));
  const result = new Uint8Array(Math.min(left, blocks * blockBytes));
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let block = 0; block < blocks; block += 1) {
    const at = block * stride;
    const sizeBytes = Math.min(blockBytes, result.length - block * blockBytes);
    if (at + sizeBytes + checksumBytes > view.length) return 'is shorter than its header says';
    const content = view.subarray(at, at + sizeBytes);
    if (view.readUInt32BE(at + sizeBytes) !== checksumOf(seed, first + block, content)) return `has rot in block ${first + block}`;
    result.set(content, block * blockBytes);
  }
  return result;
}

function checksumOf(seed: Uint8Array, number: number, block: Uint8Array): number {
  const begin = Buffer.alloc(8);
  begin.set(seed);
  begin.writeUInt32BE(number, 4);
  return crc32(block, crc32(begin));
}

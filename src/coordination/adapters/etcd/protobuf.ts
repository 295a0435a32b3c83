import { CallFailure } from './failure.ts';

/** A field to encode. Undefined, zero, false and '' are proto3's defaults and are left out; an empty Uint8Array (a message without fields) is written. */
export type WireValue = bigint | number | boolean | string | Uint8Array | undefined;

/** A field as read: `int` of wire type 0, `bytes` of wire type 2; the other one is its zero. */
export interface WireField {
  readonly number: number;
  readonly int: bigint;
  readonly bytes: Buffer;
}

const noBytes = Buffer.alloc(0);

/**
 * Encodes a protobuf message of varint and length-delimited fields (https://protobuf.dev/programming-guides/encoding/), fields in
 * ascending order of their numbers. An array is a repeated field. A negative int64 takes ten bytes, as in every implementation.
 */
export function encodeMessage(fields: Readonly<Record<number, WireValue | readonly WireValue[]>>): Buffer {
  const chunks: Uint8Array[] = [];
  for (const [number, value] of Object.entries(fields)) {
    for (const item of Array.isArray(value) ? (value as readonly WireValue[]) : [value as WireValue])
      encodeField(chunks, Number(number), item);
  }
  return Buffer.concat(chunks);
}

function encodeField(chunks: Uint8Array[], number: number, value: WireValue): void {
  if (value === undefined || value === '') return;
  if (typeof value === 'string' || value instanceof Uint8Array) {
    const bytes = typeof value === 'string' ? Buffer.from(value) : value;
    chunks.push(varint(BigInt((number << 3) | 2)), varint(BigInt(bytes.length)), bytes);
    return;
  }
  const int = BigInt.asUintN(64, BigInt(value));
  if (int !== 0n) chunks.push(varint(BigInt(number << 3)), varint(int));
}

function varint(value: bigint): Uint8Array {
  const bytes: number[] = [];
  let rest = value;
  for (; rest > 0x7fn; rest >>= 7n) bytes.push(Number(rest & 0x7fn) | 0x80);
  bytes.push(Number(rest));
  return Uint8Array.from(bytes);
}

/**
 * Reads the fields of a message in the order they stand. `bytes` are views into `message`. Fixed-width fields, which etcd does not use, are
 * skipped as unknown ones.
 * @throws CallFailure `nonsense`
 */
export function* readFields(message: Buffer): Generator<WireField> {
  const cursor = { at: 0 };
  while (cursor.at < message.length) {
    const tag = readVarint(message, cursor);
    const number = Number(tag >> 3n);
    const wireType = Number(tag & 7n);
    if (wireType === 0) {
      yield { number, int: readVarint(message, cursor), bytes: noBytes };
    } else if (wireType === 2) {
      yield { number, int: 0n, bytes: readBytes(message, cursor, readVarint(message, cursor)) };
    } else if (wireType === 1 || wireType === 5) {
      readBytes(message, cursor, wireType === 1 ? 8n : 4n);
    } else {
      throw new CallFailure('nonsense', `wire type ${wireType} in an answer`);
    }
  }
}

function readVarint(message: Buffer, cursor: { at: number }): bigint {
  // Nearly all numbers fit five groups of seven bits and need no bigint arithmetic on the way.
  let low = 0;
  for (let shift = 0; shift < 35; shift += 7) {
    const byte = readByte(message, cursor);
    low += (byte & 0x7f) * 2 ** shift;
    if (byte < 0x80) return BigInt(low);
  }
  let value = BigInt(low);
  for (let shift = 35n; shift < 70n; shift += 7n) {
    const byte = readByte(message, cursor);
    value |= BigInt(byte & 0x7f) << shift;
    if (byte < 0x80) return BigInt.asUintN(64, value);
  }
  throw new CallFailure('nonsense', 'a number of more than ten bytes in an answer');
}

function readByte(message: Buffer, cursor: { at: number }): number {
  const byte = message[cursor.at];
  if (byte === undefined) throw new CallFailure('nonsense', 'an answer that ends within a field');
  cursor.at += 1;
  return byte;
}

function readBytes(message: Buffer, cursor: { at: number }, length: bigint): Buffer {
  if (length > BigInt(message.length - cursor.at)) throw new CallFailure('nonsense', 'an answer that ends within a field');
  const start = cursor.at;
  cursor.at += Number(length);
  return message.subarray(start, cursor.at);
}

/** int64 from the unsigned number on the wire. */
export function signed(int: bigint): bigint {
  return BigInt.asIntN(64, int);
}

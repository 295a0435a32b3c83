// The part of DER (ITU-T X.690) that certificates need: definite lengths, single-byte tags.

export const tags = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  oid: 0x06,
  utf8String: 0x0c,
  utcTime: 0x17,
  generalizedTime: 0x18,
  sequence: 0x30,
  set: 0x31,
} as const;

/** One value with its tag and length. */
export function encode(tag: number, ...contents: readonly Uint8Array[]): Buffer {
  const content = Buffer.concat(contents);
  return Buffer.concat([Buffer.from([tag]), encodeLength(content.length), content]);
}

export function sequence(...items: readonly Uint8Array[]): Buffer {
  return encode(tags.sequence, ...items);
}

/** `[number]`; constructed unless it replaces the tag of a primitive value. */
export function context(number: number, content: Uint8Array, form: 'constructed' | 'primitive' = 'constructed'): Buffer {
  return encode((form === 'constructed' ? 0xa0 : 0x80) | number, content);
}

/** A non-negative integer from its big-endian bytes. */
export function integer(bytes: Uint8Array): Buffer {
  const start = bytes.findIndex((byte) => byte !== 0);
  const digits = start < 0 ? Buffer.of(0) : Buffer.from(bytes.subarray(start));
  // The highest bit would be the sign.
  return encode(tags.integer, digits[0]! & 0x80 ? Buffer.concat([Buffer.of(0), digits]) : digits);
}

/** From the dotted form, `2.5.29.19`. */
export function oid(dotted: string): Buffer {
  const [first = 0, second = 0, ...rest] = dotted.split('.').map(Number);
  return encode(tags.oid, Buffer.from([first * 40 + second, ...rest].flatMap(base128)));
}

/** RFC 5280, 4.1.2.5: two-digit years through 2049, four digits from then on; whole seconds, UTC. */
export function time(wallMs: number): Buffer {
  const text = new Date(wallMs).toISOString().replaceAll(/[-:T]|\.\d+/g, '');
  return Number(text.slice(0, 4)) < 2050
    ? encode(tags.utcTime, Buffer.from(text.slice(2)))
    : encode(tags.generalizedTime, Buffer.from(text));
}

export interface Value {
  readonly tag: number;
  readonly content: Buffer;
  /** Tag, length and content as they stand. */
  readonly whole: Buffer;
}

/** The values that stand one after another in `bytes`. @throws RangeError when they are not DER */
export function decodeAll(bytes: Buffer): Value[] {
  const values: Value[] = [];
  for (let rest = bytes; rest.length > 0;) {
    const value = decode(rest);
    values.push(value);
    rest = rest.subarray(value.whole.length);
  }
  return values;
}

function decode(bytes: Buffer): Value {
  const first = bytes[1] ?? 0;
  const lengthBytes = first < 0x80 ? 0 : first & 0x7f;
  if (bytes.length < 2 + lengthBytes || first === 0x80 || lengthBytes > 4) throw new RangeError('not DER');
  const length = lengthBytes === 0 ? first : bytes.readUIntBE(2, lengthBytes);
  const start = 2 + lengthBytes;
  if (bytes.length < start + length) throw new RangeError('not DER');
  return { tag: bytes[0]!, content: bytes.subarray(start, start + length), whole: bytes.subarray(0, start + length) };
}

function encodeLength(length: number): Buffer {
  if (length < 0x80) return Buffer.of(length);
  const bytes: number[] = [];
  for (let rest = length; rest > 0; rest = Math.floor(rest / 256)) bytes.unshift(rest % 256);
  return Buffer.from([0x80 | bytes.length, ...bytes]);
}

function base128(value: number): number[] {
  const bytes = [value % 128];
  for (let rest = Math.floor(value / 128); rest > 0; rest = Math.floor(rest / 128)) bytes.unshift(0x80 | (rest % 128));
  return bytes;
}

// How everything in a repository is sealed: nonce, AES-256-CTR cipher text, Poly1305-AES code of the cipher text.
// Format: doc/design.rst of restic/restic, "Keys, Encryption and MAC"; D. J. Bernstein, "The Poly1305-AES message-authentication code".
import {
  type Cipheriv,
  createCipheriv,
  createDecipheriv,
  type Decipheriv,
  createSecretKey,
  type KeyObject,
  randomFillSync,
  timingSafeEqual,
} from 'node:crypto';
import { release } from '../documents/bytes.ts';
import { macBytes, poly1305 } from './poly1305.ts';

const nonceBytes = 16;
/** Bytes that sealing adds. */
export const sealBytes: number = nonceBytes + macBytes;

/** Bytes of a key as one piece: AES-256 key, AES-128 key `k`, `r`. */
export const sealingKeyBytes = 64;

/** The three keys that sealing takes. Secret. */
export interface SealingKey {
  /** 32 bytes, AES-256. */
  readonly encrypt: Uint8Array;
  /** 16 bytes, AES-128: turns the nonce into `s` of Poly1305. */
  readonly macK: Uint8Array;
  /** 16 bytes, `r` of Poly1305 before it is clamped. */
  readonly macR: Uint8Array;
}

/** @param bytes `sealingKeyBytes` of them, as scrypt derives them from a password */
export function sealingKeyFrom(bytes: Uint8Array): SealingKey {
  if (bytes.byteLength !== sealingKeyBytes) throw new RangeError(`a sealing key has ${sealingKeyBytes} bytes, not ${bytes.byteLength}`);
  return { encrypt: bytes.slice(0, 32), macK: bytes.slice(32, 48), macR: bytes.slice(48, 64) };
}

export function randomSealingKey(): SealingKey {
  return sealingKeyFrom(randomFillSync(new Uint8Array(sealingKeyBytes)));
}

/** Sealed bytes in a buffer of their own, under a new random nonce. */
export function seal(key: SealingKey, plain: Uint8Array): Uint8Array<ArrayBuffer> {
  const sealed = new Uint8Array(plain.byteLength + sealBytes);
  sealInto(key, plain, sealed);
  return sealed;
}

/** @param sealed takes exactly `sealBytes` more than `plain` has */
export function sealInto(key: SealingKey, plain: Uint8Array, sealed: Uint8Array): void {
  const nonce = randomFillSync(sealed.subarray(0, nonceBytes));
  const text = sealed.subarray(nonceBytes, nonceBytes + plain.byteLength);
  const cipher = createCipheriv('aes-256-ctr', preparedOf(key).encrypt, nonce);
  inSlices(cipher, plain, text);
  sealed.set(macOf(key, nonce, text), nonceBytes + plain.byteLength);
}

/** The plain bytes in a buffer of their own; undefined when they were not sealed so with this key. */
export function unseal(key: SealingKey, sealed: Uint8Array): Uint8Array<ArrayBuffer> | undefined {
  const text = textOf(key, sealed);
  if (text === undefined) return undefined;
  const plain = new Uint8Array(text.byteLength);
  decipherInto(key, sealed, text, plain);
  return plain;
}

/** The plain bytes in the place of those that were sealed; undefined, and nothing changed, when they were not sealed so with this key. */
export function unsealInPlace<Buffer extends ArrayBufferLike>(key: SealingKey, sealed: Uint8Array<Buffer>): Uint8Array<Buffer> | undefined {
  const text = textOf(key, sealed);
  if (text !== undefined) decipherInto(key, sealed, text, text);
  return text;
}

/** The cipher text, if its code is right. */
function textOf<Buffer extends ArrayBufferLike>(key: SealingKey, sealed: Uint8Array<Buffer>): Uint8Array<Buffer> | undefined {
  if (sealed.byteLength < sealBytes) return undefined;
  const text = sealed.subarray(nonceBytes, sealed.byteLength - macBytes);
  const code = macOf(key, sealed.subarray(0, nonceBytes), text);
  return timingSafeEqual(code, sealed.subarray(sealed.byteLength - macBytes)) ? text : undefined;
}

function decipherInto(key: SealingKey, sealed: Uint8Array, text: Uint8Array, to: Uint8Array): void {
  const decipher = createDecipheriv('aes-256-ctr', preparedOf(key).encrypt, sealed.subarray(0, nonceBytes));
  inSlices(decipher, text, to);
}

/** Keys as OpenSSL takes them: to make them so takes longer than to seal a small blob. */
interface Prepared {
  readonly encrypt: KeyObject;
  /** AES-128 of one block after the other; each by itself, so that it never ends. */
  readonly mac: Cipheriv;
}

const prepared = new WeakMap<SealingKey, Prepared>();

function preparedOf(key: SealingKey): Prepared {
  let found = prepared.get(key);
  if (found === undefined) {
    found = { encrypt: createSecretKey(key.encrypt), mac: createCipheriv('aes-128-ecb', key.macK, null).setAutoPadding(false) };
    prepared.set(key, found);
  }
  return found;
}

/** What one call of the cipher takes: its result is a buffer of that size, which lies in the cache still when it is copied from. */
const sliceBytes = 256 * 1024;

function inSlices(cipher: Cipheriv | Decipheriv, bytes: Uint8Array, to: Uint8Array): void {
  for (let at = 0; at < bytes.byteLength; at += sliceBytes) {
    const part = cipher.update(bytes.subarray(at, at + sliceBytes));
    to.set(part, at);
    release(part);
  }
  // There is no more to come: OpenSSL's context is given back now, not when the collector comes across it.
  cipher.final();
}

function macOf(key: SealingKey, nonce: Uint8Array, text: Uint8Array): Uint8Array {
  const oneTime = new Uint8Array(32);
  oneTime.set(key.macR);
  oneTime.set(preparedOf(key).mac.update(nonce), 16);
  return poly1305(oneTime, text);
}

import { HoldfastError } from '../core/errors.ts';
import type { ByteRange } from './location.ts';

/** Most characters of a key. */
export const KEY_LENGTH_MAX = 512;
/** Most bytes of one object: what is kept in memory at once. Far below what any store takes in one request (S3: 5 GiB). */
export const OBJECT_BYTES_MAX = 1024 * 1024 * 1024;

/** Characters shown of a key that is none. */
const shownMax = 80;
const segment = /^(?!\.{1,2}$)[A-Za-z0-9._-]+$/;

/** Whether it is a key (see Location): what else lies in a store, nobody of ours has put there. */
export function isKey(text: string): boolean {
  return text.length <= KEY_LENGTH_MAX && text.split('/').every((part) => segment.test(part));
}

/** Refuses what is not a key. @throws STORAGE_BAD_KEY */
export function assertKey(key: string): void {
  if (!isKey(key)) throw badKey(key, 'is not a key');
}

/** Refuses what is not a prefix: empty, or a key and a slash. @throws STORAGE_BAD_KEY */
export function assertPrefix(prefix: string): void {
  if (prefix !== '' && !(prefix.endsWith('/') && isKey(prefix.slice(0, -1))))
    throw badKey(prefix, 'is not a prefix (empty, or a key and a slash)');
}

/** A range that could lie within an object. @throws RangeError */
export function assertRange({ offset, sizeBytes }: ByteRange): void {
  const fits = Number.isSafeInteger(offset) && Number.isSafeInteger(sizeBytes) && offset >= 0 && sizeBytes >= 1;
  if (!fits || sizeBytes > OBJECT_BYTES_MAX) throw new RangeError(`no range of an object: ${sizeBytes} bytes from ${offset} on`);
}

/** Bytes of all parts together. @throws RangeError when they are more than an object may have */
export function objectBytes(data: readonly Uint8Array[]): number {
  const sizeBytes = data.reduce((sum, part) => sum + part.byteLength, 0);
  if (sizeBytes > OBJECT_BYTES_MAX) throw new RangeError(`an object has at most ${OBJECT_BYTES_MAX} bytes, not ${sizeBytes}`);
  return sizeBytes;
}

function badKey(key: string, problem: string): HoldfastError {
  const shown = JSON.stringify(key.length > shownMax ? `${key.slice(0, shownMax)}…` : key);
  return new HoldfastError(
    'STORAGE_BAD_KEY',
    `${shown} ${problem}: 1 to ${KEY_LENGTH_MAX} characters of [A-Za-z0-9._-] in segments parted by single slashes`,
    { hint: 'Use letters, digits, dots, dashes and underscores; no slash at either end, no segment `.` or `..`.' },
  );
}

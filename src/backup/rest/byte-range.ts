import type { ByteRange } from '../../storage/index.ts';

/**
 * The part of an object that a `Range` header asks for (RFC 9110, 14.1.2), cut at the object's end. Undefined for the whole: no header, another
 * unit, several ranges, or nonsense, all of which a server may ignore. `'beyond'` where nothing of it is in the object.
 */
export function parseRange(header: string | undefined, sizeBytes: number): ByteRange | 'beyond' | undefined {
  const [, first, last] = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(header ?? '') ?? [];
  if (first === undefined || last === undefined || (first === '' && last === '')) return undefined;
  if (first === '') {
    const wanted = Math.min(Number(last), sizeBytes);
    return wanted === 0 ? 'beyond' : { offset: sizeBytes - wanted, sizeBytes: wanted };
  }
  const offset = Number(first);
  const end = last === '' ? sizeBytes : Math.min(Number(last) + 1, sizeBytes);
  if (last !== '' && Number(last) < offset) return undefined;
  return offset >= sizeBytes ? 'beyond' : { offset, sizeBytes: end - offset };
}

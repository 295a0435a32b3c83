import { HoldfastError } from '../../core/errors.ts';
import { formatLsn } from '../../core/lsn.ts';
import { damaged as damagedIn } from '../documents/damaged.ts';
import { compress, decompress } from '../crypto/compression.ts';
import { seal, unseal, type SealingKey } from '../crypto/seal.ts';
import type { WalRange } from './coverage.ts';

/*
 * A part of the journal is sealed as all else in the repository (crypto/seal.ts), by the repository's own key. Inside is one zstd frame of
 *   a line of JSON: {"version":1,"service":…,"systemId":…,"timeline":1,"start":"0/3000000","end":"0/3000148","sentMs":…}
 *   a line feed
 *   the WAL, end − start bytes of it
 * What the line says must be what the object's name says, so that no object can be taken for another one.
 */

const version = 1;
/** A part is never larger; the journal begins another one. */
export const partBytesMax: number = 16 * 1024 * 1024;
const headerBytesMax = 4 * 1024;
/** WAL packs well: to make room for all of it, each second, would have the collector of garbage at work all the time. */
const packedChunkBytes = 256 * 1024;
const lineFeed = 10;

export interface JournalPart {
  readonly service: string;
  readonly systemId: string;
  readonly range: WalRange;
  /** By the server's clock, in ms since 1970: everything that it had flushed by then is in this part or before it. 0: nothing can be told. */
  readonly sentMs: number;
  readonly wal: Uint8Array;
}

/** @param part with its WAL in pieces, as it came */
export function encodePart(part: Omit<JournalPart, 'wal'> & { readonly wal: readonly Uint8Array[] }, key: SealingKey): Uint8Array {
  const { timeline, start, end } = part.range;
  const sizeBytes = part.wal.reduce((sum, { byteLength }) => sum + byteLength, 0);
  if (BigInt(sizeBytes) !== end - start) throw new RangeError(`a part of ${end - start} bytes has ${sizeBytes}`);
  const header = {
    version,
    service: part.service,
    systemId: part.systemId,
    timeline,
    start: formatLsn(start),
    end: formatLsn(end),
    sentMs: Math.round(part.sentMs),
  };
  const plain = inOne([Buffer.from(`${JSON.stringify(header)}\n`, 'utf8'), ...part.wal]);
  return seal(key, compress(plain, Math.min(plain.byteLength, packedChunkBytes)));
}

/** Used again by the next part. */
let scratch = new Uint8Array(0);

/** @returns what is good until the next call */
function inOne(pieces: readonly Uint8Array[]): Uint8Array {
  const sizeBytes = pieces.reduce((sum, { byteLength }) => sum + byteLength, 0);
  if (scratch.byteLength < sizeBytes) scratch = new Uint8Array(2 ** Math.ceil(Math.log2(sizeBytes)));
  let at = 0;
  for (const piece of pieces) {
    scratch.set(piece, at);
    at += piece.byteLength;
  }
  return scratch.subarray(0, sizeBytes);
}

/** @throws BACKUP_DAMAGED when it is not, whole and unchanged, the part that `expected` names */
export function decodePart(
  sealed: Uint8Array,
  expected: { readonly service: string; readonly systemId: string; readonly range: WalRange; readonly key: string },
  key: SealingKey,
): JournalPart {
  const packed = unseal(key, sealed);
  if (packed === undefined) throw damaged(expected.key, 'it was not written with the key of this repository, or has been changed');
  const size = Number(expected.range.end - expected.range.start);
  if (size > partBytesMax) throw damaged(expected.key, `its name claims ${size} bytes`);
  const plain = unpack(packed, size + headerBytesMax, expected.key);
  const at = plain.indexOf(lineFeed);
  const header = at < 0 || at > headerBytesMax ? undefined : parseHeader(Buffer.from(plain.subarray(0, at)).toString('utf8'));
  const wal = plain.subarray(at + 1);
  const { timeline, start, end } = expected.range;
  const isIt =
    header !== undefined &&
    header['service'] === expected.service &&
    header['systemId'] === expected.systemId &&
    header['timeline'] === timeline &&
    header['start'] === formatLsn(start) &&
    header['end'] === formatLsn(end) &&
    wal.byteLength === size;
  if (header !== undefined && header['version'] !== version)
    throw new HoldfastError(
      'BACKUP_UNSUPPORTED',
      `the journal's part '${expected.key}' has version ${String(header['version'])}, known is ${version}`,
      {
        hint: 'A newer Holdfast wrote it: use that one.',
      },
    );
  if (!isIt) throw damaged(expected.key, 'it holds another part than its name says');
  return { service: expected.service, systemId: expected.systemId, range: expected.range, sentMs: Number(header['sentMs']), wal };
}

function unpack(packed: Uint8Array, plainBytesMax: number, key: string): Uint8Array {
  try {
    return decompress(packed, plainBytesMax);
  } catch (error) {
    throw damaged(key, 'it can not be decompressed', error);
  }
}

function parseHeader(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

function damaged(key: string, why: string, cause?: unknown): HoldfastError {
  return damagedIn(`the journal's part '${key}'`, `is damaged: ${why}`, cause);
}

import { decompressForNow } from '../crypto/compression.ts';
import { type SealingKey, unsealInPlace } from '../crypto/seal.ts';
import type { OwnBytes } from '../documents/bytes.ts';
import { sha256 } from '../documents/ids.ts';
import { decodeHeader, type PackEntry, PackHeaderError } from './header.ts';

/** Something wrong with a pack. With `entry`, that blob can not be read; without, the pack as a whole is at odds with itself or the index. */
export interface PackFault {
  readonly problem: string;
  readonly entry?: PackEntry;
}

/** What is read of a pack in one go. */
export interface PackSlice {
  readonly offset: number;
  readonly sizeBytes: number;
  /** What begins in it, by the index. */
  readonly entries: readonly PackEntry[];
}

/**
 * Cuts a pack between its blobs, so that a part of it at a time is in memory. The last slice has its header.
 * @param entries what the index says of it, true or not
 * @param bytesMax of a slice, unless one blob has more
 */
export function slicesOf(entries: readonly PackEntry[], packBytes: number, bytesMax: number): PackSlice[] {
  const slices: PackSlice[] = [];
  let begin = 0;
  let end = 0;
  let within: PackEntry[] = [];
  for (const entry of entries.toSorted((a, b) => a.offset - b.offset)) {
    const next = entry.offset + entry.sizeBytes;
    // Not within a blob that is said to lie across it, nor where nothing of the pack is.
    if (next - begin > bytesMax && entry.offset > begin && entry.offset >= end && next <= packBytes) {
      slices.push({ offset: begin, sizeBytes: entry.offset - begin, entries: within });
      begin = entry.offset;
      within = [];
    }
    within.push(entry);
    end = Math.max(end, next);
  }
  return [...slices, { offset: begin, sizeBytes: packBytes - begin, entries: within }];
}

/** Every blob of a slice. @param stored its bytes: what they are afterwards nobody can use */
export function inspectSlice(key: SealingKey, stored: OwnBytes, { offset, entries }: PackSlice): PackFault[] {
  const faults: PackFault[] = [];
  // Indexes may tell of a blob twice: its bytes are plain by then.
  let last: { readonly at: number; readonly sizeBytes: number; readonly form: OwnBytes | undefined } | undefined;
  for (const entry of entries) {
    const { sizeBytes } = entry;
    const at = entry.offset - offset;
    if (at + sizeBytes > stored.byteLength) {
      faults.push({ problem: 'lies beyond the end of its pack', entry });
      continue;
    }
    if (last?.at !== at || last.sizeBytes !== sizeBytes)
      last = { at, sizeBytes, form: unsealInPlace(key, stored.subarray(at, at + sizeBytes)) };
    const plain = hashed(expanded(last.form, entry), entry);
    if (typeof plain === 'string') faults.push({ problem: plain, entry });
  }
  return faults;
}

/**
 * A pack's header beside what the index says of it.
 * @param tail the last bytes of the pack
 */
export function inspectHeader(key: SealingKey, tail: Uint8Array, packBytes: number, entries: readonly PackEntry[]): PackFault[] {
  let header: readonly PackEntry[];
  try {
    header = decodeHeader(key, tail, packBytes);
  } catch (error) {
    if (error instanceof PackHeaderError) return [{ problem: error.message }];
    throw error;
  }
  return compareEntries(header, entries);
}

/** What a pack's header and its index do not agree on. */
export function compareEntries(header: readonly PackEntry[], entries: readonly PackEntry[]): PackFault[] {
  // As good as always: of thousands of blobs, texts would be megabytes.
  if (header.length === entries.length && header.every((entry, at) => isSame(entry, entries[at]!))) return [];
  const indexed = new Set(entries.map(textOf));
  const held = new Set(header.map(textOf));
  const unknown = header.filter((entry) => !indexed.has(textOf(entry))).length;
  const invented = entries.filter((entry) => !held.has(textOf(entry))).length;
  return [
    ...(unknown > 0 ? [{ problem: `holds ${unknown} blobs that its index does not know` }] : []),
    ...(invented > 0 ? [{ problem: `does not hold ${invented} blobs that its index tells of` }] : []),
  ];
}

function isSame(a: PackEntry, b: PackEntry): boolean {
  return (
    a.id === b.id &&
    a.offset === b.offset &&
    a.sizeBytes === b.sizeBytes &&
    a.plainSizeBytes === b.plainSizeBytes &&
    a.compressed === b.compressed &&
    a.type === b.type
  );
}

function textOf({ type, id, offset, sizeBytes, plainSizeBytes, compressed }: PackEntry): string {
  return `${type} ${id} ${offset} ${sizeBytes} ${plainSizeBytes} ${compressed}`;
}

/**
 * The plain bytes of a blob; or why it can not be had. They lie in the place of what is stored, or where the next blob's may come.
 * @param stored is overwritten
 */
export function unsealBlob(key: SealingKey, stored: OwnBytes, blob: BlobForm & Pick<PackEntry, 'id'>): OwnBytes | string {
  return hashed(unsealUnhashed(key, stored, blob), blob);
}

/** The same for who looks at the hash later: that they were sealed with this key, and how many they are, is known. */
export function unsealUnhashed(key: SealingKey, stored: OwnBytes, blob: BlobForm): OwnBytes | string {
  return expanded(unsealInPlace(key, stored), blob);
}

type BlobForm = Pick<PackEntry, 'plainSizeBytes' | 'compressed'>;

function expanded(form: OwnBytes | undefined, { plainSizeBytes, compressed }: BlobForm): OwnBytes | string {
  if (form === undefined) return 'does not match its checksum';
  let plain = form;
  if (compressed) {
    try {
      plain = decompressForNow(form, plainSizeBytes);
    } catch {
      return 'can not be decompressed';
    }
  }
  return plain.byteLength === plainSizeBytes ? plain : notThatBlob;
}

function hashed(plain: OwnBytes | string, { id }: Pick<PackEntry, 'id'>): OwnBytes | string {
  return typeof plain === 'string' || sha256(plain) === id ? plain : notThatBlob;
}

const notThatBlob = 'is not the blob that it is said to be';

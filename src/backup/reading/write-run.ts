// Opens blobs that lie one behind the other in a pack and writes them to files, on a thread: the plain bytes never leave it.
import { closeSync, constants, fstatSync, ftruncateSync, openSync, writeSync } from 'node:fs';
import { messageOf } from '../../core/errors.ts';
import type { SealingKey } from '../crypto/seal.ts';
import type { OwnBytes } from '../documents/bytes.ts';
import { codeOf, fsPath } from '../files/path.ts';
import type { PackEntry } from '../pack/header.ts';
import { unsealBlob, unsealUnhashed } from '../pack/inspect.ts';

/** A place in a file at which a blob is to be. */
export interface BlobUse {
  readonly path: string;
  readonly position: number;
  /** Of the whole file. */
  readonly fileBytes: number;
  /** The file may not be there yet, and has holes wherever nothing was written. */
  readonly isNew: boolean;
  /** Long runs of zeros may be left out. */
  readonly sparse: boolean;
}

export interface BlobToWrite {
  readonly entry: PackEntry;
  readonly uses: readonly BlobUse[];
}

/** What could not be done. */
export interface RunOutcome {
  /** Numbers of the blobs that are not what they should be: nothing of them was written. */
  readonly damaged: readonly number[];
  readonly failures: readonly WriteFailure[];
}

/** A file that could not be written, and the code of the system's error. */
export interface WriteFailure {
  readonly path: string;
  readonly code: string;
  readonly message: string;
}

/** Shorter runs of zeros are written: a hole must cover blocks of the file system to be one, and many small ones cost more than they spare. */
const holeBytesMin = 64 * 1024;
const zeros = Buffer.alloc(holeBytesMin);
const { O_CREAT, O_NOFOLLOW, O_NONBLOCK, O_RDWR } = constants;

/**
 * @param stored bytes of a pack from `offset` on
 * @param isReadBack what was written will be, and its hashes compared: not before
 */
export function writeRun(
  key: SealingKey,
  stored: OwnBytes,
  offset: number,
  blobs: readonly BlobToWrite[],
  isReadBack: boolean,
): RunOutcome {
  const open = isReadBack ? unsealUnhashed : unsealBlob;
  const damaged: number[] = [];
  const failures = new Map<string, WriteFailure>();
  using files = new OpenFile();
  for (const [number, { entry, uses }] of blobs.entries()) {
    const begin = entry.offset - offset;
    const data = open(key, stored.subarray(begin, begin + entry.sizeBytes), entry);
    if (typeof data === 'string') {
      damaged.push(number);
      continue;
    }
    writeUses(files, data, uses, failures);
  }
  return { damaged, failures: [...failures.values()] };
}

/** Writes one blob to all of its places. Returns what could not be written. */
export function writeBlob(data: Uint8Array, uses: readonly BlobUse[]): readonly WriteFailure[] {
  const failures = new Map<string, WriteFailure>();
  using files = new OpenFile();
  writeUses(files, data, uses, failures);
  return [...failures.values()];
}

function writeUses(files: OpenFile, data: Uint8Array, uses: readonly BlobUse[], failures: Map<string, WriteFailure>): void {
  for (const use of uses) {
    if (failures.has(use.path)) continue;
    try {
      writeUse(files.open(use), data, use);
    } catch (error) {
      failures.set(use.path, { path: use.path, code: codeOf(error), message: messageOf(error) });
    }
  }
}

/** The file that was written to last: the next blob is often its next one. */
class OpenFile implements Disposable {
  #path: string | undefined;
  #fd = -1;

  open({ path, fileBytes, isNew }: BlobUse): number {
    if (this.#path === path) return this.#fd;
    this[Symbol.dispose]();
    const fd = openSync(fsPath(path), O_RDWR | O_NOFOLLOW | O_NONBLOCK | (isNew ? O_CREAT : 0), 0o600);
    this.#path = path;
    this.#fd = fd;
    // Its end may be a hole.
    if (isNew && fstatSync(fd).size < fileBytes) ftruncateSync(fd, fileBytes);
    return fd;
  }

  [Symbol.dispose](): void {
    if (this.#path !== undefined) closeSync(this.#fd);
    this.#path = undefined;
  }
}

function writeUse(fd: number, data: Uint8Array, { position, isNew, sparse }: BlobUse): void {
  if (isNew && sparse) writeSparsely(fd, data, position);
  else writeAll(fd, data, position);
}

/** Writes all but long runs of zeros. */
function writeSparsely(fd: number, data: Uint8Array, position: number): void {
  const bytes = Buffer.from(data.buffer, data.byteOffset, data.length);
  let begin = 0;
  // Blocks as the file has them, whatever the blob's place.
  for (let at = 0; at < bytes.length;) {
    const end = Math.min(bytes.length, at + holeBytesMin - ((position + at) % holeBytesMin));
    const isZero = bytes[at] === 0 && bytes.compare(zeros, 0, end - at, at, end) === 0;
    if (isZero) {
      writeAll(fd, bytes.subarray(begin, at), position + begin);
      begin = end;
    }
    at = end;
  }
  writeAll(fd, bytes.subarray(begin), position + begin);
}

function writeAll(fd: number, data: Uint8Array, position: number): void {
  for (let at = 0; at < data.length;) at += writeSync(fd, data, at, data.length - at, position + at);
}

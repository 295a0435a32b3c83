// Compares what files hold with what they should, on a thread: what is read never leaves it.
import { createHash, hash } from 'node:crypto';
import { closeSync, readSync } from 'node:fs';
import { messageOf } from '../../core/errors.ts';
import type { OwnBytes } from '../documents/bytes.ts';
import { openForReadingNow } from '../files/fs.ts';
import { codeOf } from '../files/path.ts';
import type { BlobId } from '../repository.ts';

/** A blob at its place in a file. */
export interface PieceOfFile {
  readonly id: BlobId;
  readonly position: number;
  readonly sizeBytes: number;
}

export interface FileToCompare {
  readonly path: string;
  readonly pieces: readonly PieceOfFile[];
}

/** A file that could not be read, by its number, and the code of the system's error. */
export interface CompareFailure {
  readonly file: number;
  readonly code: string;
  readonly message: string;
}

export interface PiecesCompared {
  /** A byte for each piece, those of all files one behind the other: 1 when the file holds it, byte for byte. */
  readonly same: OwnBytes;
  readonly failures: readonly CompareFailure[];
}

/** What one call reads: it lies in the processor's cache still when it is hashed. */
const readBytesMax = 512 * 1024;

/** One for all of a thread's work. */
let scratch: Buffer | undefined;

export function comparePieces(files: readonly FileToCompare[]): PiecesCompared {
  const same = new Uint8Array(files.reduce((sum, { pieces }) => sum + pieces.length, 0));
  const failures: CompareFailure[] = [];
  let first = 0;
  for (const [file, { path, pieces }] of files.entries()) {
    try {
      compareFile(path, pieces, same.subarray(first, first + pieces.length));
    } catch (error) {
      failures.push({ file, code: codeOf(error), message: messageOf(error) });
    }
    first += pieces.length;
  }
  return { same, failures };
}

function compareFile(path: string, pieces: readonly PieceOfFile[], same: Uint8Array): void {
  const fd = openForReadingNow(path);
  try {
    for (const [number, piece] of pieces.entries()) same[number] = Number(holds(fd, piece));
  } finally {
    closeSync(fd);
  }
}

function holds(fd: number, { id, position, sizeBytes }: PieceOfFile): boolean {
  const bytes = (scratch ??= Buffer.allocUnsafeSlow(readBytesMax));
  if (sizeBytes <= readBytesMax) return fill(fd, bytes, sizeBytes, position) && hash('sha256', bytes.subarray(0, sizeBytes)) === id;
  const sum = createHash('sha256');
  for (let at = 0; at < sizeBytes; at += readBytesMax) {
    const wanted = Math.min(readBytesMax, sizeBytes - at);
    if (!fill(fd, bytes, wanted, position + at)) return false;
    sum.update(bytes.subarray(0, wanted));
  }
  return sum.digest('hex') === id;
}

/** Whether the file has so many bytes there. */
function fill(fd: number, into: Buffer, sizeBytes: number, position: number): boolean {
  for (let filled = 0; filled < sizeBytes;) {
    const got = readSync(fd, into, filled, sizeBytes - filled, position + filled);
    if (got === 0) return false;
    filled += got;
  }
  return true;
}

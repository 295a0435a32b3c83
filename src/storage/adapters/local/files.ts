import { constants } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';

/** The most that is read or written in one system call, between two looks at the signal. */
const pieceBytesMax = 8 * 1024 * 1024;
/** And the most pieces (writev(2): IOV_MAX is 1024 on Linux). */
const piecesMax = 512;

/** Writes all of it from `position` on, in as few calls as may be. @throws the signal's reason */
export async function writeAll(file: FileHandle, data: readonly Uint8Array[], signal: AbortSignal, position = 0): Promise<void> {
  let at = position;
  let batch: Uint8Array[] = [];
  let batchBytes = 0;
  const flush = async (): Promise<void> => {
    while (batch.length > 0) {
      signal.throwIfAborted();
      const { bytesWritten } = await file.writev(batch, at);
      at += bytesWritten;
      batch = behind(batch, bytesWritten);
    }
    batchBytes = 0;
  };
  for (const part of data) {
    for (let offset = 0; offset < part.byteLength; offset += pieceBytesMax) {
      const piece = part.subarray(offset, offset + pieceBytesMax);
      if (batchBytes + piece.byteLength > pieceBytesMax || batch.length === piecesMax) await flush();
      batch.push(piece);
      batchBytes += piece.byteLength;
    }
  }
  await flush();
}

/** What of the pieces comes after so many bytes. */
function behind(pieces: readonly Uint8Array[], bytes: number): Uint8Array[] {
  let rest = bytes;
  const left: Uint8Array[] = [];
  for (const piece of pieces) {
    if (rest < piece.byteLength) left.push(piece.subarray(rest));
    rest = Math.max(0, rest - piece.byteLength);
  }
  return left;
}

/** So many bytes from `offset` on; fewer where the file ends before. @throws the signal's reason */
export async function readPart(file: FileHandle, offset: number, sizeBytes: number, signal: AbortSignal): Promise<Uint8Array> {
  const bytes = new Uint8Array(Buffer.allocUnsafeSlow(sizeBytes).buffer);
  let have = 0;
  while (have < sizeBytes) {
    signal.throwIfAborted();
    const { bytesRead } = await file.read(bytes, have, Math.min(pieceBytesMax, sizeBytes - have), offset + have);
    if (bytesRead === 0) return bytes.subarray(0, have);
    have += bytesRead;
  }
  return bytes;
}

/** For reading, no link followed; what is no file does not make the caller wait. */
export async function openForReading(path: string): Promise<FileHandle> {
  return await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
}

/** Makes what was created, renamed or removed in a directory survive a crash. */
export async function flushDirectory(path: string): Promise<void> {
  await using directory = await openToFlush(path);
  await directory.sync();
}

/** To be flushed. */
export async function openToFlush(path: string): Promise<FileHandle> {
  return await open(path, constants.O_RDONLY | constants.O_DIRECTORY);
}

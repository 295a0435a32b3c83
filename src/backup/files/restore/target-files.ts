import { createHash } from 'node:crypto';
import * as fs from 'node:fs';
import { promisify } from 'node:util';
import { close, look, openWith, readAt, writeAt } from '../fs.ts';
import { codeOf, fsPath } from '../path.ts';

const truncate = promisify(fs.ftruncate);
const unlink = promisify(fs.unlink);
const { O_CREAT, O_EXCL, O_NOFOLLOW, O_NONBLOCK, O_RDWR } = fs.constants;

/** Shorter runs of zeros are written: a hole must cover blocks of the file system to be one, and many small ones cost more than they spare. */
const holeBytesMin = 64 * 1024;
const zeros = Buffer.alloc(holeBytesMin);

/**
 * Opens a file of the target for writing at its final size. One that is there is kept where it is a plain file of its own; a link, or a file
 * with further names elsewhere, is replaced: nothing outside is written through it.
 */
export async function openTargetFile(path: string, sizeBytes: number): Promise<{ readonly fd: number; readonly isNew: boolean }> {
  const before = await look(path).catch((error: unknown) => {
    if (codeOf(error) !== 'ENOENT') throw error;
    return undefined;
  });
  const keeps = before?.isFile() === true && before.nlink === 1n;
  if (before !== undefined && !keeps) await unlink(fsPath(path));
  const fd = await openWith(path, O_RDWR | O_NOFOLLOW | O_NONBLOCK | (keeps ? 0 : O_CREAT | O_EXCL), 0o600);
  try {
    if (!keeps || before.size !== BigInt(sizeBytes)) await truncate(fd, sizeBytes);
    return { fd, isNew: !keeps };
  } catch (error) {
    await close(fd);
    throw error;
  }
}

/** For writing blobs into a file that `openTargetFile` has made. */
export function reopenTargetFile(path: string): Promise<number> {
  return openWith(path, O_RDWR | O_NOFOLLOW | O_NONBLOCK, 0);
}

/** Writes all but long runs of zeros, which a file that was just made has already. */
export async function writeSparsely(fd: number, data: Uint8Array, position: number): Promise<number> {
  let written = 0;
  let begin = -1;
  const flush = async (end: number): Promise<void> => {
    if (begin === -1) return;
    await writeAt(fd, data.subarray(begin, end), position + begin);
    written += end - begin;
    begin = -1;
  };
  const bytes = Buffer.from(data.buffer, data.byteOffset, data.length);
  // Blocks as the file has them, whatever the blob's place.
  let at = 0;
  while (at < bytes.length) {
    const end = Math.min(bytes.length, at + holeBytesMin - ((position + at) % holeBytesMin));
    const isZero = bytes[at] === 0 && bytes.compare(zeros, 0, end - at, at, end) === 0;
    if (isZero) await flush(at);
    else if (begin === -1) begin = at;
    at = end;
  }
  await flush(bytes.length);
  return written;
}

/** Whether the file has exactly this blob there already. */
export async function holdsBlob(fd: number, id: string, position: number, scratch: Buffer, sizeBytes: number): Promise<boolean> {
  let filled = 0;
  while (filled < sizeBytes) {
    const got = await readAt(fd, scratch, filled, sizeBytes - filled, position + filled);
    if (got === 0) return false;
    filled += got;
  }
  return createHash('sha256').update(scratch.subarray(0, sizeBytes)).digest('hex') === id;
}

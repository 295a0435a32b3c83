import { hash } from 'node:crypto';
import * as fs from 'node:fs';
import { promisify } from 'node:util';
import { close, look, openWith, readAt } from '../fs.ts';
import { codeOf, fsPath } from '../path.ts';

const truncate = promisify(fs.ftruncate);
const unlink = promisify(fs.unlink);
const { O_CREAT, O_EXCL, O_NOFOLLOW, O_NONBLOCK, O_RDWR } = fs.constants;

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

/** Whether the file has exactly this blob there already. */
export async function holdsBlob(fd: number, id: string, position: number, scratch: Buffer, sizeBytes: number): Promise<boolean> {
  let filled = 0;
  while (filled < sizeBytes) {
    const got = await readAt(fd, scratch, filled, sizeBytes - filled, position + filled);
    if (got === 0) return false;
    filled += got;
  }
  return hash('sha256', scratch.subarray(0, sizeBytes), 'hex') === id;
}

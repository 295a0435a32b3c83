import * as fs from 'node:fs';
import { promisify } from 'node:util';
import type { PieceOfFile } from '../../reading/compare-pieces.ts';
import type { BlobId } from '../../repository.ts';
import { close, look, openWith } from '../fs.ts';
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

/** The blobs of a file, one behind the other. */
export function piecesOf(content: readonly BlobId[], sizeOf: (id: BlobId) => number): PieceOfFile[] {
  let end = 0;
  return content.map((id) => {
    const position = end;
    const sizeBytes = sizeOf(id);
    end += sizeBytes;
    return { id, position, sizeBytes };
  });
}

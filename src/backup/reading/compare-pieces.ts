// Compares what a file holds with what it should, on a thread: what is read never leaves it.
import { hash } from 'node:crypto';
import { closeSync, readSync } from 'node:fs';
import { openForReadingNow } from '../files/fs.ts';
import type { BlobId } from '../repository.ts';

/** A blob at its place in a file. */
export interface PieceOfFile {
  readonly id: BlobId;
  readonly position: number;
  readonly sizeBytes: number;
}

/** Which of the pieces the file holds, byte for byte. @throws what the system says of the file */
export function comparePieces(path: string, pieces: readonly PieceOfFile[]): boolean[] {
  const fd = openForReadingNow(path);
  try {
    const scratch = Buffer.allocUnsafe(pieces.reduce((max, { sizeBytes }) => Math.max(max, sizeBytes), 1));
    return pieces.map(({ id, position, sizeBytes }) => {
      let filled = 0;
      while (filled < sizeBytes) {
        const got = readSync(fd, scratch, filled, sizeBytes - filled, position + filled);
        if (got === 0) return false;
        filled += got;
      }
      return hash('sha256', scratch.subarray(0, sizeBytes), 'hex') === id;
    });
  } finally {
    closeSync(fd);
  }
}

import type { CallOptions } from '../../storage/index.ts';
import { inParallel } from '../workers/in-parallel.ts';
import type { WorkerPool } from '../workers/pool.ts';
import type { FileToCompare } from './compare-pieces.ts';

/** What was found of a file. */
export interface FileCompared {
  /** A byte for each of its pieces: 1 when the file holds it, byte for byte. */
  readonly same: Uint8Array;
  /** Why it could not be read. */
  failure: { readonly code: string; readonly message: string } | undefined;
}

export interface CompareOptions extends CallOptions {
  /** Told on the way: so many bytes more are as they should be. */
  readonly onSame?: (sizeBytes: number) => void;
}

/** What a thread compares in one go: parts of large files, many small ones. */
const lotBytesMax = 8 * 1024 * 1024;
const lotPiecesMax = 1024;
/** More than threads, so that none waits for its next one. */
const lotsAtOnceMax = 8;

/** Pieces of a file from `first` on. */
interface Part extends FileToCompare {
  readonly file: number;
  readonly first: number;
}

/** Compares files with what they should hold, by all threads, whatever the files' sizes. */
export async function compareFiles(
  pool: WorkerPool,
  files: readonly FileToCompare[],
  { signal, onSame }: CompareOptions,
): Promise<FileCompared[]> {
  const results = files.map(({ pieces }): FileCompared => ({ same: new Uint8Array(pieces.length), failure: undefined }));
  await inParallel(lotsOf(files), lotsAtOnceMax, async ({ parts, sizeBytes }) => {
    signal.throwIfAborted();
    const wanted = parts.map(({ path, pieces }) => ({ path, pieces }));
    const { same, failures } = await pool.run('compare', { files: wanted }, sizeBytes);
    let at = 0;
    let sameBytes = 0;
    for (const { file, first, pieces } of parts) {
      results[file]!.same.set(same.subarray(at, at + pieces.length), first);
      for (const piece of pieces) sameBytes += piece.sizeBytes * same[at++]!;
    }
    for (const { file, code, message } of failures) results[parts[file]!.file]!.failure = { code, message };
    onSame?.(sameBytes);
  });
  return results;
}

interface Lot {
  readonly parts: Part[];
  pieces: number;
  sizeBytes: number;
}

function* lotsOf(files: readonly FileToCompare[]): Generator<Lot> {
  let lot: Lot = { parts: [], pieces: 0, sizeBytes: 0 };
  for (const [file, { path, pieces }] of files.entries()) {
    let first = 0;
    const take = (end: number): void => {
      if (end > first) lot.parts.push({ file, first, path, pieces: pieces.slice(first, end) });
      first = end;
    };
    for (const [number, { sizeBytes }] of pieces.entries()) {
      if (lot.pieces > 0 && (lot.pieces === lotPiecesMax || lot.sizeBytes + sizeBytes > lotBytesMax)) {
        take(number);
        yield lot;
        lot = { parts: [], pieces: 0, sizeBytes: 0 };
      }
      lot.pieces += 1;
      lot.sizeBytes += sizeBytes;
    }
    take(pieces.length);
  }
  if (lot.pieces > 0) yield lot;
}

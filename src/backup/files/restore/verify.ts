import type { Repository } from '../../repository.ts';
import type { PieceOfFile } from '../../reading/compare-pieces.ts';
import type { RestoreIssues } from './issues.ts';
import type { PresentFile } from './present.ts';

/** A file, some of whose pieces can not be restored once that is known. */
interface WrittenFile extends PresentFile {
  readonly failed: boolean;
}

export interface WrongPiece<File> {
  readonly file: File;
  readonly piece: PieceOfFile;
}

export interface VerifyOptions<File> {
  readonly repository: Repository;
  readonly targetOf: (path: string) => string;
  readonly issues: RestoreIssues;
  /** Writes a piece anew that was read back wrong; returns whether it may be right now. */
  readonly mend: (wrong: WrongPiece<File>) => Promise<boolean>;
  readonly signal: AbortSignal;
}

/**
 * Reads back what was written to files, or was trusted, and compares each blob's hash, and their sizes. Pieces that were read and compared in
 * their places just now are not read again. Returns how many files are as they should be; the others are told.
 */
export async function verifyContents<File extends WrittenFile>(files: readonly File[], options: VerifyOptions<File>): Promise<number> {
  const { repository, targetOf, issues, signal } = options;
  const written = files.filter(({ failed }) => !failed);
  const wanted = written.map(({ planned, pieces, held }) => ({
    path: targetOf(planned.path),
    pieces: held === undefined ? pieces : pieces.filter((_, number) => held[number] !== 1),
  }));
  const found = await repository.compareFiles(wanted, { signal });
  const looks = await repository.lookAtFiles(
    wanted.map(({ path }) => path),
    { signal },
  );
  let good = 0;
  for (const [number, file] of written.entries()) {
    const { path } = file.planned;
    const { same, failure } = found[number]!;
    const size = looks[number]?.sizeBytes;
    const isDamaged = (message: string): void => issues.add({ path, kind: 'damaged', message });
    if (failure !== undefined) {
      issues.addFailure(path, failure);
      continue;
    }
    const suspects = wanted[number]!.pieces.filter((_, at) => same[at] !== 1);
    const wrong = await firstWrong(file, suspects, options);
    // What could not be written again has been told.
    if (file.failed) continue;
    if (wrong !== undefined) isDamaged(differs(wrong));
    else if (size !== file.sizeBytes) isDamaged(`read back, it has ${size ?? 'no'} bytes instead of ${file.sizeBytes}`);
    else good += 1;
  }
  return good;
}

/** Undefined when all could be mended. */
async function firstWrong<File extends WrittenFile>(
  file: File,
  suspects: readonly PieceOfFile[],
  { repository, targetOf, mend, signal }: VerifyOptions<File>,
): Promise<PieceOfFile | undefined> {
  for (const piece of suspects) {
    if (!(await mend({ file, piece }))) return piece;
    const [found] = await repository.compareFiles([{ path: targetOf(file.planned.path), pieces: [piece] }], { signal });
    if (found!.same[0] !== 1) return piece;
  }
  return undefined;
}

function differs({ sizeBytes, position }: PieceOfFile): string {
  return `read back, it differs within ${sizeBytes} bytes from byte ${position} on`;
}

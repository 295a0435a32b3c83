import type { Repository } from '../../repository.ts';
import type { PieceOfFile } from '../../reading/compare-pieces.ts';
import type { RestoreIssues } from './issues.ts';
import type { PresentFile } from './present.ts';

export interface VerifyOptions {
  readonly repository: Repository;
  readonly targetOf: (path: string) => string;
  readonly issues: RestoreIssues;
  readonly signal: AbortSignal;
}

/**
 * Reads back what was written to files, or was trusted, and compares each blob's hash, and their sizes. Pieces that were read and compared in
 * their places just now are not read again. Returns how many files are as they should be; the others are told.
 */
export async function verifyContents(
  files: readonly PresentFile[],
  { repository, targetOf, issues, signal }: VerifyOptions,
): Promise<number> {
  const wanted = files.map(({ planned, pieces, held }) => ({
    path: targetOf(planned.path),
    pieces: held === undefined ? pieces : pieces.filter((_, number) => held[number] !== 1),
  }));
  const found = await repository.compareFiles(wanted, { signal });
  const looks = await repository.lookAtFiles(
    wanted.map(({ path }) => path),
    { signal },
  );
  let good = 0;
  for (const [number, { planned, sizeBytes }] of files.entries()) {
    const { same, failure } = found[number]!;
    const wrong = wanted[number]!.pieces[same.indexOf(0)];
    const size = looks[number]?.sizeBytes;
    const isDamaged = (message: string): void => issues.add({ path: planned.path, kind: 'damaged', message });
    if (failure !== undefined) issues.addFailure(planned.path, failure);
    else if (wrong !== undefined) isDamaged(differs(wrong));
    else if (size !== sizeBytes) isDamaged(`read back, it has ${size ?? 'no'} bytes instead of ${sizeBytes}`);
    else good += 1;
  }
  return good;
}

function differs({ sizeBytes, position }: PieceOfFile): string {
  return `read back, it differs within ${sizeBytes} bytes from byte ${position} on`;
}

import type { Repository } from '../../repository.ts';
import { look } from '../fs.ts';
import { mapAtOnce } from '../../gate.ts';
import type { RestoreIssues } from './issues.ts';
import type { PlannedFile } from './survey.ts';
import { piecesOf } from './target-files.ts';

export interface VerifyOptions {
  readonly repository: Repository;
  readonly targetOf: (path: string) => string;
  readonly issues: RestoreIssues;
  readonly signal: AbortSignal;
}

const filesAtOnceMax = 8;

/** Reads restored files back and compares each blob's hash. Returns how many are as they should be; the others are told. */
export async function verifyContents(files: readonly PlannedFile[], options: VerifyOptions): Promise<number> {
  let good = 0;
  await mapAtOnce(files, filesAtOnceMax, async (file) => {
    try {
      const problem = await compare(file, options);
      if (problem === undefined) good += 1;
      else options.issues.add({ path: file.path, kind: 'damaged', message: problem });
    } catch (error) {
      options.signal.throwIfAborted();
      options.issues.addError(file.path, error);
    }
  });
  return good;
}

async function compare(file: PlannedFile, { repository, targetOf, signal }: VerifyOptions): Promise<string | undefined> {
  const path = targetOf(file.path);
  const pieces = piecesOf(file.content, (id) => repository.find('data', id)?.plainSizeBytes ?? 0);
  const same = await repository.holdsBlobs(path, pieces, { signal });
  const wrong = pieces[same.indexOf(false)];
  if (wrong !== undefined) return `read back, it differs within ${wrong.sizeBytes} bytes from byte ${wrong.position} on`;
  const { size } = await look(path);
  const wanted = pieces.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  return size === BigInt(wanted) ? undefined : `read back, it has ${size} bytes instead of ${wanted}`;
}

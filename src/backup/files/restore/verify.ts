import type { Repository } from '../../repository.ts';
import { close, lookAt, openForReading } from '../fs.ts';
import { mapAtOnce } from '../../gate.ts';
import type { RestoreIssues } from './issues.ts';
import type { PlannedFile } from './survey.ts';
import { holdsBlob } from './target-files.ts';

export interface VerifyOptions {
  readonly repository: Repository;
  readonly targetOf: (path: string) => string;
  readonly issues: RestoreIssues;
  readonly signal: AbortSignal;
}

const filesAtOnceMax = 4;

/** Reads restored files back and compares each blob's hash. Returns how many are as they should be; the others are told. */
export async function verifyContents(files: readonly PlannedFile[], options: VerifyOptions): Promise<number> {
  let good = 0;
  await mapAtOnce(files, filesAtOnceMax, async (file) => {
    try {
      const problem = await compare(file, options);
      if (problem === undefined) good += 1;
      else options.issues.add({ path: file.path, kind: 'damaged', message: problem });
    } catch (error) {
      options.issues.addError(file.path, error);
    }
  });
  return good;
}

async function compare(file: PlannedFile, { repository, targetOf, signal }: VerifyOptions): Promise<string | undefined> {
  const fd = await openForReading(targetOf(file.path));
  try {
    const sizes = file.content.map((id) => repository.find('data', id)?.plainSizeBytes ?? 0);
    const scratch = Buffer.allocUnsafe(sizes.reduce((max, size) => Math.max(max, size), 1));
    let position = 0;
    for (const [index, id] of file.content.entries()) {
      signal.throwIfAborted();
      const size = sizes[index] as number;
      if (!(await holdsBlob(fd, id, position, scratch, size))) return `read back, it differs within ${size} bytes from byte ${position} on`;
      position += size;
    }
    const { size } = await lookAt(fd);
    return size === BigInt(position) ? undefined : `read back, it has ${size} bytes instead of ${position}`;
  } finally {
    await close(fd);
  }
}

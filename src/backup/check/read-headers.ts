import { hasCode, messageOf } from '../../core/errors.ts';
import type { CallOptions } from '../../storage/index.ts';
import type { RepositoryFiles } from '../documents/files.ts';
import { PackHeaderError } from '../pack/header.ts';
import { compareEntries } from '../pack/inspect.ts';
import { readHeader } from '../pack/read-header.ts';
import { inParallel } from '../workers/in-parallel.ts';
import type { Damages } from './report.ts';
import type { Verdicts } from './verdicts.ts';

/** Headers that are read at once. */
const readsMax = 8;

/**
 * Compares what each pack says of itself with what the index says of it.
 * @param sizes of packs by ordinal, as they are; -1: not there
 */
export async function checkHeaders(
  files: RepositoryFiles,
  { table }: Verdicts,
  damages: Damages,
  sizes: Float64Array,
  { signal }: CallOptions,
): Promise<void> {
  await inParallel(table.packs(), readsMax, async ({ packId, entries }) => {
    const sizeBytes = sizes[table.packOrdinalOf(packId)]!;
    if (sizeBytes < 0) return;
    try {
      const header = await readHeader(files, { id: packId, sizeBytes }, { signal });
      for (const { problem } of compareEntries(header, entries)) damages.add('pack', packId, problem);
    } catch (error) {
      if (!(error instanceof PackHeaderError) && !hasCode(error, 'STORAGE_DAMAGED') && !hasCode(error, 'STORAGE_NOT_FOUND')) throw error;
      damages.add('pack', packId, messageOf(error));
    }
  });
}

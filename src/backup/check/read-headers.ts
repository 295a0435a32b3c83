import { hasCode, messageOf } from '../../core/errors.ts';
import type { CallOptions } from '../../storage/index.ts';
import type { RepositoryFiles } from '../documents/files.ts';
import { PackHeaderError } from '../pack/header.ts';
import { compareEntries } from '../pack/inspect.ts';
import { readHeader } from '../pack/read-header.ts';
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
  const packs = table.packs();
  const reader = async (): Promise<void> => {
    for (let next = packs.next(); !next.done; next = packs.next()) {
      const { packId, entries } = next.value;
      const sizeBytes = sizes[table.packOrdinalOf(packId)]!;
      if (sizeBytes < 0) continue;
      try {
        const header = await readHeader(files, { id: packId, sizeBytes }, { signal });
        for (const { problem } of compareEntries(header, entries)) damages.add('pack', packId, problem);
      } catch (error) {
        if (!(error instanceof PackHeaderError) && !hasCode(error, 'STORAGE_DAMAGED') && !hasCode(error, 'STORAGE_NOT_FOUND')) throw error;
        damages.add('pack', packId, messageOf(error));
      }
    }
  };
  await Promise.all(Array.from({ length: readsMax }, reader));
}

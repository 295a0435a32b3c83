import type { RestoredBase } from '../../core/data-copies.ts';
import { HoldfastError } from '../../core/errors.ts';
import { restoreFiles, type RestoreOptions } from '../files/restore/restore.ts';
import type { Repository, Snapshot } from '../repository.ts';

export interface RestoreBaseOptions extends Pick<RestoreOptions, 'onProgress' | 'signal'> {
  readonly directory: string;
  /** The directory may hold something: only what differs is written, what the snapshot does not have is removed. */
  readonly overwrite: boolean;
}

/**
 * Restores a base backup, reads it back, and leaves it as recovery wants it.
 * @throws BACKUP_RESTORE_INCOMPLETE, and what `restoreFiles` throws
 */
export async function restoreBase(repository: Repository, snapshot: Snapshot, options: RestoreBaseOptions): Promise<RestoredBase> {
  const { directory, overwrite, onProgress, signal } = options;
  const restored = await restoreFiles(repository, snapshot, {
    target: directory,
    overwrite,
    removeOthers: overwrite,
    verify: true,
    ...(onProgress && { onProgress }),
    signal,
  });
  if (restored.issueCount > 0) throw incomplete(restored.issueCount, restored.issues[0]?.message ?? '');
  return {
    files: restored.files,
    writtenBytes: restored.writtenBytes,
    keptBytes: restored.keptBytes,
    verifiedFiles: restored.verifiedFiles ?? 0,
  };
}

function incomplete(count: number, first: string): HoldfastError {
  return new HoldfastError('BACKUP_RESTORE_INCOMPLETE', `${count} files could not be restored: ${first}`, {
    hint: 'What was restored stays; the same command goes on. `holdfast check --read-data` tells whether the copies are damaged.',
  });
}

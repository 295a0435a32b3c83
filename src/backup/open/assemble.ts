// What a repository needs once its key is known: loaded while that is derived, which keeps another core busy.
import type { CallOptions } from '../../storage/index.ts';
import { MasterIndex } from '../index/master-index.ts';
import { type PoolOptions, WorkerPool } from '../workers/pool.ts';
import { OpenedRepository, type RepositoryParts } from './opened-repository.ts';

export function createPool(options: PoolOptions): WorkerPool {
  return new WorkerPool(undefined, options);
}

/** Loads the index. @throws BACKUP_DAMAGED */
export async function assemble(
  parts: Omit<RepositoryParts, 'index'>,
  { skipsDamagedIndexes, signal }: CallOptions & { readonly skipsDamagedIndexes: boolean },
): Promise<OpenedRepository> {
  const { files, pool } = parts;
  pool.unlock(files.key);
  const index = new MasterIndex(files, pool, skipsDamagedIndexes);
  await index.refresh({ signal });
  return new OpenedRepository({ ...parts, index });
}

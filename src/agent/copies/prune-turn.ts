import { prune, type Repository } from '../../backup/index.ts';
import type { KeeperParts } from './term.ts';

/** A prune reads all directories of all snapshots, and nobody can write meanwhile. */
const pruneEveryMs = 24 * 3_600_000;
/** One prune copies no more than this into new packs; the next one goes on. */
const repackBytesMax = 4 * 1024 * 1024 * 1024;

/** Frees what was forgotten, once a day. */
export class PruneTurn {
  readonly #parts: Pick<KeeperParts, 'record' | 'runtime'>;
  #prunedMs = -Infinity;
  /** Whether something may have been forgotten since: by whom and when is not known at first. */
  #mayFree = true;

  constructor(parts: Pick<KeeperParts, 'record' | 'runtime'>) {
    this.#parts = parts;
  }

  /** Something was forgotten. */
  note(): void {
    this.#mayFree = true;
  }

  get isDue(): boolean {
    return this.#mayFree && this.#parts.runtime.clock.monotonicMs() - this.#prunedMs >= pruneEveryMs;
  }

  /** @throws BACKUP_LOCKED, BACKUP_WRITER_ACTIVE, BACKUP_INDEX_INCOMPLETE, STORAGE_… */
  async take(repository: Repository, signal: AbortSignal): Promise<void> {
    const { record, runtime } = this.#parts;
    const beganMs = runtime.clock.monotonicMs();
    const { freedBytes, usedBytes, remainingUnusedBytes } = await prune(repository, { limits: { maxRepackBytes: repackBytesMax }, signal });
    this.#prunedMs = runtime.clock.monotonicMs();
    this.#mayFree = false;
    record('backup.pruned', { freedBytes, usedBytes, unusedBytes: remainingUnusedBytes, tookMs: Math.round(this.#prunedMs - beganMs) });
  }
}

import { hasCode, messageOf } from '../../core/errors.ts';
import type { CallOptions } from '../../storage/index.ts';
import type { BlobId, Repository, Snapshot } from '../repository.ts';
import type { TreeNode } from '../tree/node.ts';
import { decodeTree } from '../tree/tree.ts';
import type { Damages } from './report.ts';
import type { Verdicts } from './verdicts.ts';

/** Trees that are read at once. */
const readsMax = 8;

interface WalkParts {
  readonly repository: Repository;
  readonly verdicts: Verdicts;
  readonly damages: Damages;
}

/**
 * Reads every directory that the snapshots need, each once, and marks every blob that they name.
 * Resolves with the number of directories, and whether something that is needed can not be had.
 */
export async function walkTrees(
  { repository, verdicts, damages }: WalkParts,
  snapshots: readonly Snapshot[],
  { signal }: CallOptions,
): Promise<{ readonly trees: number; readonly isWhole: boolean }> {
  // Last in, first out: as many wait as the deepest path has siblings.
  const waiting: BlobId[] = [];
  let trees = 0;
  let isWhole = true;

  function need(tree: BlobId): boolean {
    const isNew = verdicts.markUsed('tree', tree);
    if (!verdicts.isLost('tree', tree)) return isNew;
    noteLost('tree', tree);
    return false;
  }
  function noteLost(type: 'data' | 'tree', id: BlobId): void {
    isWhole = false;
    if (!verdicts.table.has(type, id)) damages.add('blob', id, `is a ${type} blob that no index names`);
  }
  function visit(node: TreeNode): void {
    for (const id of node.content ?? []) {
      verdicts.markUsed('data', id);
      if (verdicts.isLost('data', id)) noteLost('data', id);
    }
    if (node.subtree !== undefined && need(node.subtree)) waiting.push(node.subtree);
  }
  async function read(tree: BlobId): Promise<void> {
    trees += 1;
    try {
      for (const node of decodeTree(await repository.loadBlob('tree', tree, { signal }), `tree ${tree}`)) visit(node);
    } catch (error) {
      if (!hasCode(error, 'BACKUP_DAMAGED') && !hasCode(error, 'BACKUP_BLOB_MISSING')) throw error;
      isWhole = false;
      for (const ordinal of verdicts.table.ordinalsOf('tree', tree)) {
        verdicts.markBad(ordinal);
        damages.add('pack', verdicts.table.place(ordinal).packId, messageOf(error));
      }
    }
  }

  for (const { tree } of snapshots) if (need(tree)) waiting.push(tree);
  const reading = new Set<Promise<void>>();
  while (waiting.length > 0 || reading.size > 0) {
    while (waiting.length > 0 && reading.size < readsMax) {
      const one = read(waiting.pop()!).finally(() => reading.delete(one));
      reading.add(one);
    }
    await Promise.race(reading);
  }
  return { trees, isWhole };
}

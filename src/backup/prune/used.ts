import { loadTree } from '../browse/walk.ts';
import { settle } from '../gate.ts';
import { BlobTable } from '../index/blob-table.ts';
import type { BlobId, BlobType, Repository } from '../repository.ts';

/** A set of blobs, each with a number from 0 to `size` - 1. */
export interface BlobSet {
  readonly size: number;
  has(type: BlobType, id: BlobId): boolean;
  /** -1 when it is not in it. */
  ordinalOf(type: BlobType, id: BlobId): number;
  /** The blob of a number. */
  at(ordinal: number): { readonly type: BlobType; readonly id: BlobId };
}

/** Below 60 bytes for each blob: a table of the index in which nothing has a place. */
export function createBlobSet(): BlobSet & { add(type: BlobType, id: BlobId): void } {
  const table = new BlobTable();
  const nowhere = { offset: 0, sizeBytes: 32, plainSizeBytes: 0, compressed: false };
  const noPack = '0'.repeat(64);
  return {
    get size() {
      return table.size;
    },
    has: (type, id) => table.has(type, id),
    ordinalOf: (type, id) => table.ordinalOf(type, id),
    at: (ordinal) => table.at(ordinal),
    add: (type, id) => table.add(noPack, { type, id, ...nowhere }),
  };
}

const treesAtOnceMax = 8;

/**
 * All blobs that snapshots need: their trees, and the contents of the files in them. Each tree is read once.
 * @throws BACKUP_BLOB_MISSING, BACKUP_DAMAGED: what a tree that can not be read needs is unknown
 */
export async function collectUsed(
  repository: Repository,
  trees: Iterable<BlobId>,
  { signal }: { readonly signal: AbortSignal },
): Promise<BlobSet> {
  const used = createBlobSet();
  const left: BlobId[] = [];
  const want = (tree: BlobId): void => {
    if (used.has('tree', tree)) return;
    used.add('tree', tree);
    left.push(tree);
  };
  for (const tree of trees) want(tree);
  let running = 0;
  const wake: (() => void)[] = [];
  let failed = false;
  const worker = async (): Promise<void> => {
    for (;;) {
      const tree = failed ? undefined : left.pop();
      if (tree === undefined) {
        if (running === 0 || failed) break;
        await new Promise<void>((resolve) => wake.push(resolve));
        continue;
      }
      running += 1;
      try {
        for (const node of await loadTree(repository, tree, signal)) {
          if (node.subtree !== undefined) want(node.subtree);
          for (const id of node.content ?? []) if (!used.has('data', id)) used.add('data', id);
        }
      } catch (error) {
        failed = true;
        throw error;
      } finally {
        running -= 1;
        for (const resolve of wake.splice(0)) resolve();
      }
    }
  };
  await settle(Array.from({ length: treesAtOnceMax }, worker));
  return used;
}

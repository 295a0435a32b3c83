import { HoldfastError } from '../../core/errors.ts';
import { partsOf } from '../patterns/pattern.ts';
import type { BlobId, Repository } from '../repository.ts';
import type { TreeNode } from '../tree/node.ts';
import { decodeTree } from '../tree/tree.ts';

/** One directory of a snapshot. */
export interface WalkedDirectory {
  /** `enter` before anything in it, `leave` after everything in it. */
  readonly phase: 'enter' | 'leave';
  /** Absolute within the snapshot: `/` is its root. */
  readonly path: string;
  /** Its own entry in the directory above; the root has none. */
  readonly node: TreeNode | undefined;
  readonly nodes: readonly TreeNode[];
}

export interface WalkOptions {
  /** Whether a directory is gone into; asked after the one above was entered. Default: each. */
  readonly into?: (path: string, node: TreeNode) => boolean;
  readonly signal: AbortSignal;
}

/** Deeper than any path can be; a tree that contains itself can not be made, its id being its hash. */
const depthMax = 4096;
/** Trees of directories that come next, loaded ahead: places far away answer late. */
const aheadMax = 8;

/** Goes through all directories below a tree, depth first, in the order of names. @throws BACKUP_BLOB_MISSING, BACKUP_DAMAGED */
export async function* walkTree(
  repository: Repository,
  tree: BlobId,
  options: WalkOptions,
  root = '/',
): AsyncGenerator<WalkedDirectory, void, undefined> {
  yield* walk(repository, await loadTree(repository, tree, options.signal), root, undefined, options, 0);
}

async function* walk(
  repository: Repository,
  nodes: readonly TreeNode[],
  path: string,
  node: TreeNode | undefined,
  options: WalkOptions,
  depth: number,
): AsyncGenerator<WalkedDirectory, void, undefined> {
  if (depth > depthMax) throw new HoldfastError('BACKUP_DAMAGED', `${path.slice(0, 200)}… lies deeper than ${depthMax} directories`);
  yield { phase: 'enter', path, node, nodes };
  const into = nodes.filter(
    (one) => one.subtree !== undefined && one.type === 'dir' && (options.into?.(joinTreePath(path, one.name), one) ?? true),
  );
  const loads: Promise<TreeNode[]>[] = [];
  for (const [index, child] of into.entries()) {
    for (let next = loads.length; next < Math.min(index + aheadMax, into.length); next += 1) {
      const load = loadTree(repository, into[next]?.subtree as BlobId, options.signal);
      load.catch(() => undefined);
      loads.push(load);
    }
    const below = await (loads[index] as Promise<TreeNode[]>);
    loads[index] = Promise.resolve([]);
    yield* walk(repository, below, joinTreePath(path, child.name), child, options, depth + 1);
  }
  yield { phase: 'leave', path, node, nodes };
}

/** @throws BACKUP_BLOB_MISSING, BACKUP_DAMAGED */
export async function loadTree(repository: Repository, id: BlobId, signal: AbortSignal): Promise<TreeNode[]> {
  return decodeTree(await repository.loadBlob('tree', id, { signal }), `tree ${id}`);
}

export function joinTreePath(directory: string, name: string): string {
  return directory === '/' ? `/${name}` : `${directory}/${name}`;
}

/**
 * The entry at a path of a snapshot; undefined for its root. @throws BACKUP_PATH_UNKNOWN (how far it goes)
 */
export async function findNode(repository: Repository, tree: BlobId, path: string, signal: AbortSignal): Promise<TreeNode | undefined> {
  let node: TreeNode | undefined;
  let at = '/';
  for (const name of partsOf(path)) {
    const subtree = node === undefined ? tree : node.subtree;
    if (subtree === undefined) {
      throw new HoldfastError('BACKUP_PATH_UNKNOWN', `${at} is no directory in the snapshot`, { hint: `list what there is: holdfast ls` });
    }
    node = (await loadTree(repository, subtree, signal)).find((one) => one.name === name);
    if (node === undefined) {
      throw new HoldfastError('BACKUP_PATH_UNKNOWN', `the snapshot has no "${name}" in ${at}`, { hint: `list what there is: holdfast ls` });
    }
    at = joinTreePath(at, name);
  }
  return node;
}

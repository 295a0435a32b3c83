import type { Repository, Snapshot } from '../repository.ts';
import type { TreeNode } from '../tree/node.ts';
import { findNode, joinTreePath, walkTree } from './walk.ts';

export interface ListedNode {
  readonly path: string;
  readonly node: TreeNode;
}

export interface ListOptions {
  /** A directory or file of the snapshot; all of it when absent. */
  readonly path?: string;
  /** Everything below; without, only what is in the directory itself. Default true. */
  readonly recursive?: boolean;
  readonly signal: AbortSignal;
}

/** What a snapshot holds, directories before what is in them. @throws BACKUP_PATH_UNKNOWN */
export async function* listSnapshot(
  repository: Repository,
  snapshot: Snapshot,
  options: ListOptions,
): AsyncGenerator<ListedNode, void, undefined> {
  const { path = '/', recursive = true, signal } = options;
  const begin = await findNode(repository, snapshot.tree, path, signal);
  const absolute = `/${path.split('/').filter(Boolean).join('/')}`;
  if (begin !== undefined && begin.subtree === undefined) {
    yield { path: absolute, node: begin };
    return;
  }
  const tree = begin?.subtree ?? snapshot.tree;
  for await (const { phase, path: directory, nodes } of walkTree(repository, tree, { signal, into: () => recursive }, absolute)) {
    if (phase === 'leave') continue;
    for (const node of nodes) yield { path: joinTreePath(directory, node.name), node };
  }
}

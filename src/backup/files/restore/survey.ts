import { joinTreePath, walkTree } from '../../browse/walk.ts';
import type { BlobId, Repository } from '../../repository.ts';
import type { TreeNode } from '../../tree/node.ts';
import { soundNodes } from '../../tree/sound-nodes.ts';
import type { RestoreIssues } from './issues.ts';
import type { RestoreSelection } from './select.ts';

/** A file whose content is to be made: one for each group of hard links. */
export interface PlannedFile {
  /** Within the snapshot. */
  readonly path: string;
  readonly content: readonly BlobId[];
  readonly sizeBytes: number;
  readonly mtime: string;
}

/** What is to be made, known before anything is written. */
export interface Survey {
  /** Directories in which something is restored, or which are restored themselves, each before those in it; without the root. */
  readonly directories: ReadonlySet<string>;
  readonly files: readonly PlannedFile[];
  /** Files that are further names of a planned one, by their paths: the path of that one. */
  readonly hardLinks: ReadonlyMap<string, string>;
}

export function linkKey(node: TreeNode): string | undefined {
  return node.type === 'file' && (node.links ?? 1) > 1 ? `${node.deviceId ?? 0n}:${node.inode ?? 0n}` : undefined;
}

export async function survey(
  repository: Repository,
  tree: BlobId,
  select: RestoreSelection,
  issues: RestoreIssues,
  signal: AbortSignal,
): Promise<Survey> {
  const directories = new Set<string>();
  const files: PlannedFile[] = [];
  const hardLinks = new Map<string, string>();
  const firstOf = new Map<string, string>();
  const need = (directory: string): void => {
    for (let at = directory; at !== '/' && !directories.has(at); at = at.slice(0, at.lastIndexOf('/')) || '/') directories.add(at);
  };
  const sound = new WeakSet<TreeNode>();
  const into = (path: string, node: TreeNode): boolean => sound.has(node) && select(path).below;
  for await (const { phase, path: directory, nodes } of walkTree(repository, tree, { into, signal })) {
    if (phase === 'leave') continue;
    for (const node of soundNodes(nodes, (message) => issues.add({ path: directory, kind: 'hostile', message }))) {
      sound.add(node);
      const path = joinTreePath(directory, node.name);
      if (!select(path).selected) continue;
      need(node.type === 'dir' ? path : directory);
      if (node.type !== 'file') continue;
      const key = linkKey(node);
      const first = key === undefined ? undefined : firstOf.get(key);
      if (first !== undefined) hardLinks.set(path, first);
      else {
        files.push({ path, content: node.content ?? [], sizeBytes: node.size ?? 0, mtime: node.mtime });
        if (key !== undefined) firstOf.set(key, path);
      }
    }
  }
  return { directories: new Set([...directories].toSorted((a, b) => a.split('/').length - b.split('/').length)), files, hardLinks };
}

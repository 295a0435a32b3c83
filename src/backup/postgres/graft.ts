import { timeFromMs } from '../tree/time.ts';
import { compareNames } from '../tree/name.ts';
import type { TreeNode } from '../tree/node.ts';
import { decodeTree, encodeTree } from '../tree/tree.ts';
import type { BlobId, Repository, RepositoryWriter } from '../repository.ts';

export interface GraftedFile {
  /** Below the tree's root, with `/` between names. */
  readonly path: string;
  readonly bytes: Uint8Array;
}

interface Graft {
  readonly repository: Repository;
  readonly writer: RepositoryWriter;
  readonly timeMs: number;
  readonly signal: AbortSignal;
}

/** Whom grafted files belong to, and with which mode: that of the directory's owner, for nobody else. */
const fileMode = 0o600;

/**
 * A tree with files put into it that were not read from a disk; what stood at their paths makes way. Their directories must be there.
 * @returns the id of the tree that has them
 */
export async function graftFiles(
  tree: BlobId,
  files: readonly GraftedFile[],
  owner: Pick<TreeNode, 'uid' | 'gid'>,
  graft: Graft,
): Promise<BlobId> {
  if (files.length === 0) return tree;
  const nodes = new Map(decodeTree(await load(tree, graft), `tree ${tree}`).map((node) => [node.name, node]));
  const below = new Map<string, GraftedFile[]>();
  for (const file of files) {
    const [name = '', ...rest] = file.path.split('/');
    if (rest.length > 0) below.set(name, [...(below.get(name) ?? []), { ...file, path: rest.join('/') }]);
    else nodes.set(name, await fileNode(name, file.bytes, owner, graft));
  }
  for (const [name, inside] of below) {
    const directory = nodes.get(name);
    if (directory?.subtree === undefined) throw new RangeError(`the tree has no directory ${name}`);
    nodes.set(name, { ...directory, subtree: await graftFiles(directory.subtree, inside, owner, graft) });
  }
  const sorted = [...nodes.values()].toSorted((a, b) => compareNames(a.name, b.name));
  return (await graft.writer.saveBlob('tree', encodeTree(sorted))).id;
}

/** Blobs that are being saved can not be loaded yet. */
async function load(tree: BlobId, { repository, writer, signal }: Graft): Promise<Uint8Array> {
  await writer.flush();
  return await repository.loadBlob('tree', tree, { signal });
}

async function fileNode(name: string, bytes: Uint8Array, owner: Pick<TreeNode, 'uid' | 'gid'>, graft: Graft): Promise<TreeNode> {
  const time = timeFromMs(graft.timeMs);
  const content = bytes.byteLength === 0 ? [] : [(await graft.writer.saveBlob('data', bytes)).id];
  return { name, type: 'file', mode: fileMode, mtime: time, atime: time, ctime: time, ...owner, size: bytes.byteLength, links: 1, content };
}

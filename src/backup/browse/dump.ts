import { HoldfastError } from '../../core/errors.ts';
import type { BlobId, Repository, Snapshot } from '../repository.ts';
import type { TreeNode } from '../tree/node.ts';
import { soundNodes } from '../tree/sound-nodes.ts';
import { fitsTar, tarEnd, tarHeader, tarPadding } from './tar.ts';
import { findNode, joinTreePath, walkTree } from './walk.ts';

export interface DumpOptions {
  /** A file of the snapshot: its content; a directory: what is in it, as a tar archive. */
  readonly path: string;
  readonly signal: AbortSignal;
}

/** Blobs that are loaded ahead of the one that is written. */
const blobsAheadMax = 4;

/**
 * What is at a path of a snapshot, as a stream of bytes.
 * @throws BACKUP_PATH_UNKNOWN, BACKUP_NOT_DUMPABLE (a link, a device), BACKUP_BLOB_MISSING, BACKUP_DAMAGED; the latter also at the end of an archive
 *   from which names that lead elsewhere were left out
 */
export async function* dumpSnapshot(
  repository: Repository,
  snapshot: Snapshot,
  { path, signal }: DumpOptions,
): AsyncGenerator<Uint8Array, void, undefined> {
  const node = await findNode(repository, snapshot.tree, path, signal);
  if (node === undefined || node.type === 'dir') yield* dumpTree(repository, node?.subtree ?? snapshot.tree, signal);
  else if (node.type === 'file') yield* dumpContent(repository, node.content ?? [], signal);
  else {
    throw new HoldfastError('BACKUP_NOT_DUMPABLE', `${path} is a ${node.type}, which has no content`, {
      hint: 'dump a file or a directory; restore it instead',
    });
  }
}

async function* dumpContent(
  repository: Repository,
  content: readonly BlobId[],
  signal: AbortSignal,
): AsyncGenerator<Uint8Array, void, undefined> {
  const loads: Promise<Uint8Array>[] = [];
  for (const index of content.keys()) {
    for (let next = loads.length; next < Math.min(content.length, index + blobsAheadMax); next += 1) {
      const load = repository.loadBlob('data', content[next] as BlobId, { signal });
      load.catch(() => undefined);
      loads.push(load);
    }
    yield await (loads[index] as Promise<Uint8Array>);
    loads[index] = Promise.resolve(new Uint8Array());
  }
}

async function* dumpTree(repository: Repository, tree: BlobId, signal: AbortSignal): AsyncGenerator<Uint8Array, void, undefined> {
  const linked = new Map<string, string>();
  const sound = new WeakSet<TreeNode>();
  let problem: string | undefined;
  for await (const { phase, path: directory, node: own, nodes } of walkTree(repository, tree, {
    into: (_, node) => sound.has(node),
    signal,
  })) {
    if (phase === 'leave') continue;
    // Right before what is in it: tar sets its times when the next member lies elsewhere.
    if (own !== undefined) yield tarHeader(directory.slice(1), own, 0);
    for (const node of soundNodes(nodes, (message) => (problem ??= `${directory}: ${message}`))) {
      sound.add(node);
      if (fitsTar(node) && node.type !== 'dir')
        yield* dumpMember(repository, joinTreePath(directory, node.name).slice(1), node, linked, signal);
    }
  }
  yield tarEnd;
  if (problem !== undefined)
    throw new HoldfastError('BACKUP_DAMAGED', `not all of the snapshot is in the archive: ${problem}`, {
      hint: 'No system makes such names: somebody wants something written elsewhere. The archive has all else.',
    });
}

async function* dumpMember(
  repository: Repository,
  path: string,
  node: TreeNode,
  linked: Map<string, string>,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array, void, undefined> {
  const key = `${node.deviceId ?? 0n}:${node.inode ?? 0n}`;
  const hasNames = node.type === 'file' && (node.links ?? 1) > 1;
  const first = hasNames ? linked.get(key) : undefined;
  if (hasNames && first === undefined) linked.set(key, path);
  const size = (node.content ?? []).reduce((sum, id) => sum + (repository.find('data', id)?.plainSizeBytes ?? 0), 0);
  yield tarHeader(path, node, size, first);
  if (node.type !== 'file' || first !== undefined) return;
  let written = 0;
  for await (const data of dumpContent(repository, node.content ?? [], signal)) {
    written += data.length;
    yield data;
  }
  if (written !== size)
    throw new HoldfastError('BACKUP_BLOB_MISSING', `a part of ${path} was in no index when its length was told`, { retryable: true });
  yield tarPadding(size);
}

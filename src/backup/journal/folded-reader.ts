import { HoldfastError } from '../../core/errors.ts';
import type { Repository } from '../repository.ts';
import type { TreeNode } from '../tree/node.ts';
import { loadTree } from '../browse/walk.ts';
import { mapAtOnce } from '../gate.ts';
import type { FoldedWal } from './folded.ts';

/** Directories that are kept: recovery goes through one after the other. */
const treesMax = 2;
const blobsReadAtOnceMax = 4;

/** Reads segments that were folded into snapshots. */
export class FoldedReader {
  readonly #repository: Repository;
  readonly #trees = new Map<string, Promise<ReadonlyMap<string, TreeNode>>>();

  constructor(repository: Repository) {
    this.#repository = repository;
  }

  /** @throws BACKUP_DAMAGED, BACKUP_BLOB_MISSING */
  async file(from: FoldedWal, name: string, signal: AbortSignal): Promise<Uint8Array> {
    const { content = [] } = await this.#node(from, name, signal);
    return Buffer.concat(await mapAtOnce(content, blobsReadAtOnceMax, (id) => this.#repository.loadBlob('data', id, { signal })));
  }

  /** When the server sent the last of it. */
  async sentMs(from: FoldedWal, name: string, signal: AbortSignal): Promise<number> {
    return Date.parse((await this.#node(from, name, signal)).mtime);
  }

  async #node(from: FoldedWal, name: string, signal: AbortSignal): Promise<TreeNode> {
    const node = (await this.#nodes(from, signal)).get(name);
    if (node !== undefined) return node;
    throw new HoldfastError('BACKUP_DAMAGED', `snapshot ${from.snapshot.id} has no ${name}, which its tags claim`);
  }

  #nodes({ snapshot }: FoldedWal, signal: AbortSignal): Promise<ReadonlyMap<string, TreeNode>> {
    const known = this.#trees.get(snapshot.tree);
    if (known !== undefined) return known;
    const nodes = loadTree(this.#repository, snapshot.tree, signal).then((all) => new Map(all.map((node) => [node.name, node])));
    this.#trees.set(snapshot.tree, nodes);
    nodes.catch(() => this.#trees.delete(snapshot.tree));
    for (const [oldest] of this.#trees) {
      if (this.#trees.size <= treesMax) break;
      this.#trees.delete(oldest);
    }
    return nodes;
  }
}

import type { CallOptions } from '../../storage/index.ts';
import type { BlobId, BlobType, FileId, Repository, Snapshot } from '../repository.ts';
import type { TreeNode } from '../tree/node.ts';
import { decodeTree } from '../tree/tree.ts';
import type { Damages } from './report.ts';
import type { Verdicts } from './verdicts.ts';

interface LossParts {
  readonly repository: Repository;
  readonly verdicts: Verdicts;
  readonly damages: Damages;
}

/** Tells what each damage costs: goes through the snapshots once more, leaving out directories that are known to be whole. */
export async function noteLosses(
  { repository, verdicts, damages }: LossParts,
  snapshots: readonly Snapshot[],
  { signal }: CallOptions,
): Promise<void> {
  const whole = new Set<BlobId>();

  /** Notes who is to blame for a blob that can not be had. False when it can. */
  function isLost(type: BlobType, id: BlobId, snapshot: FileId, path: string): boolean {
    if (!verdicts.isLost(type, id)) return false;
    damages.addLoss('blob', id, snapshot, path);
    const packs = new Set(Array.from(verdicts.table.ordinalsOf(type, id), (ordinal) => verdicts.table.place(ordinal).packId));
    for (const pack of packs) damages.addLoss('pack', pack, snapshot, path);
    return true;
  }
  /** Whether a directory and all below it can be restored. */
  async function visit(tree: BlobId, snapshot: FileId, path: string): Promise<boolean> {
    if (whole.has(tree)) return true;
    if (isLost('tree', tree, snapshot, path === '' ? '/' : path)) return false;
    let isWhole = true;
    for (const node of decodeTree(await repository.loadBlob('tree', tree, { signal }), `tree ${tree}`))
      if (!(await visitNode(node, snapshot, `${path}/${node.name}`))) isWhole = false;
    if (isWhole) whole.add(tree);
    return isWhole;
  }
  async function visitNode({ content, subtree }: TreeNode, snapshot: FileId, path: string): Promise<boolean> {
    const isReadable = !(content ?? []).some((id) => isLost('data', id, snapshot, path));
    return isReadable && (subtree === undefined || (await visit(subtree, snapshot, path)));
  }

  for (const { id, tree } of snapshots) await visit(tree, id, '');
}

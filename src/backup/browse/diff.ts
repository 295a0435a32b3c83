import type { BlobId, Repository } from '../repository.ts';
import { compareNames } from '../tree/name.ts';
import type { TreeNode } from '../tree/node.ts';
import { timeToNs } from '../tree/time.ts';
import { joinTreePath, loadTree } from './walk.ts';

/** One path that differs. `content`, `type`, `metadata` say in what; a change of type says nothing of the others. */
export interface Difference {
  readonly path: string;
  readonly change: 'added' | 'removed' | 'content' | 'type' | 'metadata';
  readonly before: TreeNode | undefined;
  readonly after: TreeNode | undefined;
}

export interface DiffOptions {
  /** Whether a difference of metadata alone is told. */
  readonly withMetadata?: boolean;
  readonly signal: AbortSignal;
}

/**
 * How the second tree differs from the first, in the order of names. Directories that are the same in both are not loaded: it costs as much as
 * differs.
 */
export async function* diffTrees(
  repository: Repository,
  before: BlobId,
  after: BlobId,
  options: DiffOptions,
): AsyncGenerator<Difference, void, undefined> {
  yield* diff(repository, before, after, '/', options);
}

async function* diff(
  repository: Repository,
  before: BlobId | undefined,
  after: BlobId | undefined,
  directory: string,
  options: DiffOptions,
): AsyncGenerator<Difference, void, undefined> {
  if (before === after) return;
  const load = (id: BlobId | undefined): Promise<TreeNode[]> =>
    id === undefined ? Promise.resolve([]) : loadTree(repository, id, options.signal);
  const [left, right] = await Promise.all([load(before), load(after)]);
  for (const [one, other] of paired(left, right)) {
    const path = joinTreePath(directory, (one ?? other)?.name ?? '');
    const change = changeOf(one, other, options.withMetadata === true);
    if (change !== undefined) yield { path, change, before: one, after: other };
    yield* diff(repository, one?.subtree, other?.subtree, path, options);
  }
}

function* paired(left: readonly TreeNode[], right: readonly TreeNode[]): Generator<[TreeNode | undefined, TreeNode | undefined]> {
  for (let a = 0, b = 0; a < left.length || b < right.length;) {
    const one = left[a];
    const other = right[b];
    const order = one === undefined ? 1 : other === undefined ? -1 : compareNames(one.name, other.name);
    yield [order <= 0 ? one : undefined, order >= 0 ? other : undefined];
    if (order <= 0) a += 1;
    if (order >= 0) b += 1;
  }
}

function changeOf(before: TreeNode | undefined, after: TreeNode | undefined, withMetadata: boolean): Difference['change'] | undefined {
  if (before === undefined) return 'added';
  if (after === undefined) return 'removed';
  if (before.type !== after.type) return 'type';
  if (!sameList(before.content ?? [], after.content ?? []) || before.linkTarget !== after.linkTarget) return 'content';
  return withMetadata && !sameMetadata(before, after) ? 'metadata' : undefined;
}

function sameMetadata(before: TreeNode, after: TreeNode): boolean {
  const attributes = (node: TreeNode): string[] =>
    (node.extendedAttributes ?? []).map(({ name, value }) => `${name}=${Buffer.from(value).toString('hex')}`).toSorted();
  return (
    before.mode === after.mode &&
    before.uid === after.uid &&
    before.gid === after.gid &&
    before.device === after.device &&
    timeToNs(before.mtime) === timeToNs(after.mtime) &&
    sameList(attributes(before), attributes(after))
  );
}

function sameList(one: readonly string[], other: readonly string[]): boolean {
  return one.length === other.length && one.every((value, index) => value === other[index]);
}

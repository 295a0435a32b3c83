import { createHash } from 'node:crypto';
import { HoldfastError } from '../../../core/errors.ts';
import { findNode } from '../../browse/walk.ts';
import { fileChunkSizes } from '../../chunk/fast-cdc.ts';
import type { FileLook } from '../../reading/look-at-files.ts';
import type { BlobId, Repository, Snapshot } from '../../repository.ts';
import type { RestoreIssues } from './issues.ts';
import type { RestoreSelection } from './select.ts';
import { survey, type Survey } from './survey.ts';
import { assertSpace, prepareTarget } from './target.ts';

export interface PlanOptions {
  readonly target: string;
  readonly from: string;
  readonly select: RestoreSelection;
  readonly issues: RestoreIssues;
  readonly mayHold: boolean;
  readonly sparse: boolean;
  readonly signal: AbortSignal;
}

export interface RestorePlan extends Survey {
  readonly tree: BlobId;
  readonly targetPath: string;
  readonly targetIsEmpty: boolean;
  /** Where a path of the snapshot lies in the target. */
  readonly targetOf: (path: string) => string;
}

/** What is to be done, and that it can be: the target is made, and nothing in it. @throws what `restoreFiles` throws before it writes */
export async function planRestore(repository: Repository, snapshot: Snapshot, options: PlanOptions): Promise<RestorePlan> {
  const { select, issues, sparse, signal } = options;
  const tree = await treeOf(repository, snapshot, options.from, signal);
  const { path: targetPath, isEmpty: targetIsEmpty } = await prepareTarget(options.target, snapshot.id, options.mayHold);
  const targetOf = (path: string): string => (targetPath === '/' ? path : targetPath + path);
  const found = await survey(repository, tree, select, issues, signal);
  const paths = targetIsEmpty ? [] : found.files.map(({ path }) => targetOf(path));
  const looks = await repository.lookAtFiles(paths, { signal });
  const needs = (holes: ReadonlySet<BlobId>): number => neededBytes(repository, found, looks, holes);
  await assertSpace(targetPath, needs(new Set()), () => (sparse ? needs(zeroBlobs()) : Infinity));
  return { ...found, tree, targetPath, targetIsEmpty, targetOf };
}

async function treeOf(repository: Repository, snapshot: Snapshot, from: string, signal: AbortSignal): Promise<BlobId> {
  const node = await findNode(repository, snapshot.tree, from, signal);
  if (node === undefined) return snapshot.tree;
  if (node.subtree === undefined) {
    throw new HoldfastError('BACKUP_PATH_UNKNOWN', `${from} is no directory in the snapshot`, {
      hint: 'restore one file with --include, or print it with holdfast dump',
    });
  }
  return node.subtree;
}

/** At most so much is added to the target's disk: holes and what is there already are free. */
function neededBytes(
  repository: Repository,
  { files }: Survey,
  looks: readonly (FileLook | undefined)[],
  holes: ReadonlySet<BlobId>,
): number {
  let needed = 0;
  for (const [number, { content }] of files.entries()) {
    let bytes = 0;
    for (const id of content) if (!holes.has(id)) bytes += repository.find('data', id)?.plainSizeBytes ?? 0;
    needed += Math.max(0, bytes - (looks[number]?.allocatedBytes ?? 0));
  }
  return needed;
}

/** What long runs of zeros become: our chunker cuts them at its maximum, restic's at its minimum. */
function zeroBlobs(): ReadonlySet<BlobId> {
  return new Set(
    [fileChunkSizes.maxBytes, fileChunkSizes.minBytes].map((size) => createHash('sha256').update(Buffer.alloc(size)).digest('hex')),
  );
}

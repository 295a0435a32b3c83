import { createHash } from 'node:crypto';
import { HoldfastError } from '../../../core/errors.ts';
import { findNode } from '../../browse/walk.ts';
import { fileChunkSizes } from '../../chunk/fast-cdc.ts';
import type { BlobId, Repository, Snapshot } from '../../repository.ts';
import { openSystemCalls } from '../system.ts';
import { restoreContents, type ContentProgress } from './contents.ts';
import { finish } from './finish.ts';
import { Flusher } from './flusher.ts';
import { createRestoreIssues, type RestoreIssue } from './issues.ts';
import { createRestoreSelection, type RestoreFilter } from './select.ts';
import { survey, type Survey } from './survey.ts';
import { assertSpace, makeDirectory, markUnfinished, prepareTarget, unmark } from './target.ts';

export interface RestoreOptions {
  /** A directory; made when it is absent. */
  readonly target: string;
  /** A directory of the snapshot whose content becomes the target's; all of it when absent. */
  readonly from?: string;
  readonly filter?: RestoreFilter;
  /**
   * Whether the target may hold something: what differs is overwritten, what is the same is left as it is, block for block. Without, a target
   * that is not empty is refused, but for one in which a restore of the same snapshot was interrupted.
   */
  readonly overwrite?: boolean;
  /** Removes what the snapshot's directories do not have. */
  readonly removeOthers?: boolean;
  /** Takes files of the same size and time of change for unchanged without reading them. */
  readonly trustTimes?: boolean;
  /** Leaves holes where there are zeros. Default true. */
  readonly sparse?: boolean;
  /** Reads back what was written, and compares hashes; what was left as it is has been compared before. */
  readonly verify?: boolean;
  /** Ends when all of it is on the disk: survives a power cut then. Default true; needs perl. */
  readonly durable?: boolean;
  readonly onProgress?: (progress: RestoreProgress) => void;
  readonly onIssue?: (issue: RestoreIssue) => void;
  readonly signal: AbortSignal;
}

export interface RestoreProgress extends Readonly<ContentProgress> {
  readonly totalBytes: number;
}

export interface RestoreResult extends RestoreProgress {
  readonly files: number;
  readonly directories: number;
  /** Links, devices and FIFOs. */
  readonly specials: number;
  readonly removed: number;
  /** Files that were read back as they should be; undefined when none were. */
  readonly verifiedFiles: number | undefined;
  readonly issues: readonly RestoreIssue[];
  readonly issueCount: number;
}

/**
 * Restores a snapshot's files into a directory, and never writes outside of it, whatever its trees say; as long as nobody else changes the
 * target meanwhile. Cut off anywhere, the same call again goes on where it was. What can not be restored is told, and the rest is.
 * @throws BACKUP_TARGET_NOT_EMPTY, BACKUP_TARGET_UNUSABLE, BACKUP_NO_SPACE, BACKUP_PATH_UNKNOWN before anything is written; ENOSPC
 */
export async function restoreFiles(repository: Repository, snapshot: Snapshot, options: RestoreOptions): Promise<RestoreResult> {
  const { signal } = options;
  const select = createRestoreSelection(options.filter ?? {});
  const issues = createRestoreIssues(options.onIssue);
  await using lock = await repository.lock({ signal });
  void lock;
  const tree = await treeOf(repository, snapshot, options.from ?? '/', signal);
  const target = await prepareTarget(options.target, snapshot.id, options.overwrite === true);
  const targetOf = (path: string): string => (target.path === '/' ? path : target.path + path);
  const sparse = options.sparse ?? true;
  const plan = await survey(repository, tree, select, issues, signal);
  await assertSpace(target.path, await neededBytes(repository, plan, target.isEmpty ? undefined : targetOf, { sparse, signal }));

  await using system = await openSystemCalls();
  const flusher = (options.durable ?? true) && system !== undefined ? new Flusher(system, target.path, issues) : undefined;
  await markUnfinished(target.path, snapshot.id);
  for (const directory of plan.directories) await makeDirectory(targetOf(directory));
  const progress: ContentProgress = { writtenBytes: 0, keptBytes: 0, loadedBlobs: 0 };
  const totalBytes = plan.files.reduce((sum, file) => sum + file.sizeBytes, 0);
  const content = {
    repository,
    targetOf,
    issues,
    signal,
    progress,
    sparse,
    verify: options.verify ?? false,
    isNew: target.isEmpty,
    trustTimes: options.trustTimes ?? false,
    onProgress: () => {
      flusher?.wrote(progress.writtenBytes);
      options.onProgress?.({ ...progress, totalBytes });
    },
  };
  const { whole, verifiedFiles } = await restoreContents(plan.files, content);

  const finished = await finish({
    repository,
    tree,
    targetOf,
    survey: plan,
    whole,
    select,
    system,
    withOwners: process.geteuid?.() === 0,
    isNew: target.isEmpty,
    removeOthers: options.removeOthers ?? false,
    issues,
    signal,
  });
  await flusher?.end();
  await unmark(target.path);
  return {
    ...progress,
    ...finished,
    totalBytes,
    files: whole.size + plan.hardLinks.size,
    directories: plan.directories.size,
    verifiedFiles,
    issues: issues.told,
    issueCount: issues.count,
  };
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
async function neededBytes(
  repository: Repository,
  plan: Survey,
  targetOf: ((path: string) => string) | undefined,
  { sparse, signal }: { readonly sparse: boolean; readonly signal: AbortSignal },
): Promise<number> {
  const holes = sparse ? zeroBlobs() : new Set<BlobId>();
  const paths = targetOf === undefined ? [] : plan.files.map(({ path }) => targetOf(path));
  const looks = await repository.lookAtFiles(paths, { signal });
  let needed = 0;
  for (const [number, { content }] of plan.files.entries()) {
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

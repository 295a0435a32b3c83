import { linked } from '../../../core/deadline.ts';
import type { HeldLock, Repository, Snapshot } from '../../repository.ts';
import { lateSystemCalls } from '../system.ts';
import { restoreContents, type ContentProgress } from './contents.ts';
import { finish } from './finish.ts';
import { Flusher } from './flusher.ts';
import { createRestoreIssues, type RestoreIssue } from './issues.ts';
import { assertRoom, planRestore, type MeasureOptions } from './plan.ts';
import { createRestoreSelection, type RestoreFilter } from './select.ts';
import { makeDirectory, makeTarget, markUnfinished, unmark } from './target.ts';

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
  /** How long to wait for whoever has the repository for himself. Default: a minute */
  readonly lockWaitMs?: number;
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

/** Retention and prune keep others out for seconds: a restore, also of a member that is made of copies, waits so long. */
const lockWaitMsDefault = 60_000;

/**
 * Restores a snapshot's files into a directory, and never writes outside of it, whatever its trees say; as long as nobody else changes the
 * target meanwhile. Cut off anywhere, the same call again goes on where it was. What can not be restored is told, and the rest is.
 * @throws BACKUP_TARGET_NOT_EMPTY, BACKUP_TARGET_UNUSABLE, BACKUP_NO_SPACE, BACKUP_PATH_UNKNOWN, BACKUP_LOCKED before anything is written; ENOSPC
 */
export async function restoreFiles(repository: Repository, snapshot: Snapshot, options: RestoreOptions): Promise<RestoreResult> {
  const { trustTimes = false, signal } = options;
  const order = orderOf(options);
  const { select, issues, sparse } = order;
  const progress: ContentProgress = { writtenBytes: 0, keptBytes: 0, loadedBlobs: 0 };
  let totalBytes = 0;
  const onProgress = (): void => options.onProgress?.({ ...progress, totalBytes });
  const onSurvey = (bytes: number): void => void (totalBytes = bytes);
  const onSame = (bytes: number): void => {
    progress.keptBytes += bytes;
    onProgress();
  };
  await using late = lateSystemCalls();
  const opening = late.get();
  const { lock, value: plan } = await whileLocking(
    repository.lock({ waitMs: options.lockWaitMs ?? lockWaitMsDefault, signal }),
    signal,
    (until) => planRestore(repository, snapshot, { ...order, trustTimes, onSurvey, onSame, signal: until }),
  );
  await using held = lock;
  void held;
  const { tree, target, targetOf } = plan;
  const [targetPath, isNew] = [target.path, target.isEmpty];

  await makeTarget(target);
  const system = await opening;
  const flusher = (options.durable ?? true) && system !== undefined ? new Flusher(system, targetPath, issues) : undefined;
  await markUnfinished(targetPath, snapshot.id);
  for (const directory of plan.directories) await makeDirectory(targetOf(directory));
  const content = {
    repository,
    targetOf,
    issues,
    signal,
    progress,
    sparse,
    verify: options.verify ?? false,
    isNew,
    trustTimes,
    onSame,
    onProgress: () => {
      flusher?.wrote(progress.writtenBytes);
      onProgress();
    },
    onWritten: () => flusher?.pause(progress.writtenBytes),
  };
  const { whole, verifiedFiles } = await restoreContents(plan.files, plan.first, content);

  const finished = await finish({
    repository,
    tree,
    targetOf,
    survey: plan,
    whole,
    select,
    system,
    withOwners: process.geteuid?.() === 0,
    isNew,
    removeOthers: options.removeOthers ?? false,
    issues,
    signal,
  });
  await flusher?.end();
  await unmark(targetPath);
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

/**
 * Whether restores can be begun one after the other: what would be refused of a later one is refused before the first. Nothing is changed.
 * @throws what `restoreFiles` throws before anything is written
 */
export async function assertRestorable(repository: Repository, snapshot: Snapshot, orders: readonly RestoreOptions[]): Promise<void> {
  await assertRoom(repository, snapshot, orders.map(orderOf));
}

function orderOf({ from = '/', sparse = true, target, filter = {}, overwrite = false, onIssue, signal }: RestoreOptions): MeasureOptions {
  const [select, issues] = [createRestoreSelection(filter), createRestoreIssues(onIssue)];
  return { target, from, select, issues, mayHold: overwrite, sparse, signal };
}

/**
 * Plans while the lock settles, which takes a while in which nothing else would be done. Without a lock nothing counts that was read: what
 * was missing may have been removed by who holds it; and planning ends.
 */
async function whileLocking<Value>(
  locking: Promise<HeldLock>,
  signal: AbortSignal,
  plan: (signal: AbortSignal) => Promise<Value>,
): Promise<{ lock: HeldLock; value: Value }> {
  using end = linked(signal);
  locking.catch((error: Error) => end.abort(error));
  const [lock, planned] = await Promise.allSettled([locking, plan(end.signal)]);
  if (lock.status === 'rejected') throw lock.reason;
  if (planned.status === 'fulfilled') return { lock: lock.value, value: planned.value };
  await lock.value[Symbol.asyncDispose]();
  throw planned.reason;
}

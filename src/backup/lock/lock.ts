import { deadline, linked } from '../../core/deadline.ts';
import { hasCode, HoldfastError, messageOf } from '../../core/errors.ts';
import type { Runtime } from '../../core/runtime.ts';
import type { CallOptions } from '../../storage/index.ts';
import { listFiles, loadDocument, prepareDocument, removeFile, type RepositoryFiles, storeDocument } from '../documents/files.ts';
import { objectKey } from '../documents/ids.ts';
import type { Owner } from '../machine/owner.ts';
import { loadAhead } from '../load-ahead.ts';
import type { FileId, HeldLock, StoredFile } from '../repository.ts';
import { decodeLock, describeLock, encodeLock, isStale, type RepositoryLock, staleAfterMs } from './lock-document.ts';

const refreshEveryMs = 5 * 60 * 1000;
/** After a refresh that failed. */
const refreshAgainMs = 30 * 1000;
/** The lock counts as lost before others take it for stale, by so much that clocks may differ and calls may last. */
const lostAfterMs = staleAfterMs - 1.5 * refreshEveryMs;
/** A lock that another one wrote at the same time is seen after this. */
const settleMs = 200;
/** While waiting for others: the pause doubles from the first to the last. */
const firstRetryMs = 1000;
const lastRetryMs = 30_000;
/** For each call that refreshes or removes a lock. */
const callMsMax = 60_000;

interface LockContext {
  readonly files: RepositoryFiles;
  readonly runtime: Runtime;
  readonly owner: Owner;
}

interface LockRequest extends CallOptions {
  readonly exclusive: boolean;
  /** How long to wait for others to be gone. */
  readonly waitMs: number;
}

/** Takes a lock; locks that are stale are removed on the way. @throws BACKUP_LOCKED */
export async function acquireLock(context: LockContext, { exclusive, waitMs, signal }: LockRequest): Promise<Lock> {
  const { clock } = context.runtime;
  const untilMs = clock.monotonicMs() + waitMs;
  for (let pauseMs = firstRetryMs; ; pauseMs = Math.min(pauseMs * 2, lastRetryMs)) {
    try {
      return await tryLock(context, exclusive, signal);
    } catch (error) {
      const leftMs = untilMs - clock.monotonicMs();
      if (!hasCode(error, 'BACKUP_LOCKED') || leftMs <= 0) throw error;
      await clock.sleep(Math.min(pauseMs, leftMs), signal);
    }
  }
}

async function tryLock(context: LockContext, exclusive: boolean, signal: AbortSignal): Promise<Lock> {
  await refuseConflicts(context, exclusive, undefined, signal);
  const lock = new Lock(context, exclusive);
  try {
    await lock.create(signal);
    await context.runtime.clock.sleep(settleMs, signal);
    await refuseConflicts(context, exclusive, lock.id, signal);
  } catch (error) {
    await lock[Symbol.asyncDispose]();
    throw error;
  }
  lock.keep();
  return lock;
}

/**
 * Looks for somebody else's lock that excludes ours. The first time, ours is not there yet, and stale ones are passed over; the second time
 * ours tells what time it is by the store's clock, and those that are stale by that as well are removed.
 * @throws BACKUP_LOCKED
 */
async function refuseConflicts(context: LockContext, exclusive: boolean, own: FileId | undefined, signal: AbortSignal): Promise<void> {
  const locks = await Array.fromAsync(readLocks(context.files, { signal }));
  const wallMs = context.runtime.clock.wallMs();
  const storeMs = locks.find(({ id }) => id === own)?.storedMs;
  for (const lock of locks) {
    if (lock.id === own) continue;
    if ('problem' in lock) throw locked(`a lock that can not be read lies in the repository: ${lock.problem}`);
    if (isStale(lock, context.owner, { wallMs, storeMs })) {
      if (own !== undefined) await removeFile(context.files, 'lock', lock.id, { signal });
    } else if (exclusive || lock.exclusive) throw locked(`the repository is locked ${describeLock(lock)}`);
  }
}

function locked(message: string): HoldfastError {
  return new HoldfastError('BACKUP_LOCKED', message, {
    retryable: true,
    hint: 'Wait until it is done. If its holder is gone for good, `unlock` removes what it left.',
  });
}

/** A lock that can not be read, and why. */
interface UnreadableLock {
  readonly id: FileId;
  readonly problem: string;
  readonly storedMs?: number;
}

export async function* readLocks(files: RepositoryFiles, options: CallOptions): AsyncGenerator<RepositoryLock | UnreadableLock> {
  const load = (file: StoredFile): Promise<RepositoryLock | UnreadableLock | undefined> => readLock(files, file, options);
  for await (const lock of loadAhead(listFiles(files.location, 'lock', options), load)) if (lock !== undefined) yield lock;
}

/** Undefined for one that is gone. */
async function readLock(
  files: RepositoryFiles,
  { id, sizeBytes, modifiedMs }: StoredFile,
  options: CallOptions,
): Promise<RepositoryLock | UnreadableLock | undefined> {
  // What some stores leave of a write that was cut.
  if (sizeBytes === 0) return undefined;
  try {
    const lock = decodeLock(id, await loadDocument(files, 'lock', id, options));
    return { ...lock, ...(modifiedMs !== undefined && { storedMs: modifiedMs }) };
  } catch (error) {
    if (hasCode(error, 'STORAGE_NOT_FOUND')) return undefined;
    if (!hasCode(error, 'BACKUP_DAMAGED')) throw error;
    return { id, problem: messageOf(error) };
  }
}

/** Removes locks whose holders are gone; all of them with `all`. Resolves with how many. */
export async function unlock(context: LockContext, { all, signal }: CallOptions & { readonly all: boolean }): Promise<number> {
  let removed = 0;
  for await (const lock of readLocks(context.files, { signal })) {
    const isGone = 'problem' in lock ? false : isStale(lock, context.owner, { wallMs: context.runtime.clock.wallMs() });
    if (!all && !isGone) continue;
    await removeFile(context.files, 'lock', lock.id, { signal });
    removed += 1;
  }
  return removed;
}

/** A lock of this process. */
export class Lock implements HeldLock {
  readonly exclusive: boolean;
  readonly #context: LockContext;
  readonly #lost = linked();
  #id: FileId | undefined;
  #refreshedBootMs = 0;
  #timer: Disposable | undefined;
  #refreshing: Promise<void> = Promise.resolve();
  #disposed = false;

  constructor(context: LockContext, exclusive: boolean) {
    this.#context = context;
    this.exclusive = exclusive;
  }

  get signal(): AbortSignal {
    return this.#lost.signal;
  }

  get id(): FileId | undefined {
    return this.#id;
  }

  async create(signal: AbortSignal): Promise<void> {
    const { files, runtime, owner } = this.#context;
    const beganBootMs = runtime.clock.bootMs();
    const document = prepareDocument(files, encodeLock(owner, this.exclusive, runtime.clock.wallMs()));
    try {
      await storeDocument(files, 'lock', document, { signal });
    } catch (error) {
      // It may be there all the same, and would hinder everybody for half an hour.
      await this.#remove(document.id);
      throw error;
    }
    this.#id = document.id;
    this.#refreshedBootMs = beganBootMs;
  }

  /** Refreshes it from now on. */
  keep(): void {
    if (!this.#disposed) this.#refreshAfter(refreshEveryMs);
  }

  async confirm(): Promise<void> {
    this.#lost.signal.throwIfAborted();
    if (this.#ageMs() > 2 * refreshEveryMs) {
      this.#refreshNow();
      await this.#refreshing;
    }
    if (this.#ageMs() > lostAfterMs) this.#lose('it could not be refreshed in time');
    this.#lost.signal.throwIfAborted();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#disposed) return;
    this.#disposed = true;
    this.#timer?.[Symbol.dispose]();
    await this.#refreshing;
    if (this.#id !== undefined) await this.#remove(this.#id);
    this.#lost[Symbol.dispose]();
  }

  /** What can not be removed will be stale as soon as this process has ended. */
  async #remove(id: FileId): Promise<void> {
    try {
      await this.#call((signal) => removeFile(this.#context.files, 'lock', id, { signal }));
    } catch (error) {
      this.#context.runtime.logger.warn('backup.lock.left', { lock: id, error: messageOf(error) });
    }
  }

  /** Since the last refresh, the time included in which the machine was suspended. */
  #ageMs(): number {
    return this.#context.runtime.clock.bootMs() - this.#refreshedBootMs;
  }

  #refreshAfter(delayMs: number): void {
    this.#timer?.[Symbol.dispose]();
    this.#timer = this.#context.runtime.clock.after(delayMs, () => this.#refreshNow());
  }

  #refreshNow(): void {
    this.#refreshing = this.#refreshing.then(() => this.#refresh());
  }

  async #refresh(): Promise<void> {
    if (this.#disposed || this.#lost.signal.aborted) return;
    let nextMs = refreshEveryMs;
    try {
      await this.#call((signal) => this.#replace(signal));
    } catch (error) {
      if (hasCode(error, 'BACKUP_LOCK_LOST')) return this.#lost.abort(error);
      this.#context.runtime.logger.warn('backup.lock.refresh.failed', { lock: this.#id, error: messageOf(error) });
      nextMs = refreshAgainMs;
      if (this.#ageMs() > lostAfterMs) return this.#lose(messageOf(error));
    }
    if (!this.#disposed) this.#refreshAfter(nextMs);
  }

  /** A new file with the time of now, then the old one away; whoever removed the old one has taken the lock from us. */
  async #replace(signal: AbortSignal): Promise<void> {
    const { files } = this.#context;
    const old = this.#id!;
    if ((await files.location.stat(objectKey('lock', old), { signal })) === undefined) throw lost('somebody removed it');
    await this.create(signal);
    await removeFile(files, 'lock', old, { signal });
  }

  #lose(why: string): void {
    this.#lost.abort(lost(why));
  }

  async #call(call: (signal: AbortSignal) => Promise<void>): Promise<void> {
    using limit = deadline(this.#context.runtime.clock, callMsMax, () => new Error('no answer within a minute'));
    await call(limit.signal);
  }
}

function lost(why: string): HoldfastError {
  return new HoldfastError('BACKUP_LOCK_LOST', `the lock of the repository was lost: ${why}`, {
    retryable: true,
    hint: 'Nothing was damaged; see why the location was away, and begin again.',
  });
}

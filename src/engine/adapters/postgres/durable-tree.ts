import { lstat, readdir, open, chown } from 'node:fs/promises';
import { join } from 'node:path';
import type { Account, Processes } from '../../../core/processes.ts';
import { flushDirectory } from './durable-file.ts';

const syncTimeoutMs = 600_000;

/** Makes everything below a directory durable: by one syncfs(2) through sync(1) where it can, else file by file. */
export async function flushTree(processes: Processes, directory: string, signal?: AbortSignal): Promise<void> {
  const whole = await processes
    .run('sync', ['-f', directory], { timeoutMs: syncTimeoutMs, ...(signal === undefined ? {} : { signal }) })
    .then((result) => result.code === 0)
    .catch(() => false);
  signal?.throwIfAborted();
  if (whole) return;
  for await (const entry of walk(directory)) {
    if (entry.kind === 'directory') await flushDirectory(entry.path);
    if (entry.kind !== 'file') continue;
    await using file = await open(entry.path, 'r');
    await file.sync();
  }
  await flushDirectory(directory);
}

export interface TreeEntry {
  readonly path: string;
  readonly kind: 'file' | 'directory' | 'link' | 'other';
}

/** Everything below a directory, parents after their children; links are not followed. */
export async function* walk(directory: string): AsyncGenerator<TreeEntry> {
  for (const entry of await readdir(directory, { withFileTypes: true })) {
    const path = join(directory, entry.name);
    if (entry.isDirectory()) yield* walk(path);
    const kind = entry.isDirectory() ? 'directory' : entry.isFile() ? 'file' : entry.isSymbolicLink() ? 'link' : 'other';
    yield { path, kind };
  }
}

/** The owner of a path as an account must be; undefined when it fits. */
export async function ownershipProblem(path: string, account: Account | undefined): Promise<string | undefined> {
  const found = await lstat(path);
  const uid = account?.uid ?? process.getuid?.() ?? found.uid;
  if (found.uid !== uid) return `'${path}' belongs to user ${found.uid}, not to ${account?.name ?? `user ${uid}`}`;
  if ((found.mode & 0o027) !== 0) return `'${path}' may be entered or written by others (mode ${(found.mode & 0o777).toString(8)})`;
  return undefined;
}

/** Gives a path to the account; nothing when there is none. */
export async function give(path: string, account: Account | undefined): Promise<void> {
  if (account !== undefined) await chown(path, account.uid, account.gid);
}

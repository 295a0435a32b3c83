import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** What was killed a moment ago may still be writing. */
const RETRIES_MAX = 20;
const RETRY_MS = 100;

/** Removes a directory with all that is in it. */
export async function removeDirectory(path: string): Promise<void> {
  await rm(path, { recursive: true, force: true, maxRetries: RETRIES_MAX, retryDelay: RETRY_MS });
}

/** One of its own, through which the unprivileged user of PostgreSQL can pass; removed at the end. */
export async function ownDirectory(): Promise<{ readonly path: string } & AsyncDisposable> {
  const path = await mkdtemp(join(tmpdir(), 'holdfast-bench-'));
  await chmod(path, 0o711);
  return { path, [Symbol.asyncDispose]: () => removeDirectory(path) };
}

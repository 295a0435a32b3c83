import { rm } from 'node:fs/promises';

/** What was killed a moment ago may still be writing. */
const RETRIES_MAX = 20;
const RETRY_MS = 100;

/** Removes a directory with all that is in it. */
export async function removeDirectory(path: string): Promise<void> {
  await rm(path, { recursive: true, force: true, maxRetries: RETRIES_MAX, retryDelay: RETRY_MS });
}

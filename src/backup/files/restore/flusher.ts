import type { SystemCalls } from '../system.ts';
import type { RestoreIssues } from './issues.ts';

/** Written since the last time: a disk has some tenths of a second to do with them. */
const unflushedBytesMax = 64 * 1024 * 1024;

/**
 * Has the disk at work as soon as there is something to write: the system by itself would begin when a tenth of the memory waits, and the end
 * of a restore would have to wait for nearly all of it.
 */
export class Flusher {
  readonly #system: SystemCalls;
  readonly #path: string;
  readonly #issues: RestoreIssues;
  #syncing: Promise<void> | undefined;
  #flushedBytes = 0;

  constructor(system: SystemCalls, path: string, issues: RestoreIssues) {
    this.#system = system;
    this.#path = path;
    this.#issues = issues;
  }

  /** Told on the way: so many bytes have been written in all. At most one sync is under way. */
  wrote(totalBytes: number): void {
    if (this.#syncing !== undefined || totalBytes - this.#flushedBytes < unflushedBytesMax) return;
    this.#flushedBytes = totalBytes;
    this.#syncing = this.#sync().finally(() => (this.#syncing = undefined));
    // A process that has ended is told by the sync at the end.
    this.#syncing.catch(() => undefined);
  }

  /** All that was written is durable when it resolves. */
  async end(): Promise<void> {
    await this.#syncing?.catch(() => undefined);
    await this.#sync();
  }

  async #sync(): Promise<void> {
    const { errno } = await this.#system.syncFileSystem(this.#path);
    // It is told once: a later sync would know nothing of it.
    if (errno !== 0)
      this.#issues.add({ path: '/', kind: 'unwritable', message: `its file system can not be written out (errno ${errno})` });
  }
}

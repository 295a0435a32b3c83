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
  #underWay = 0;
  #last: Promise<void> | undefined;
  #flushedBytes = 0;

  constructor(system: SystemCalls, path: string, issues: RestoreIssues) {
    this.#system = system;
    this.#path = path;
    this.#issues = issues;
  }

  /** Told on the way: so many bytes have been written in all. At most one sync is under way. */
  wrote(totalBytes: number): void {
    if (this.#underWay === 0 && totalBytes - this.#flushedBytes >= unflushedBytesMax) this.#begin(totalBytes);
  }

  /** Told when nothing more is written for a while: the disk has until then. */
  pause(totalBytes: number): void {
    if (totalBytes > this.#flushedBytes) this.#begin(totalBytes);
  }

  /** All that was written is durable when it resolves. */
  async end(): Promise<void> {
    await this.#last;
    await this.#sync();
  }

  #begin(totalBytes: number): void {
    this.#flushedBytes = totalBytes;
    this.#underWay += 1;
    // A process that has ended is told by the sync at the end; one that has not answers in order.
    this.#last = this.#sync()
      .catch(() => undefined)
      .finally(() => (this.#underWay -= 1));
  }

  async #sync(): Promise<void> {
    const { errno } = await this.#system.syncFileSystem(this.#path);
    // It is told once: a later sync would know nothing of it.
    if (errno !== 0)
      this.#issues.add({ path: '/', kind: 'unwritable', message: `its file system can not be written out (errno ${errno})` });
  }
}

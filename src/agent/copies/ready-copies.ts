import { messageOf } from '../../core/errors.ts';
import type { Copies } from './open-copies.ts';
import { openKept, type KeptParts } from './open-kept.ts';
import { pauseMs } from './term.ts';

/**
 * A service's copies, opened by those who do not lead it: commits that wait for the journal would wait for a new leader to open them, which takes
 * the time that a guess at the password is to cost.
 */
export class ReadyCopies implements AsyncDisposable {
  readonly #parts: KeptParts;
  readonly #location: string;
  #copies: Copies | undefined;
  #opening: Promise<void> | undefined;
  #triedMs = -Infinity;

  constructor(parts: KeptParts, location: string) {
    this.#parts = parts;
    this.#location = location;
  }

  /** Opens them, where that is yet to be done; never throws. What can not be opened now is tried again later. */
  async prepare(signal: AbortSignal): Promise<void> {
    const nowMs = this.#parts.runtime.clock.monotonicMs();
    if (this.#copies === undefined && this.#opening === undefined && nowMs - this.#triedMs >= pauseMs) {
      this.#triedMs = nowMs;
      this.#opening = this.#open(signal).finally(() => (this.#opening = undefined));
    }
    await this.#opening;
  }

  async #open(signal: AbortSignal): Promise<void> {
    try {
      this.#copies = await openKept(this.#parts, this.#location, { makes: false, signal });
    } catch (error) {
      // Whoever leads tells what is wrong with them.
      if (!signal.aborted) this.#parts.runtime.logger.debug('backup.not-ready', { location: this.#location, error: messageOf(error) });
    }
  }

  /** Gives away what is open, if it is what lies there still: anybody could have made the repository anew. @throws the signal's reason */
  async take(signal: AbortSignal): Promise<Copies | undefined> {
    await this.#opening;
    const copies = this.#copies;
    this.#copies = undefined;
    this.#triedMs = -Infinity;
    if (copies === undefined) return undefined;
    const fits = await copies.repository.isCurrent({ signal }).catch(() => false);
    if (fits && !signal.aborted) return copies;
    await copies[Symbol.asyncDispose]();
    signal.throwIfAborted();
    return undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#opening;
    await this.#copies?.[Symbol.asyncDispose]();
    this.#copies = undefined;
  }
}

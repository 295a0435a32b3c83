import type { WalEvent, WalStream } from '../../../core/wal-source.ts';
import type { EngineContext } from '../../engine.ts';
import { seatsBeside } from './rule.ts';

/**
 * As which nodes the journal streams: one, or one for each of its seats where commits wait for it (rule.ts). Their slots make sure that nobody
 * else sits there: PostgreSQL lends a slot to one connection at a time, and refuses a new one while one that was lost has not ended there. So
 * each seat counts once. No real node can have such a name: names have no parentheses.
 */
export function seatNodes(journal: EngineContext['journal']): string[] {
  if (journal === undefined) return [];
  const seats = journal.sync ? seatsBeside(journal.others) : 1;
  return Array.from({ length: seats }, (_, index) => (index === 0 ? '(journal)' : `(journal ${index + 1})`));
}

/** One stream that is read, and others of the same WAL whose only use is to confirm it too. It fails as soon as one of them does. */
export class SeatedStream implements WalStream {
  readonly #main: WalStream;
  readonly #others: readonly WalStream[];
  #failure: unknown;

  constructor(main: WalStream, others: readonly WalStream[]) {
    this.#main = main;
    this.#others = others;
    for (const other of others) {
      drain(other).catch((error: unknown) => {
        this.#failure ??= error;
        // Whoever waits for what comes next hears of it so.
        void main[Symbol.asyncDispose]();
      });
    }
  }

  async next(): Promise<WalEvent> {
    try {
      return await this.#main.next();
    } catch (error) {
      throw this.#failure ?? error;
    }
  }

  confirm(lsn: bigint, options?: { readonly now?: boolean }): void {
    for (const stream of [this.#main, ...this.#others]) stream.confirm(lsn, options);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const stream of [this.#main, ...this.#others]) await stream[Symbol.asyncDispose]();
  }
}

/** What else may happen to a timeline or a server, the main stream tells. */
async function drain(stream: WalStream): Promise<void> {
  while ((await stream.next()).kind === 'bytes');
}

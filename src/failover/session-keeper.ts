import type { Session, CoordinationStore } from '../coordination/store.ts';
import { deadline } from '../core/deadline.ts';
import { messageOf } from '../core/errors.ts';
import type { Runtime } from '../core/runtime.ts';

const REOPEN_DELAY_MS = 500;
const OPEN_TIMEOUT_MS = 5_000;

/**
 * Keeps one coordination session open for this agent: all its leaderships hang on it. A lost session is replaced by a new one; what hung
 * on the old must be claimed again (`failover/decide`: reclaim).
 */
export class SessionKeeper implements AsyncDisposable {
  readonly #store: CoordinationStore;
  readonly #runtime: Runtime;
  readonly #options: { ttlMs: number; name: string };
  readonly #stop = new AbortController();
  readonly #done: Promise<void>;
  #session: Session | undefined;
  #problem = '';
  #left = false;

  constructor(store: CoordinationStore, runtime: Runtime, options: { ttlMs: number; name: string }) {
    this.#store = store;
    this.#runtime = runtime;
    this.#options = options;
    this.#done = this.#keep();
  }

  /** The live or suspended session; undefined while there is none. */
  get current(): Session | undefined {
    return this.#session?.state === 'lost' ? undefined : this.#session;
  }

  get reachable(): boolean {
    return this.#session?.state === 'live';
  }

  /** Why the store can not be used, in a sentence; empty while it can. */
  get problem(): string {
    return this.reachable ? '' : this.#problem || 'the coordination store does not answer';
  }

  async #keep(): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      try {
        const session = await this.#open(signal);
        this.#session = session;
        this.#problem = '';
        this.#runtime.logger.info('coordination.session.opened', { session: session.id, ttlMs: session.ttlMs });
        await new Promise<void>((resolve) => {
          const end = (): void => resolve();
          session.signal.addEventListener('abort', end, { once: true });
          signal.addEventListener('abort', end, { once: true });
          if (session.signal.aborted || signal.aborted) resolve();
        });
        if (!signal.aborted) this.#runtime.logger.warn('coordination.session.lost', { session: session.id });
      } catch (error) {
        if (signal.aborted) break;
        this.#problem = messageOf(error);
        this.#runtime.logger.warn('coordination.session.not-opened', { error: this.#problem });
        await this.#runtime.clock.sleep(REOPEN_DELAY_MS, signal).catch(() => {});
      }
    }
    if (this.#left) this.#session?.abandon();
    else await this.#session?.close().catch(() => {});
  }

  /**
   * At the end the session is left to its TTL instead of being closed: databases go on without this agent, and where the lease is their fence
   * nobody may take it for ended before they are.
   */
  leave(): void {
    this.#left = true;
  }

  async #open(signal: AbortSignal): Promise<Session> {
    const late = (): Error => new Error(`the coordination store did not answer within ${OPEN_TIMEOUT_MS} ms`);
    using limit = deadline(this.#runtime.clock, OPEN_TIMEOUT_MS, late, signal);
    return await this.#store.openSession({ ...this.#options, signal: limit.signal });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#done;
  }
}

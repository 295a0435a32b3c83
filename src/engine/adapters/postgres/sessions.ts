import type { Clock } from '../../../core/clock.ts';
import { HoldfastError } from '../../../core/errors.ts';
import { adminRole, type CredentialVault } from './credentials.ts';
import type { Places } from './places.ts';
import { hasState, Session, type SessionTarget } from './session.ts';

/** Bound of a query that only reads shared memory or changes a flag. */
export const queryTimeoutMs = 5_000;
export const connectTimeoutMs = 5_000;

/** Our sessions must not be ended, slowed or logged by what the user set for everyone. */
const adminSettings = {
  synchronous_commit: 'local',
  statement_timeout: '0',
  lock_timeout: '0',
  idle_session_timeout: '0',
  idle_in_transaction_session_timeout: '0',
  default_transaction_read_only: 'off',
  log_statement: 'none',
  log_min_duration_statement: '-1',
  search_path: 'pg_catalog',
};

/** What a connection that is kept open is for. An inspection that finds no answer cuts its own, and not that of a command. */
export type SharedFor = 'inspecting' | 'committing' | 'commands' | 'journalling';

/** Administrative connections over the local socket. */
export class Sessions implements AsyncDisposable {
  readonly #places: Places;
  readonly #vault: CredentialVault;
  readonly #port: number;
  readonly #clock: Clock;
  readonly #onEnd: () => void;
  readonly #shared = new Map<SharedFor, Promise<Session>>();
  #closed = false;

  constructor(options: { places: Places; vault: CredentialVault; port: number; clock: Clock; onEnd: () => void }) {
    this.#places = options.places;
    this.#vault = options.vault;
    this.#port = options.port;
    this.#clock = options.clock;
    this.#onEnd = options.onEnd;
  }

  /** One that is kept open: its end also tells that the server died. For short queries only. */
  async shared(what: SharedFor, options: { timeoutMs?: number; signal?: AbortSignal } = {}): Promise<Session> {
    const before = this.#shared.get(what);
    const known = await before?.catch(() => undefined);
    if (known?.isOpen === true) return known;
    // Another caller may have begun to open one meanwhile.
    if (this.#shared.get(what) !== before) return await this.shared(what, options);
    const opening = this.open(options);
    this.#shared.set(what, opening);
    const session = await opening;
    void session.ended.then(this.#onEnd);
    return session;
  }

  /** A connection of the caller's own. */
  async open(options: { timeoutMs?: number; signal?: AbortSignal } = {}): Promise<Session> {
    const { admin } = await this.#vault.require();
    const limits = {
      timeoutMs: options.timeoutMs ?? connectTimeoutMs,
      ...(options.signal === undefined ? {} : { signal: options.signal }),
    };
    const target: SessionTarget = {
      host: this.#places.run,
      port: this.#port,
      user: adminRole,
      password: admin,
      database: 'postgres',
      applicationName: 'holdfast',
      settings: adminSettings,
    };
    try {
      return this.#wanted(await Session.open(target, this.#clock, limits));
    } catch (error) {
      // The user is free to drop it.
      if (hasState(error, '3D000')) return this.#wanted(await Session.open({ ...target, database: 'template1' }, this.#clock, limits));
      throw error;
    }
  }

  /** What was under way when the engine was let go of must leave nothing open. */
  #wanted(session: Session): Session {
    if (!this.#closed) return session;
    session.cut();
    throw new HoldfastError('ENGINE_STOPPED', 'the engine was let go of', { retryable: true });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    for (const opening of this.#shared.values()) await (await opening.catch(() => undefined))?.[Symbol.asyncDispose]();
    this.#shared.clear();
  }
}

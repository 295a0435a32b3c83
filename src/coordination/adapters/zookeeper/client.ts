import type { Logger } from '../../../core/logger.ts';
import type { Runtime } from '../../../core/runtime.ts';
import { abortable } from '../../../core/abortable.ts';
import type { Connection, SessionKeys } from './connection.ts';
import type { Ensemble } from './ensemble.ts';
import { ZooKeeperFailure } from './failure.ts';
import { closeSession, type NodeEvent } from './protocol.ts';

/** How often a connected client shows that it lives, how long an answer may take, and one attempt to connect: shares of the TTL. */
const HEARTBEAT_SHARE = 1 / 4;
const REPLY_SHARE = 1 / 4;
const ATTEMPT_SHARE = 1 / 8;
const ATTEMPT_MS_MIN = 200;
const ATTEMPT_MS_MAX = 2_000;
/** Before connecting again: doubled after each round over all servers, and up to as much again by chance. */
const BACKOFF_MS_MIN = 20;
const BACKOFF_MS_MAX = 500;

export interface ClientOptions {
  readonly ttlMs: number;
  /** For the log. */
  readonly name: string;
  /** What follows when the ensemble has ended the session: a new one, or nothing. */
  readonly whenExpired: 'renew' | 'end';
  /** Called at the start of each connection that continues a session, then four times per TTL. What it throws is ignored: the connection knows when it is broken. */
  readonly heartbeat: (connection: Connection) => Promise<void>;
  readonly onEvent?: (event: NodeEvent) => void;
}

/**
 * One session that outlives its connections: when one breaks, or its server is silent, the session is continued on whichever server of the
 * ensemble answers. It is over only when the ensemble says so.
 */
export class Client {
  readonly #ensemble: Ensemble;
  readonly #runtime: Runtime;
  readonly #log: Logger;
  readonly #options: ClientOptions;
  readonly #stop = new AbortController();
  readonly #ended = Promise.withResolvers<ZooKeeperFailure>();
  #ttlMs: number;
  #session: SessionKeys | undefined;
  #lastZxid = 0n;
  #current: Connection | undefined;
  #next = nextConnection();
  #problem = new ZooKeeperFailure('away', 'not connected yet');
  #closing = false;
  #absent = false;

  constructor(ensemble: Ensemble, runtime: Runtime, options: ClientOptions) {
    this.#ensemble = ensemble;
    this.#runtime = runtime;
    this.#options = options;
    this.#ttlMs = options.ttlMs;
    this.#log = runtime.logger.child({ store: 'zookeeper', client: options.name });
    ensemble.clients.add(this);
    void this.#run();
  }

  /** The connection, while there is one that is not known to be broken. */
  get current(): Connection | undefined {
    return this.#current?.closed.aborted === false ? this.#current : undefined;
  }

  /** Resolves, with why, when this client will not connect again: `expired`, or `away` when it was stopped from here. */
  get ended(): Promise<ZooKeeperFailure> {
    return this.#ended.promise;
  }

  /** Waits for a connection. @throws ZooKeeperFailure: why there is none, after `limitMs` or for good; the signal's reason */
  async connection(options: { limitMs?: number | undefined; signal?: AbortSignal | undefined } = {}): Promise<Connection> {
    options.signal?.throwIfAborted();
    if (this.current !== undefined) return this.current;
    this.#stop.signal.throwIfAborted();
    const late = Promise.withResolvers<never>();
    using _limit = options.limitMs === undefined ? undefined : this.#runtime.clock.after(options.limitMs, () => late.reject(this.#problem));
    return await abortable(Promise.race([this.#next.promise, late.promise]), options.signal);
  }

  /**
   * Ends the session in the ensemble, for which it may have to connect again. Gives up after `limitMs`: the session then ends with its TTL.
   * @returns whether the ensemble has ended it
   */
  async close(limitMs: number): Promise<boolean> {
    using _limit = this.#runtime.clock.after(limitMs, () =>
      this.stop(new ZooKeeperFailure('away', `not closed within ${Math.round(limitMs)} ms`)),
    );
    this.#closing = true;
    // Without an answer to the first frame there is nothing that is known to be there.
    if (this.#session === undefined) this.stop();
    if (this.current !== undefined) void this.#close(this.current);
    const { kind } = await this.ended;
    return kind === 'expired';
  }

  /** Ends it here without a word: the session ends with its TTL. */
  stop(why = new ZooKeeperFailure('away', 'this client is closed')): void {
    if (this.#stop.signal.aborted) return;
    this.#ensemble.clients.delete(this);
    this.#stop.abort(why);
    this.#current?.destroy(why);
    this.#next.reject(why);
    this.#ended.resolve(why);
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop;
    for (let rounds = 0; !signal.aborted; rounds++) {
      try {
        const connection = await this.#connect(signal);
        rounds = 0;
        await this.#serve(connection);
      } catch (error) {
        this.#note(error);
      }
      const waitMs = Math.min(BACKOFF_MS_MAX, BACKOFF_MS_MIN * 2 ** rounds) * (1 + this.#runtime.random.next());
      await this.#runtime.clock.sleep(waitMs, signal).catch(() => {});
    }
  }

  #connect(signal: AbortSignal): Promise<Connection> {
    return this.#ensemble.connect({
      limitMs: Math.min(ATTEMPT_MS_MAX, Math.max(ATTEMPT_MS_MIN, this.#ttlMs * ATTEMPT_SHARE)),
      replyLimitMs: Math.max(ATTEMPT_MS_MIN, this.#ttlMs * REPLY_SHARE),
      signal,
      ttlMs: this.#session === undefined ? this.#options.ttlMs : this.#ttlMs,
      session: this.#session,
      lastZxid: this.#lastZxid,
      onEvent: (event) => this.#options.onEvent?.(event),
    });
  }

  /** Returns when the connection is over. */
  async #serve(connection: Connection): Promise<void> {
    const resumed = this.#session !== undefined;
    this.#log.debug('coordination.zookeeper.connected', { server: connection.address, resumed });
    this.#session = connection.session;
    this.#ttlMs = connection.ttlMs;
    this.#current = connection;
    this.#absent = false;
    this.#next.resolve(connection);
    this.#next = nextConnection();
    if (this.#closing) void this.#close(connection);
    try {
      // The ensemble has just made a new session: that counts as the first.
      for (let due = resumed; ; due = true) {
        if (due) await this.#options.heartbeat(connection).catch(() => {});
        await this.#runtime.clock.sleep(this.#ttlMs * HEARTBEAT_SHARE, connection.closed);
      }
    } finally {
      this.#current = undefined;
      if (connection.lastZxid > this.#lastZxid) this.#lastZxid = connection.lastZxid;
      if (!this.#stop.signal.aborted) this.#ensemble.forget();
    }
  }

  async #close(connection: Connection): Promise<void> {
    try {
      await connection.submit(closeSession);
      this.stop(new ZooKeeperFailure('expired', 'closed by its holder'));
    } catch {
      // Not known whether it was done: the next connection tells.
    }
  }

  #note(error: unknown): void {
    const failure = error instanceof ZooKeeperFailure ? error : new ZooKeeperFailure('away', String(error), { cause: error });
    this.#problem = failure;
    if (this.#stop.signal.aborted) return;
    // Once for people; every further attempt only for who looks closely.
    const level = this.#absent ? 'debug' : 'info';
    this.#absent = true;
    this.#log[level]('coordination.zookeeper.disconnected', { kind: failure.kind, why: failure.message });
    if (failure.kind === 'expired') {
      this.#session = undefined;
      if (this.#closing || this.#options.whenExpired === 'end') this.stop(failure);
    } else if (failure.kind === 'denied' || failure.kind === 'refused' || failure.kind === 'foreign') {
      // Who waits should hear of it now; but it may be mended there (a certificate renewed), so it is tried on.
      this.#next.reject(failure);
      this.#next = nextConnection();
    }
  }
}

/** Often nobody waits for it: then its failure is nobody's. */
function nextConnection(): PromiseWithResolvers<Connection> {
  const next = Promise.withResolvers<Connection>();
  next.promise.catch(() => {});
  return next;
}

import { HoldfastError } from '../../../core/errors.ts';
import type { Runtime } from '../../../core/runtime.ts';
import { sayGoodbye } from '../../goodbye.ts';
import { assertKey, assertLabel, assertValue } from '../../key.ts';
import type {
  CoordinationStore,
  Entrance,
  Entry,
  Expectation,
  OwnTicket,
  Session,
  SessionOptions,
  StoreCapabilities,
  SwapResult,
  Ticket,
  WatchEvent,
} from '../../store.ts';
import { assertTtl } from '../../ttl.ts';
import { readNow, valueOf } from './answers.ts';
import { call } from './calls.ts';
import { Client } from './client.ts';
import type { Connection } from './connection.ts';
import type { Ensemble } from './ensemble.ts';
import { toStoreError } from './failure.ts';
import { KeyWatches } from './key-watches.ts';
import { Keys } from './keys.ts';
import { type Layout, sessionIdPattern } from './layout.ts';
import { prepareLayout } from './prepare.ts';
import { NodeWatches } from './node-watches.ts';
import { type Acl, errorCode, exists } from './protocol.ts';
import { type Entered, Queues } from './queues.ts';
import { type Along, ZooKeeperSession } from './session.ts';

/** Timeout of the client's own connection, for reads and watches: nothing is bound to it, it is short so that a silent server is left soon. */
const BASE_TTL_MS = 4_000;
/** How long disposal waits for that connection's goodbye. */
const BASE_CLOSE_MS_MAX = 1_000;

type Options = { signal?: AbortSignal };

/** A client of a ZooKeeper ensemble: one connection for reads and watches, and one for each session. */
export class ZooKeeperStore implements CoordinationStore {
  readonly capabilities: StoreCapabilities = { kind: 'zookeeper', faultDomain: 'ensemble', ttlMsMin: 2_000 };
  readonly #ensemble: Ensemble;
  readonly #runtime: Runtime;
  readonly #layout: Layout;
  readonly #acl: Acl;
  readonly #base: Client;
  readonly #keys: Keys;
  readonly #queues: Queues;
  readonly #keyWatches: KeyWatches;
  readonly #sessions = new Set<Session>();
  readonly #over = new AbortController();

  /** Connects and prepares what is missing below the prefix. @throws COORD_UNREACHABLE, COORD_DENIED, COORD_UNSUITABLE; the signal's reason */
  static async open(
    ensemble: Ensemble,
    runtime: Runtime,
    layout: Layout,
    acl: Acl,
    signal: AbortSignal | undefined,
  ): Promise<ZooKeeperStore> {
    const store = new ZooKeeperStore(ensemble, runtime, layout, acl);
    try {
      await store.#call(store.#base, { ...(signal && { signal }), repeatable: true }, (connection) =>
        prepareLayout(connection, layout, acl),
      );
      return store;
    } catch (error) {
      await store[Symbol.asyncDispose]();
      throw error;
    }
  }

  private constructor(ensemble: Ensemble, runtime: Runtime, layout: Layout, acl: Acl) {
    this.#ensemble = ensemble;
    this.#runtime = runtime;
    this.#layout = layout;
    this.#acl = acl;
    const nodeWatches = new NodeWatches();
    this.#base = new Client(ensemble, runtime, {
      ttlMs: BASE_TTL_MS,
      name: 'reads',
      whenExpired: 'renew',
      heartbeat: (connection) => connection.ping(),
      onEvent: (event) => {
        nodeWatches.tell(event.path);
        this.#keyWatches.tell(event);
      },
    });
    this.#keys = new Keys(layout, acl);
    this.#queues = new Queues(runtime.clock, ensemble, layout, acl, nodeWatches);
    this.#keyWatches = new KeyWatches(this.#base, this.#keys, layout);
  }

  async openSession(options: SessionOptions & Options): Promise<Session> {
    return this.#openSession(options, undefined);
  }

  async enter(queue: string, label: string, options: SessionOptions & Options): Promise<Entrance> {
    assertKey(queue);
    assertLabel(label);
    let entered: Promise<Entered> | undefined;
    const session = await this.#openSession(options, async (connection, opening, marking) => {
      entered = this.#queues.enter(connection, queue, label, opening, marking);
      return (await entered).ticket !== undefined;
    });
    try {
      // It was called when the session was marked, for the first time it was tried.
      const { name, ticket, ahead } = await entered!;
      if (ticket !== undefined) return { session, ticket, ahead };
      const again = await this.#queues.enqueueAgain(queue, name, session, this.#until(options.signal));
      return { session, ticket: again, ahead: undefined };
    } catch (error) {
      await sayGoodbye(session, this.#runtime);
      throw error;
    }
  }

  async #openSession(options: SessionOptions & Options, along: Along | undefined): Promise<ZooKeeperSession> {
    assertTtl(options.ttlMs, this.capabilities, options.allowShortTtl);
    const signal = this.#until(options.signal);
    signal.throwIfAborted();
    try {
      const parts = { ensemble: this.#ensemble, runtime: this.#runtime, layout: this.#layout, acl: this.#acl };
      const session = await ZooKeeperSession.open(parts, { ttlMs: Math.ceil(options.ttlMs), name: options.name, signal }, along);
      this.#sessions.add(session);
      session.signal.addEventListener('abort', () => this.#sessions.delete(session), { once: true });
      return session;
    } catch (error) {
      throw toStoreError(error);
    }
  }

  async isSessionAlive(sessionId: string, options: Options = {}): Promise<boolean> {
    options.signal?.throwIfAborted();
    if (!sessionIdPattern.test(sessionId)) return false;
    return this.#read(options, async (connection) => {
      const reply = await readNow(connection, this.#layout.root, exists(this.#layout.session(sessionId)));
      if (!reply.ok && reply.code === errorCode.noNode) return false;
      valueOf(reply, 'reading a session');
      return true;
    });
  }

  async get(key: string, options: Options = {}): Promise<Entry | undefined> {
    assertKey(key);
    return this.#read(options, (connection) => this.#keys.get(connection, key));
  }

  async list(prefix: string, options: Options = {}): Promise<Entry[]> {
    assertKey(prefix);
    return this.#read(options, (connection) => this.#keys.list(connection, (key) => key.startsWith(`${prefix}/`)));
  }

  async swap(key: string, value: string, expect: Expectation, options: Options & { session?: Session } = {}): Promise<SwapResult> {
    assertKey(key);
    assertValue(value);
    if (options.session === undefined) {
      return this.#call(this.#base, { ...options, repeatable: false }, (connection) =>
        this.#keys.swap(connection, key, value, expect, undefined),
      );
    }
    const session = this.#own(options.session);
    const binding = { sessionId: session.id };
    return this.#bound(session, options, (connection) => this.#keys.swap(connection, key, value, expect, binding));
  }

  async remove(key: string, expect: bigint, options: Options = {}): Promise<boolean> {
    assertKey(key);
    return this.#call(this.#base, { ...options, repeatable: false }, (connection) => this.#keys.remove(connection, key, expect));
  }

  async *watch(key: string, { signal }: { signal: AbortSignal }): AsyncIterable<WatchEvent> {
    assertKey(key);
    yield* this.#keyWatches.watch(key, this.#until(signal));
  }

  async enqueue(queue: string, label: string, session: Session, options: Options = {}): Promise<OwnTicket> {
    assertKey(queue);
    assertLabel(label);
    const own = this.#own(session);
    const signal = this.#until(options.signal);
    signal.throwIfAborted();
    return this.#queues.enqueue(queue, label, own, signal);
  }

  async queue(queue: string, options: Options = {}): Promise<Ticket[]> {
    assertKey(queue);
    return this.#read(options, (connection) => this.#queues.list(connection, queue));
  }

  leave(ticket: Ticket, options: Options = {}): Promise<void> {
    return this.#read(options, (connection) => this.#queues.leave(connection, ticket));
  }

  async untilGone(ticket: Ticket, { signal }: { signal: AbortSignal }): Promise<void> {
    const until = this.#until(signal);
    until.throwIfAborted();
    await this.#queues.untilGone(this.#base, ticket, until);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#over.abort(new HoldfastError('COORD_UNREACHABLE', 'this client of ZooKeeper is closed'));
    await Promise.all([...this.#sessions].map((session) => session[Symbol.asyncDispose]()));
    await this.#base.close(BASE_CLOSE_MS_MAX);
    this.#ensemble[Symbol.dispose]();
  }

  /** What may be done twice: reads, and what is idempotent. */
  #read<T>(options: Options, work: (connection: Connection) => Promise<T>): Promise<T> {
    return this.#call(this.#base, { ...options, repeatable: true }, work);
  }

  async #call<T>(client: Client, options: Options & { repeatable: boolean }, work: (connection: Connection) => Promise<T>): Promise<T> {
    const signal = this.#until(options.signal);
    return call(this.#runtime.clock, client, { signal, repeatable: options.repeatable }, work);
  }

  /** A write that is bound to the session. Once the session is over, that is what its failure means. */
  async #bound<T>(session: ZooKeeperSession, options: Options, work: (connection: Connection) => Promise<T>): Promise<T> {
    const signal = AbortSignal.any([this.#until(options.signal), session.signal]);
    try {
      return await call(this.#runtime.clock, session.client, { signal, repeatable: false }, work);
    } catch (error) {
      if (options.signal?.aborted !== true && error instanceof HoldfastError && error.code === 'COORD_UNREACHABLE') session.assertValid();
      throw error;
    }
  }

  /** @throws COORD_SESSION_LOST; TypeError for a session of another client */
  #own(session: Session): ZooKeeperSession {
    session.assertValid();
    if (!(session instanceof ZooKeeperSession) || !this.#sessions.has(session))
      throw new TypeError('the session belongs to another client of the store');
    return session;
  }

  #until(signal: AbortSignal | undefined): AbortSignal {
    return signal === undefined ? this.#over.signal : AbortSignal.any([signal, this.#over.signal]);
  }
}

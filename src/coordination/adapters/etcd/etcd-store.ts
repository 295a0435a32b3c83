import type { Runtime } from '../../../core/runtime.ts';
import { assertKey, assertLabel, assertValue } from '../../key.ts';
import { patiently } from '../../patience.ts';
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
import { EtcdClient } from './client.ts';
import type { EtcdConfig } from './config.ts';
import { CallFailure, toHoldfastError } from './failure.ts';
import { bind, Layout } from './layout.ts';
import { compareCreated, compareModified, requestDelete, requestGet, requestPut, rpc, type KeyValue } from './messages.ts';
import { Entrances } from './entrance.ts';
import { Queues } from './queues.ts';
import { readAll } from './range.ts';
import { Sessions } from './sessions.ts';
import { follow, type WatchNews } from './watch.ts';

/**
 * etcd grants no lease under one and a half election timeouts, rounded up to seconds: 2 s with its defaults (etcdserver, minTTL). Below it
 * there is no time to make good a missed renewal on another member either.
 */
const TTL_MS_MIN = 2_000;

type Options = { readonly signal?: AbortSignal };

/**
 * CoordinationStore on etcd v3 (3.4 or newer). A session is a lease and a key bound to it; queues order by create revision; every guarded
 * change is one transaction.
 */
export class EtcdStore implements CoordinationStore {
  readonly capabilities: StoreCapabilities = { kind: 'etcd', faultDomain: 'ensemble', ttlMsMin: TTL_MS_MIN };
  readonly #client: EtcdClient;
  readonly #runtime: Runtime;
  readonly #layout: Layout;
  readonly #sessions: Sessions;
  readonly #queues: Queues;
  readonly #entrances: Entrances;
  #disposal: Promise<void> | undefined;

  constructor(config: EtcdConfig, runtime: Runtime) {
    this.#runtime = runtime;
    this.#client = new EtcdClient(config, runtime);
    this.#layout = new Layout(config.prefix);
    this.#sessions = new Sessions(this.#client, this.#layout, runtime.logger);
    this.#queues = new Queues(this.#client, this.#layout, runtime);
    this.#entrances = new Entrances(this.#client, this.#layout, this.#sessions, this.#queues, runtime);
  }

  /** Reads one key, so that a store that can not be used is refused when it is opened. @throws COORD_UNREACHABLE, COORD_DENIED */
  async assertUsable(options: Options): Promise<void> {
    await translated(this.#client.read({ key: this.#layout.key('') }, options));
  }

  async openSession(options: SessionOptions & Options): Promise<Session> {
    assertTtl(options.ttlMs, this.capabilities, options.allowShortTtl);
    return await translated(this.#sessions.open(options));
  }

  isSessionAlive(sessionId: string, options?: Options): Promise<boolean> {
    return translated(this.#sessions.isAlive(sessionId, options?.signal));
  }

  async get(key: string, options: Options = {}): Promise<Entry | undefined> {
    assertKey(key);
    const { entries } = await translated(this.#client.read({ key: this.#layout.key(key) }, options));
    return this.#entry(entries[0]);
  }

  async list(prefix: string, options: Options = {}): Promise<Entry[]> {
    assertKey(prefix);
    const { entries } = await translated(readAll(this.#client, this.#layout.below(prefix), options));
    return entries.map((entry) => this.#layout.entry(entry));
  }

  async swap(key: string, value: string, expect: Expectation, options: { session?: Session } & Options = {}): Promise<SwapResult> {
    assertKey(key);
    assertValue(value);
    const full = this.#layout.key(key);
    const lease = options.session && this.#sessions.leaseOf(options.session);
    const put = lease === undefined ? requestPut(full, value, 0n) : requestPut(full, bind(lease.session.id, value), lease.id);
    const txn = { compare: [expected(full, expect)], success: [put], failure: [requestGet(full)] };
    if (lease !== undefined) {
      txn.compare.push(compareCreated(lease.key, '!=', 0n));
      txn.failure.push(requestGet(lease.key));
    }
    const reply = await translated(this.#client.once(rpc.txn, txn, options));
    if (reply.succeeded) return { swapped: true, revision: reply.header.revision };
    if (lease !== undefined && reply.results[1]?.found === undefined) {
      lease.session.lose('etcd has ended it');
      lease.session.assertValid();
    }
    return { swapped: false, current: this.#entry(reply.results[0]?.found) };
  }

  async remove(key: string, expect: bigint, options: Options = {}): Promise<boolean> {
    assertKey(key);
    const full = this.#layout.key(key);
    const reply = await translated(
      this.#client.once(rpc.txn, { compare: [expected(full, expect)], success: [requestDelete(full)] }, options),
    );
    return reply.succeeded;
  }

  async *watch(key: string, options: { signal: AbortSignal }): AsyncGenerator<WatchEvent> {
    assertKey(key);
    const signal = AbortSignal.any([options.signal, this.#client.closing]);
    try {
      yield* this.#follow(key, signal);
    } catch (error) {
      if (!signal.aborted) throw translate(error);
    }
  }

  async enqueue(queue: string, label: string, session: Session, options: Options = {}): Promise<OwnTicket> {
    assertKey(queue);
    assertLabel(label);
    return await translated(this.#queues.enqueue(queue, label, this.#sessions.leaseOf(session), options.signal));
  }

  async enter(queue: string, label: string, options: SessionOptions & Options): Promise<Entrance> {
    assertKey(queue);
    assertLabel(label);
    assertTtl(options.ttlMs, this.capabilities, options.allowShortTtl);
    return await translated(this.#entrances.enter(queue, label, options));
  }

  async queue(queue: string, options: Options = {}): Promise<Ticket[]> {
    assertKey(queue);
    return await translated(this.#queues.list(queue, options.signal));
  }

  leave(ticket: Ticket, options: Options = {}): Promise<void> {
    return translated(this.#queues.leave(ticket, options.signal));
  }

  untilGone(ticket: Ticket, options: { signal: AbortSignal }): Promise<void> {
    return translated(this.#queues.untilGone(ticket, AbortSignal.any([options.signal, this.#client.closing])));
  }

  /** Ends its sessions, watches and calls. */
  [Symbol.asyncDispose](): Promise<void> {
    this.#disposal ??= this.#sessions[Symbol.asyncDispose]().then(() => this.#client[Symbol.asyncDispose]());
    return this.#disposal;
  }

  #entry(keyValue: KeyValue | undefined): Entry | undefined {
    return keyValue && this.#layout.entry(keyValue);
  }

  async *#follow(key: string, signal: AbortSignal): AsyncGenerator<WatchEvent> {
    const range = this.#layout.around(key);
    for (let reason: 'start' | 'compacted' = 'start'; ; reason = 'compacted') {
      const { revision, entries } = await patiently(this.#runtime, signal, () => readAll(this.#client, range, { signal }));
      const within = entries.filter((entry) => this.#layout.isWithin(key, entry.key));
      yield { type: 'snapshot', entries: within.map((entry) => this.#layout.entry(entry)), reason };
      for await (const news of follow(this.#client, this.#runtime, { ...range, fromRevision: revision + 1n }, signal))
        yield* this.#events(key, news);
      this.#runtime.logger.info('coordination.watch.compacted', { key });
    }
  }

  *#events(key: string, news: WatchNews): Generator<WatchEvent> {
    if (news.type === 'compacted') return;
    for (const { type, entry } of news.changes) {
      if (!this.#layout.isWithin(key, entry.key)) continue;
      if (type === 'put') yield { type, entry: this.#layout.entry(entry) };
      else yield { type: 'deleted', key: this.#layout.nameOf(entry.key), revision: entry.modRevision };
    }
  }
}

function expected(key: string, expect: Expectation): Buffer {
  if (expect === 'absent') return compareCreated(key, '=', 0n);
  // Revision 0 would match a key that is not there.
  return compareModified(key, '=', expect > 0n ? expect : -1n);
}

async function translated<T>(promise: Promise<T>): Promise<T> {
  try {
    return await promise;
  } catch (error) {
    throw translate(error);
  }
}

function translate(error: unknown): unknown {
  return error instanceof CallFailure ? toHoldfastError(error) : error;
}

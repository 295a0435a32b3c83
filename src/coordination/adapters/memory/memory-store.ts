import { HoldfastError } from '../../../core/errors.ts';
import type { Runtime } from '../../../core/runtime.ts';
import { abortable } from '../../../core/abortable.ts';
import { assertKey, assertLabel, assertValue } from '../../key.ts';
import { RenewedSession } from '../../renewed-session.ts';
import { assertTtl } from '../../ttl.ts';
import { sentNow } from '../../validity.ts';
import type {
  CoordinationStore,
  Entry,
  Expectation,
  OwnTicket,
  Session,
  StoreCapabilities,
  SwapResult,
  Ticket,
  WatchEvent,
} from '../../store.ts';
import { CALL_MS_MAX, type MemoryLink } from './memory-link.ts';
import type { MemoryServer, Place } from './memory-server.ts';

/** A waiting client asks again after this time, in case the news was lost. */
const pollMs = 500;
/** How often a request with its own mark is repeated when the reply is lost. */
const attemptsMax = 3;

type Options = { signal?: AbortSignal };

/** One client of a MemoryServer. */
export class MemoryStore implements CoordinationStore {
  readonly capabilities: StoreCapabilities = { kind: 'memory', faultDomain: 'process', ttlMsMin: 100 };
  readonly #server: MemoryServer;
  readonly #link: MemoryLink;
  readonly #runtime: Runtime;
  readonly #sessions = new Map<string, RenewedSession>();
  readonly #over = new AbortController();
  static #marks = 0;

  constructor(server: MemoryServer, link: MemoryLink, runtime: Runtime) {
    this.#server = server;
    this.#link = link;
    this.#runtime = runtime;
  }

  async openSession(options: { ttlMs: number; name: string; allowShortTtl?: boolean; signal?: AbortSignal }): Promise<Session> {
    const { ttlMs, name } = options;
    assertTtl(ttlMs, this.capabilities, options.allowShortTtl);
    const sent = sentNow(this.#runtime.clock);
    const id = await this.#call(() => this.#server.openSession(ttlMs), options);
    const session = new RenewedSession(
      this.#runtime.clock,
      {
        id,
        ttlMs,
        renew: ({ timeoutMs, signal }) => this.#link.call(() => this.#server.renewSession(id), { timeoutMs, signal }),
        end: () => this.#link.call(() => this.#server.endSession(id)),
      },
      { sent, name },
    );
    this.#sessions.set(id, session);
    session.signal.addEventListener('abort', () => this.#sessions.delete(id), { once: true });
    return session;
  }

  isSessionAlive(sessionId: string, options: Options = {}): Promise<boolean> {
    return this.#call(() => this.#server.isSessionAlive(sessionId), options);
  }

  async get(key: string, options: Options = {}): Promise<Entry | undefined> {
    assertKey(key);
    return this.#call(() => this.#server.get(key), options);
  }

  async list(prefix: string, options: Options = {}): Promise<Entry[]> {
    assertKey(prefix);
    return this.#call(() => [...this.#server.read((key) => key.startsWith(`${prefix}/`)).entries], options);
  }

  async swap(key: string, value: string, expect: Expectation, options: Options & { session?: Session } = {}): Promise<SwapResult> {
    assertKey(key);
    assertValue(value);
    const { session } = options;
    session?.assertValid();
    const result = await this.#call(() => this.#server.swap(key, value, expect, session?.id), options);
    return result === 'session-lost' ? this.#lost(session) : result;
  }

  async remove(key: string, expect: bigint, options: Options = {}): Promise<boolean> {
    assertKey(key);
    return this.#call(() => this.#server.remove(key, expect), options);
  }

  async *watch(key: string, { signal }: { signal: AbortSignal }): AsyncIterable<WatchEvent> {
    assertKey(key);
    const matches = (other: string): boolean => other === key || other.startsWith(`${key}/`);
    const until = AbortSignal.any([signal, this.#over.signal]);
    try {
      using news = this.#news(matches);
      let seen: bigint | undefined;
      while (!until.aborted) {
        news.clear();
        const next = await this.#patiently(() => this.#readOn(matches, seen), until);
        seen = next.revision;
        yield* next.events;
        await news.wait(until);
      }
    } catch (error) {
      if (!until.aborted) throw error;
    }
  }

  async enqueue(queue: string, label: string, session: Session, options: Options = {}): Promise<OwnTicket> {
    assertKey(queue);
    assertLabel(label);
    session.assertValid();
    MemoryStore.#marks += 1;
    const mark = String(MemoryStore.#marks);
    for (let attempt = 1; ; attempt++) {
      try {
        const place = await this.#call(() => this.#server.enqueue(queue, label, session.id, mark), {
          ...options,
          timeoutMs: CALL_MS_MAX / attemptsMax,
        });
        return place === 'session-lost' ? this.#lost(session) : { ...ticketOf(place), token: place.order };
      } catch (error) {
        if (options.signal?.aborted === true || attempt === attemptsMax || !(error instanceof HoldfastError && error.retryable))
          throw error;
      }
    }
  }

  async queue(queue: string, options: Options = {}): Promise<Ticket[]> {
    assertKey(queue);
    return this.#call(() => this.#server.queue(queue).map(ticketOf), options);
  }

  leave(ticket: Ticket, options: Options = {}): Promise<void> {
    return this.#call(() => this.#server.leave(ticket.key), options);
  }

  async untilGone(ticket: Ticket, { signal }: { signal: AbortSignal }): Promise<void> {
    const until = AbortSignal.any([signal, this.#over.signal]);
    until.throwIfAborted();
    using news = this.#news((key) => key === ticket.key);
    for (;;) {
      news.clear();
      const there = await this.#patiently(() => this.#server.hasPlace(ticket.key), until);
      if (!there) return;
      await news.wait(until);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#over.abort(new HoldfastError('COORD_UNREACHABLE', 'this client of the coordination store (memory) is closed'));
    await Promise.all(this.#sessions.values().map((session) => session[Symbol.asyncDispose]()));
  }

  #call<T>(operation: () => T, options: Options & { timeoutMs?: number }): Promise<T> {
    const signal = options.signal === undefined ? this.#over.signal : AbortSignal.any([options.signal, this.#over.signal]);
    return this.#link.call(operation, { ...options, signal });
  }

  /** Repeats a reading call while the server is away. */
  async #patiently<T>(operation: () => T, signal: AbortSignal): Promise<T> {
    for (;;) {
      try {
        return await this.#link.call(operation, { signal, timeoutMs: pollMs });
      } catch (error) {
        if (signal.aborted || !(error instanceof HoldfastError && error.retryable)) throw error;
        await this.#runtime.clock.sleep(pollMs / 10, signal);
      }
    }
  }

  #readOn(matches: (key: string) => boolean, seen: bigint | undefined): { events: WatchEvent[]; revision: bigint } {
    const since = seen === undefined ? undefined : this.#server.changes(matches, seen);
    if (since === undefined) {
      const { entries, revision } = this.#server.read(matches);
      return { events: [{ type: 'snapshot', entries, reason: seen === undefined ? 'start' : 'compacted' }], revision };
    }
    const events = since.changes.map(({ key, revision, entry }): WatchEvent =>
      entry === undefined ? { type: 'deleted', key, revision } : { type: 'put', entry },
    );
    return { events, revision: since.revision };
  }

  /** Hears of changes; subscribed before the first read, so that none falls between reading and waiting. */
  #news(matches: (key: string) => boolean): News {
    const news = new News(this.#runtime);
    const subscription = this.#server.subscribe((key) => {
      if (matches(key)) this.#link.push(() => news.arrive());
    });
    news.onDispose = () => subscription[Symbol.dispose]();
    return news;
  }

  #lost(session: Session | undefined): never {
    this.#sessions.get(session!.id)?.lose('the store has ended it');
    session!.assertValid();
    throw new HoldfastError('COORD_SESSION_LOST', `session ${session!.id} is not known to the store`);
  }
}

class News implements Disposable {
  readonly #runtime: Runtime;
  #arrived = false;
  #wake: (() => void) | undefined;
  onDispose: () => void = () => {};

  constructor(runtime: Runtime) {
    this.#runtime = runtime;
  }

  clear(): void {
    this.#arrived = false;
  }

  arrive(): void {
    this.#arrived = true;
    this.#wake?.();
  }

  /** Resolves with the next news, or when it is time to ask anyway. @throws the signal's reason */
  async wait(signal: AbortSignal): Promise<void> {
    if (this.#arrived) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#wake = resolve;
    using _timer = this.#runtime.clock.after(pollMs, resolve);
    await abortable(promise, signal);
  }

  [Symbol.dispose](): void {
    this.onDispose();
  }
}

function ticketOf({ key, label, order, sessionId }: Place): Ticket {
  return { key, label, order, sessionId };
}

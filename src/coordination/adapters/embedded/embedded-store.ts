import { randomUUID } from 'node:crypto';
import { abortable } from '../../../core/abortable.ts';
import { HoldfastError } from '../../../core/errors.ts';
import type { Runtime } from '../../../core/runtime.ts';
import { assertKey, assertLabel, assertValue } from '../../key.ts';
import { anySignal, limitAfter, patiently } from '../../patience.ts';
import { RenewedSession } from '../../renewed-session.ts';
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
import { assertTtl } from '../../ttl.ts';
import { sentNow } from '../../validity.ts';
import { Connection } from './connection.ts';
import type { Host } from './host.ts';
import { placeKey } from './operations.ts';
import type { OperationName, Operations } from './protocol.ts';

/** How long a call waits for the file: another process may be stopped while it has it locked. */
const callMsMax = 5_000;
/** Longest name of a session kept in the file. */
const nameLengthMax = 200;

interface Options {
  signal?: AbortSignal;
}

/** A SQLite file shared by the processes of one machine. */
export class EmbeddedStore implements CoordinationStore {
  readonly capabilities: StoreCapabilities = { kind: 'embedded', faultDomain: 'host', ttlMsMin: 1_000 };
  readonly #file: string;
  readonly #host: Host;
  readonly #runtime: Runtime;
  readonly #over = new AbortController();
  readonly #sessions = new Map<string, RenewedSession>();
  #connection: Connection | undefined;
  #closing: Promise<void> | undefined;

  constructor(file: string, host: Host, runtime: Runtime) {
    this.#file = file;
    this.#host = host;
    this.#runtime = runtime;
  }

  /** Opens the file now rather than with the first call. @throws COORD_UNSUITABLE, COORD_DENIED, COORD_UNREACHABLE */
  async connect(options: Options): Promise<void> {
    await this.#call('isSessionAlive', [''], options);
  }

  async openSession(options: { ttlMs: number; name: string; allowShortTtl?: boolean; signal?: AbortSignal }): Promise<Session> {
    const { ttlMs, name } = options;
    assertTtl(ttlMs, this.capabilities, options.allowShortTtl);
    const id = randomUUID();
    const sent = sentNow(this.#runtime.clock);
    await this.#call('openSession', [id, name.slice(0, nameLengthMax), ttlMs], {
      ...options,
      undo: () => this.#quietly('endSession', [id]),
    });
    const session = new RenewedSession(
      this.#runtime.clock,
      {
        id,
        ttlMs,
        renew: (limits) => this.#ask('renewSession', [id], limits),
        end: () => this.#ask('endSession', [id], {}),
      },
      { sent, name },
    );
    this.#sessions.set(id, session);
    session.signal.addEventListener('abort', () => this.#sessions.delete(id), { once: true });
    return session;
  }

  isSessionAlive(sessionId: string, options: Options = {}): Promise<boolean> {
    return this.#call('isSessionAlive', [sessionId], options);
  }

  async get(key: string, options: Options = {}): Promise<Entry | undefined> {
    assertKey(key);
    return this.#call('get', [key], options);
  }

  async list(prefix: string, options: Options = {}): Promise<Entry[]> {
    assertKey(prefix);
    return this.#call('list', [prefix], options);
  }

  async swap(key: string, value: string, expect: Expectation, options: Options & { session?: Session } = {}): Promise<SwapResult> {
    assertKey(key);
    assertValue(value);
    const { session } = options;
    session?.assertValid();
    const result = await this.#call('swap', [key, value, expect, session?.id], options);
    return result === 'session-lost' ? this.#lost(session!) : result;
  }

  async remove(key: string, expect: bigint, options: Options = {}): Promise<boolean> {
    assertKey(key);
    return this.#call('remove', [key, expect], options);
  }

  async *watch(key: string, { signal }: { signal: AbortSignal }): AsyncIterable<WatchEvent> {
    assertKey(key);
    const until = anySignal(signal, this.#over.signal);
    let seen: bigint | undefined;
    while (!until.aborted) {
      try {
        const news = await this.#patiently('watch', [key, seen], until);
        seen = news.revision;
        yield* news.events;
      } catch (error) {
        if (!until.aborted) throw error;
      }
    }
  }

  async enqueue(queue: string, label: string, session: Session, options: Options = {}): Promise<OwnTicket> {
    assertKey(queue);
    assertLabel(label);
    session.assertValid();
    const place = await this.#call('enqueue', [queue, label, session.id], {
      ...options,
      undo: (number) => {
        if (number !== 'session-lost') this.#quietly('leave', [number]);
      },
    });
    if (place === 'session-lost') return this.#lost(session);
    return { key: placeKey(queue, place), label, order: place, token: place, sessionId: session.id };
  }

  async queue(queue: string, options: Options = {}): Promise<Ticket[]> {
    assertKey(queue);
    return this.#call('queue', [queue], options);
  }

  leave(ticket: Ticket, options: Options = {}): Promise<void> {
    return this.#call('leave', [ticket.order], options);
  }

  async untilGone(ticket: Ticket, { signal }: { signal: AbortSignal }): Promise<void> {
    await this.#patiently('untilGone', [ticket.order], anySignal(signal, this.#over.signal));
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.#over.abort(new HoldfastError('COORD_UNREACHABLE', `the embedded store ${this.#file} is closed`));
    await Promise.all(this.#sessions.values().map((session) => session[Symbol.asyncDispose]()));
    await this.#connection?.close();
  }

  /** A call of the store's user: fails once the store is closed. */
  #call<Name extends OperationName>(name: Name, args: Parameters<Operations[Name]>, options: CallOptions<Name>): Promise<Answer<Name>> {
    return this.#ask(name, args, { ...options, signal: anySignal(options.signal, this.#over.signal) });
  }

  async #ask<Name extends OperationName>(
    name: Name,
    args: Parameters<Operations[Name]>,
    options: CallOptions<Name>,
  ): Promise<Answer<Name>> {
    const { signal, undo, timeoutMs = callMsMax } = options;
    signal?.throwIfAborted();
    using limit = limitAfter(this.#runtime.clock, timeoutMs, () => this.#tooLate(timeoutMs));
    const until = anySignal(signal, limit.signal);
    const connection = await this.#open(until);
    return (await connection.call(name, args, { signal: until, ...(undo && { undo }) })) as Answer<Name>;
  }

  /** A call that waits for something to happen, for as long as it takes, also while the file is away. */
  #patiently<Name extends 'watch' | 'untilGone'>(
    name: Name,
    args: Parameters<Operations[Name]>,
    signal: AbortSignal,
  ): Promise<Answer<Name>> {
    signal.throwIfAborted();
    return patiently(this.#runtime, signal, async () => {
      using limit = limitAfter(this.#runtime.clock, callMsMax, () => this.#tooLate(callMsMax));
      const connection = await this.#open(anySignal(signal, limit.signal));
      return (await connection.call(name, args, { signal })) as Answer<Name>;
    });
  }

  /** For what nobody waits for: it ends with its session's TTL in any case. */
  #quietly<Name extends OperationName>(name: Name, args: Parameters<Operations[Name]>): void {
    this.#ask(name, args, {}).catch((error: unknown) => this.#runtime.logger.debug('coordination.undo.failed', { error: String(error) }));
  }

  async #open(signal: AbortSignal): Promise<Connection> {
    if (this.#connection === undefined || this.#connection.ended)
      this.#connection = new Connection(this.#file, this.#host, this.#runtime.clock);
    const connection = this.#connection;
    await abortable(connection.opened, signal);
    return connection;
  }

  #tooLate(timeoutMs: number): HoldfastError {
    return new HoldfastError('COORD_UNREACHABLE', `the embedded store ${this.#file} does not answer within ${timeoutMs} ms`, {
      retryable: true,
      hint: 'Another process may be stopped (SIGSTOP, debugger) while it has the file locked: fuser shows who has it open.',
    });
  }

  #lost(session: Session): never {
    this.#sessions.get(session.id)?.lose('the store has ended it');
    session.assertValid();
    throw new HoldfastError('COORD_SESSION_LOST', `session ${session.id} is not one of this store`);
  }
}

type Answer<Name extends OperationName> = Exclude<ReturnType<Operations[Name]>, 'wait'>;

interface CallOptions<Name extends OperationName> extends Options {
  timeoutMs?: number;
  undo?: (value: ReturnType<Operations[Name]>) => void;
}

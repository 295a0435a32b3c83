import type { EventEmitter } from 'node:events';
import { Client } from 'pg';
import { Socket, type SocketConstructorOpts } from 'node:net';
import type { DuplexOptions } from 'node:stream';
import { HoldfastError, messageOf } from '../../../core/errors.ts';
import type { Clock } from '../../../core/clock.ts';

export interface SessionTarget {
  /** Host name or address, or the directory of a Unix socket. */
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly database: string;
  readonly applicationName: string;
  /** Encrypted, without a look at the server's certificate. */
  readonly tls?: boolean;
  /** `physical`: the walsender protocol instead of SQL. */
  readonly replication?: 'physical';
  /** Settings of the session, as command-line options of the server. */
  readonly settings?: Readonly<Record<string, string>>;
}

/** A Duplex's option, which the types of a socket's do not name. */
const unread: SocketConstructorOpts & DuplexOptions = { readableHighWaterMark: 1 };

export type Row = Readonly<Record<string, unknown>>;

/** One connection with time limits. What does not answer in time is cut, so that no call waits on a server that stands still. */
export class Session implements AsyncDisposable {
  readonly #client: Client;
  readonly #clock: Clock;
  readonly #ended: Promise<void>;
  readonly #reported = new Map<string, string>();
  #isOpen = true;

  private constructor(client: Client, clock: Clock) {
    this.#client = client;
    this.#clock = clock;
    this.#ended = new Promise((resolve) => {
      const end = (): void => {
        this.#isOpen = false;
        resolve();
      };
      // Without a listener an error of an idle connection would end the process.
      client.on('error', end);
      client.on('end', end);
    });
    connectionOf(client).on('parameterStatus', ({ parameterName, parameterValue }: { parameterName: string; parameterValue: string }) => {
      this.#reported.set(parameterName, parameterValue);
    });
  }

  /** @throws ENGINE_NOT_ANSWERING, what the server or the network says, the signal's reason */
  static async open(target: SessionTarget, clock: Clock, options: { timeoutMs: number; signal?: AbortSignal }): Promise<Session> {
    options.signal?.throwIfAborted();
    const client = new Client({
      host: target.host,
      port: target.port,
      user: target.user,
      password: target.password,
      database: target.database,
      application_name: target.applicationName,
      // A socket that is not read takes no more from the system than it was reading just then.
      ...(target.replication === undefined ? {} : { replication: 'true', stream: () => new Socket(unread) }),
      options: Object.entries(target.settings ?? {})
        .map(([name, value]) => `-c ${name}=${value}`)
        .join(' '),
      keepAlive: true,
      ssl: target.tls === true ? { rejectUnauthorized: false } : false,
    });
    refusePlainPasswords(client);
    const session = new Session(client, clock);
    try {
      await session.#bounded(client.connect(), `a connection to ${target.host}:${target.port}`, options);
      return session;
    } catch (error) {
      session.cut();
      throw error;
    }
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** Resolves when the connection ends, whoever ended it. */
  get ended(): Promise<void> {
    return this.#ended;
  }

  /** The server process at the other end. */
  get pid(): number {
    return (this.#client as unknown as { processID: number }).processID;
  }

  /** For whoever speaks the protocol itself from here on. */
  get socket(): Socket {
    return connectionOf(this.#client).stream;
  }

  /** A setting that the server reported by itself when the connection began (GUC_REPORT). */
  reported(name: string): string | undefined {
    return this.#reported.get(name);
  }

  /** One with a `name` is prepared when it is first asked, and planned no more: for what is asked all the time. */
  async query(
    sql: string,
    options: { timeoutMs: number; signal?: AbortSignal; values?: readonly unknown[]; name?: string },
  ): Promise<Row[]> {
    const { values, name } = options;
    const statement = { text: sql, ...(values === undefined ? {} : { values: [...values] }), ...(name === undefined ? {} : { name }) };
    const result = await this.#bounded(this.#client.query(statement), 'a query', options);
    return result.rows as Row[];
  }

  /** Cuts the connection at once. */
  cut(): void {
    this.#isOpen = false;
    this.socket.destroy();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#isOpen) return this.cut();
    this.#isOpen = false;
    // A polite end, but one that waits for nobody.
    void this.#client.end().catch(() => {});
  }

  async #bounded<T>(work: Promise<T>, what: string, { timeoutMs, signal }: { timeoutMs: number; signal?: AbortSignal }): Promise<T> {
    const { promise, reject } = Promise.withResolvers<never>();
    using _timer = this.#clock.after(timeoutMs, () => {
      reject(
        new HoldfastError('ENGINE_NOT_ANSWERING', `PostgreSQL did not answer ${what} within ${timeoutMs} ms`, {
          retryable: true,
          hint: "Look at the server's log, and at what else its machine does.",
        }),
      );
    });
    const abort = (): void => reject(signal!.reason);
    signal?.addEventListener('abort', abort, { once: true });
    try {
      return await Promise.race([work, promise]);
    } catch (error) {
      work.catch(() => {});
      if (!isServerError(error)) this.cut();
      throw error;
    } finally {
      signal?.removeEventListener('abort', abort);
    }
  }
}

/** Not in the types of `pg`, but the way it is meant to be extended. */
function connectionOf(client: Client): EventEmitter & { stream: Socket } {
  return (client as unknown as { connection: EventEmitter & { stream: Socket } }).connection;
}

/** Whoever answers at a member's address could ask for the password itself; ours only ever ask for proof of it (SCRAM). */
function refusePlainPasswords(client: Client): void {
  const connection = connectionOf(client);
  for (const request of ['authenticationCleartextPassword', 'authenticationMD5Password']) {
    // Before the client's own listener, which then finds nothing to write to.
    connection.prependListener(request, () =>
      connection.stream.destroy(new Error('the server asks for a password instead of proof of one')),
    );
  }
}

/** An answer of the server (with an SQLSTATE), as opposed to a broken connection. */
export function isServerError(error: unknown): error is Error & { code: string } {
  return error instanceof Error && /^[0-9A-Z]{5}$/.test(String((error as { code?: unknown }).code)) && 'severity' in error;
}

/** Whether it is the server's answer with this SQLSTATE. */
export function hasState(error: unknown, sqlState: string): boolean {
  return isServerError(error) && error.code === sqlState;
}

/** Text of an error for people. */
export function describe(error: unknown): string {
  return isServerError(error) ? `${messageOf(error)} (${error.code})` : messageOf(error);
}

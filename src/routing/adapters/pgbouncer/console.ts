import { Client, DatabaseError } from 'pg';
import { HoldfastError, messageOf } from '../../../core/errors.ts';
import type { PgbouncerConfig } from './config.ts';

export type Row = Readonly<Record<string, unknown>>;

/** PgBouncer's console (its usage page, "Admin console"): commands of the simple query protocol. Connected while it is used. */
export class Console implements AsyncDisposable {
  readonly #config: PgbouncerConfig;
  readonly #where: string;
  #client: Client | undefined;

  constructor(config: PgbouncerConfig) {
    this.#config = config;
    const { host, port } = config.console;
    this.#where = config.socketDirectory === undefined ? `${host}:${port}` : `${config.socketDirectory}/.s.PGSQL.${port}`;
  }

  /**
   * One command; where it is aborted, the connection is given up, and the command may go on.
   * @throws ROUTER_PROGRAM_UNREACHABLE, ROUTER_PROGRAM_DENIED, ROUTER_PROGRAM_UNFIT, the signal's reason
   */
  async run(command: string, signal: AbortSignal): Promise<readonly Row[]> {
    signal.throwIfAborted();
    const client = (this.#client ??= this.#create());
    const aborted = Promise.withResolvers<never>();
    const abort = (): void => aborted.reject(signal.reason as Error);
    signal.addEventListener('abort', abort, { once: true });
    try {
      return await Promise.race([this.#perform(client, command), aborted.promise]);
    } catch (error) {
      this.#giveUp(client);
      throw signal.aborted || error instanceof HoldfastError ? error : this.#failure(command, error);
    } finally {
      signal.removeEventListener('abort', abort);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#client) this.#giveUp(this.#client);
  }

  readonly #connected = new WeakSet<Client>();

  async #perform(client: Client, command: string): Promise<readonly Row[]> {
    if (!this.#connected.has(client)) {
      await client.connect();
      this.#connected.add(client);
    }
    return (await client.query<Record<string, unknown>>(command)).rows;
  }

  #create(): Client {
    const { console: address, socketDirectory, user, password } = this.#config;
    const client = new Client({
      host: socketDirectory ?? address.host,
      port: address.port,
      user,
      password: password?.reveal() ?? '',
      database: 'pgbouncer',
      ssl: false,
      keepAlive: true,
    });
    // Without a listener an error of an idle connection would end the process.
    client.on('error', () => this.#giveUp(client));
    client.on('end', () => this.#giveUp(client));
    return client;
  }

  #giveUp(client: Client): void {
    if (this.#client === client) this.#client = undefined;
    (client as unknown as { connection: { stream: { destroy(): void } } }).connection.stream.destroy();
  }

  #failure(command: string, cause: unknown): HoldfastError {
    const text = messageOf(cause);
    if (cause instanceof DatabaseError && /no such database/.test(text)) {
      return new HoldfastError('ROUTER_PROGRAM_UNFIT', `PgBouncer at ${this.#where} refuses '${command}': ${text}`, {
        retryable: true,
        hint: "Add '%include FILE' with the configured file to PgBouncer's own, and start or reload it.",
        cause,
      });
    }
    if (cause instanceof DatabaseError || (cause as NodeJS.ErrnoException).code === 'EACCES') {
      return new HoldfastError('ROUTER_PROGRAM_DENIED', `PgBouncer at ${this.#where} refuses user '${this.#config.user}': ${text}`, {
        hint: "Name that user in admin_users, and give it the configured password in PgBouncer's auth_file.",
        cause,
      });
    }
    return new HoldfastError('ROUTER_PROGRAM_UNREACHABLE', `PgBouncer does not answer at ${this.#where}: ${text}`, {
      retryable: true,
      hint: 'Start it, or correct router.pgbouncer.console.',
      cause,
    });
  }
}

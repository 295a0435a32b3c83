import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';

/**
 * Clients that each run transactions of several statements one after the other, as pgbench does, and remember what was acknowledged and every
 * error. After an error they connect anew.
 */
export class PooledLoad implements AsyncDisposable {
  readonly acked: number[] = [];
  readonly errors: string[] = [];
  longestMs = 0;
  readonly #connection: string;
  readonly #done: Promise<unknown>;
  #next = 1;
  #stopped = false;

  /** Needs the table `held (id int primary key)` and `tally (client int primary key, n int)`. */
  constructor(connection: string, clients: number) {
    this.#connection = connection;
    this.#done = Promise.all(Array.from({ length: clients }, (_, index) => this.#run(index)));
  }

  /** Waits for `count` more acknowledged transactions. */
  async more(count: number, timeoutMs = 30_000): Promise<void> {
    const target = this.acked.length + count;
    for (const end = performance.now() + timeoutMs; this.acked.length < target; await sleep(10))
      if (performance.now() > end) throw new Error(`no ${count} transactions in time; ${this.errors.slice(-3).join('; ')}`);
  }

  async #run(number: number): Promise<void> {
    let client: pg.Client | undefined;
    while (!this.#stopped) {
      try {
        client ??= await this.#connect();
        const id = this.#next++;
        const beganMs = performance.now();
        await client.query('begin');
        await client.query('insert into held values ($1)', [id]);
        await client.query('insert into tally values ($1, 1) on conflict (client) do update set n = tally.n + 1', [number]);
        await client.query('commit');
        this.acked.push(id);
        this.longestMs = Math.max(this.longestMs, performance.now() - beganMs);
        await sleep(5);
      } catch (error) {
        this.errors.push(error instanceof Error ? error.message : String(error));
        void client?.end().catch(() => {});
        client = undefined;
        await sleep(50);
      }
    }
    await client?.end().catch(() => {});
  }

  async #connect(): Promise<pg.Client> {
    const client = new pg.Client({ connectionString: this.#connection, connectionTimeoutMillis: 20_000, query_timeout: 20_000 });
    client.on('error', () => {});
    await client.connect();
    return client;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopped = true;
    await this.#done;
  }
}

import pg from 'pg';
import type { Runtime } from '../../core/runtime.ts';

const EVERY_MS = 20;
const DEADLINE_MS = 1_000;
const RECONNECT_MS = 10;
const PATIENCE_MS = 5_000;
const ATTEMPTS_MAX = 10;
const AGAIN_MS = 250;
const TABLE = 'holdfast_demo';

/** What a stretch of the load saw. */
export interface Stretch {
  /** Longest time between two acknowledged writes, in milliseconds. */
  readonly gapMs: number;
  readonly acked: number;
  readonly clientErrors: number;
}

export interface LoadPosition {
  /** Rows acknowledged so far. */
  readonly acknowledged: number;
  /** The id of the next row. */
  readonly next: number;
}

/**
 * A client as an application would be: one row every 20 ms through the router, a second of patience, a new connection after an error. It
 * remembers which rows were acknowledged, to ask for them at the end.
 */
export class CheckingLoad implements AsyncDisposable {
  readonly #runtime: Runtime;
  readonly #connection: string;
  readonly #run: string;
  readonly #acked: number[] = [];
  readonly #stop = new AbortController();
  #client: pg.Client | undefined;
  #next = 1;
  #errors = 0;
  #lastAckMs = 0;
  #longestMs = 0;
  #from = { acked: 0, errors: 0 };
  #done: Promise<void> = Promise.resolve();

  constructor(connection: string, runtime: Runtime) {
    this.#connection = connection;
    this.#runtime = runtime;
    this.#run = new Date(runtime.clock.wallMs()).toISOString();
  }

  /** Makes the table and begins. @throws when that fails again and again */
  async start(): Promise<void> {
    await this.#patiently((client) =>
      client.query(`create table if not exists ${TABLE} (run text not null, id bigint not null, primary key (run, id))`),
    );
    this.#lastAckMs = this.#now();
    this.#done = this.#work();
  }

  /** Begins to measure anew. */
  mark(): void {
    this.#from = { acked: this.#acked.length, errors: this.#errors };
    this.#longestMs = 0;
    this.#lastAckMs = this.#now();
  }

  /** What was seen since the last mark; an unfinished gap counts. */
  measure(): Stretch {
    const open = this.#now() - this.#lastAckMs;
    return {
      gapMs: Math.round(Math.max(this.#longestMs, open)),
      acked: this.#acked.length - this.#from.acked,
      clientErrors: this.#errors - this.#from.errors,
    };
  }

  get acknowledged(): number {
    return this.#acked.length;
  }

  /** Where it is: rows with ids from `next` on were not sent yet. */
  get position(): LoadPosition {
    return { acknowledged: this.#acked.length, next: this.#next };
  }

  /** When a row was last acknowledged, on the monotonic clock. */
  get lastAcknowledgedMs(): number {
    return this.#lastAckMs;
  }

  /** How many of the rows with such ids there are. */
  async count(from: number, before: number): Promise<number> {
    const { rows } = await this.#patiently((client) =>
      client.query<{ found: string }>(`select count(*) as found from ${TABLE} where run = $1 and id >= $2 and id < $3`, [
        this.#run,
        from,
        before,
      ]),
    );
    return Number(rows[0]!.found);
  }

  /** How many of the acknowledged rows, from one position up to another, are not there. Asked through the router, so of whoever leads. */
  async lost(from: number, to?: number): Promise<number> {
    const expected = this.#acked.slice(from, to);
    if (expected.length === 0) return 0;
    const { rows } = await this.#patiently((client) =>
      client.query<{ found: string }>(`select count(*) as found from ${TABLE} where run = $1 and id = any($2::bigint[])`, [
        this.#run,
        expected,
      ]),
    );
    return expected.length - Number(rows[0]!.found);
  }

  /** A query beside the load, on a connection of its own: what it waits for is not what is measured. */
  async #patiently<T>(ask: (client: pg.Client) => Promise<T>): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      const client = new pg.Client({
        connectionString: this.#connection,
        connectionTimeoutMillis: PATIENCE_MS,
        query_timeout: PATIENCE_MS,
      });
      client.on('error', () => {});
      try {
        await client.connect();
        return await ask(client);
      } catch (error) {
        if (attempt >= ATTEMPTS_MAX) throw error;
        await this.#runtime.clock.sleep(AGAIN_MS);
      } finally {
        await client.end().catch(() => {});
      }
    }
  }

  async #work(): Promise<void> {
    const { signal } = this.#stop;
    let dueMs = this.#now();
    while (!signal.aborted) {
      const id = this.#next++;
      try {
        const client = this.#client ?? (await this.#connect());
        await client.query(`insert into ${TABLE} (run, id) values ($1, $2)`, [this.#run, id]);
        this.#acknowledged(id);
      } catch {
        if (signal.aborted) break;
        this.#errors++;
        this.#drop();
        await this.#runtime.clock.sleep(RECONNECT_MS, signal).catch(() => {});
      }
      dueMs = Math.max(dueMs + EVERY_MS, this.#now());
      await this.#runtime.clock.sleep(Math.max(0, dueMs - this.#now()), signal).catch(() => {});
    }
    this.#drop();
  }

  #acknowledged(id: number): void {
    const now = this.#now();
    this.#longestMs = Math.max(this.#longestMs, now - this.#lastAckMs);
    this.#lastAckMs = now;
    this.#acked.push(id);
  }

  async #connect(): Promise<pg.Client> {
    const client = new pg.Client({ connectionString: this.#connection, connectionTimeoutMillis: DEADLINE_MS, query_timeout: DEADLINE_MS });
    // A connection that breaks while idle is noticed by the next query.
    client.on('error', () => {});
    try {
      await client.connect();
    } catch (error) {
      void client.end().catch(() => {});
      throw error;
    }
    this.#client = client;
    return client;
  }

  #drop(): void {
    const client = this.#client;
    this.#client = undefined;
    void client?.end().catch(() => {});
  }

  #now(): number {
    return this.#runtime.clock.monotonicMs();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort(new Error('the load stops'));
    await this.#done;
  }
}

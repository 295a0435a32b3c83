import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';

const EVERY_MS = 20;
const DEADLINE_MS = 1_000;
/** A refused connection comes back within a millisecond: trying again without a pause would take the processor from what is measured. */
const RECONNECT_MS = 10;

export const TABLE = 'bench_row';

export interface Ack {
  readonly id: number;
  /** `performance.now()` when it was sent, and when its acknowledgement came. */
  readonly sentMs: number;
  readonly atMs: number;
  /** Port of the server that took it. */
  readonly server: number;
}

export interface ClientError {
  readonly atMs: number;
  readonly message: string;
}

/**
 * A client as an application would be: one row every 20 ms, a second of patience, a new connection at once after an error. A row whose fate is
 * unknown is not sent again. It remembers every acknowledgement.
 */
export class RowClient implements AsyncDisposable {
  readonly source: string;
  readonly acks: Ack[] = [];
  readonly errors: ClientError[] = [];
  readonly #connection: string;
  readonly #stop = new AbortController();
  #client: pg.Client | undefined;
  #next = 1;
  #paused = false;
  #done: Promise<void> = Promise.resolve();

  /** @param source tells its rows from those of others */
  constructor(connection: string, source: string) {
    this.#connection = connection;
    this.source = source;
  }

  start(): void {
    this.#done = this.#work();
  }

  /** Sends nothing until what this returns is disposed of. */
  pause(): Disposable {
    this.#paused = true;
    return { [Symbol.dispose]: () => void (this.#paused = false) };
  }

  /** The first row that was sent at or after then and has been acknowledged. */
  firstSentAfter(fromMs: number, accept: (ack: Ack) => boolean = () => true): Ack | undefined {
    let found: Ack | undefined;
    for (let index = this.acks.length - 1; index >= 0 && this.acks[index]!.atMs >= fromMs; index--) {
      const ack = this.acks[index]!;
      if (ack.sentMs >= fromMs && accept(ack)) found = ack;
    }
    return found;
  }

  /** The longest time between two acknowledgements of which the later came in the interval; `fromMs` is that of the pause's cause. */
  longestGap(fromMs: number, toMs: number): { gapMs: number; endedMs: number } {
    let longest = { gapMs: 0, endedMs: fromMs };
    let before: number | undefined;
    for (const { atMs } of this.acks) {
      if (atMs > toMs) break;
      if (before !== undefined && atMs >= fromMs && atMs - before > longest.gapMs) longest = { gapMs: atMs - before, endedMs: atMs };
      before = atMs;
    }
    return longest;
  }

  async #work(): Promise<void> {
    const { signal } = this.#stop;
    let dueMs = performance.now();
    while (!signal.aborted) {
      if (this.#paused) {
        await sleep(EVERY_MS, undefined, { signal }).catch(() => {});
        continue;
      }
      const id = this.#next++;
      try {
        const client = this.#client ?? (await this.#connect());
        const sentMs = performance.now();
        const { rows } = await client.query<{ server: number }>(
          `insert into ${TABLE} (source, id) values ($1, $2) returning inet_server_port() as server`,
          [this.source, id],
        );
        this.acks.push({ id, sentMs, atMs: performance.now(), server: rows[0]!.server });
      } catch (error) {
        if (signal.aborted) break;
        this.errors.push({ atMs: performance.now(), message: error instanceof Error ? error.message : String(error) });
        this.#drop();
        await sleep(RECONNECT_MS, undefined, { signal }).catch(() => {});
        continue;
      }
      dueMs = Math.max(dueMs + EVERY_MS, performance.now());
      await sleep(Math.max(0, dueMs - performance.now()), undefined, { signal }).catch(() => {});
    }
    this.#drop();
  }

  async #connect(): Promise<pg.Client> {
    const client = new pg.Client({ connectionString: this.#connection, connectionTimeoutMillis: DEADLINE_MS, query_timeout: DEADLINE_MS });
    // A connection that breaks while idle is noticed by the next row.
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

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#done;
  }
}

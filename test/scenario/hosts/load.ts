import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { judge, type Verdict, type Write } from './history.ts';

const EVERY_MS = 25;
const CONNECT_MS_MAX = 1_000;
const ANSWER_MS_MAX = 2_000;
const AGAIN_MS = 25;
/** SQLSTATE of a write to a replica: certainly not done. */
const READ_ONLY = '25006';
const REFUSED_MS = 100;
const READ_MS_MAX = 10_000;
/** How often the rows are asked for before that counts as failed. */
const READS_MAX = 60;
const READ_AGAIN_MS = 250;
const POLL_MS = 20;
/** Rows of one client: its number times this, and what it counts. */
const ROWS = 1_000_000_000;

export interface LoadClient {
  readonly name: string;
  /** Where it connects; after a failure, to the next. One that has but one sticks to it, whatever happens. */
  readonly connections: readonly string[];
}

/**
 * Clients as applications are: each writes one row after the other, waits a limited time for the answer, then connects anew and writes the next. A
 * row is never sent twice. Each answer says on which server and timeline the row was written.
 */
export class Load implements AsyncDisposable {
  readonly writes: Write[] = [];
  readonly #clients: readonly LoadClient[];
  readonly #table: string;
  readonly #stop = new AbortController();
  #done: Promise<unknown> = Promise.resolve();
  #mark = 0;
  #markMs = performance.now();

  constructor(clients: readonly LoadClient[], table = 'held') {
    this.#clients = clients;
    this.#table = table;
  }

  /** Makes the table and begins. */
  async start(): Promise<void> {
    await this.#patiently((client) => client.query(`create table if not exists ${this.#table} (row bigint not null)`));
    this.mark();
    this.#done = Promise.all(this.#clients.map((client, n) => this.#work(client, (n + 1) * ROWS)));
  }

  /** Begins to measure anew. */
  mark(): void {
    this.#mark = this.writes.length;
    this.#markMs = performance.now();
  }

  /** What ended since the mark, of one client or of all that go to whoever leads. */
  since(client?: string): Write[] {
    const roaming = new Set(this.#clients.filter(({ connections }) => connections.length > 1).map(({ name }) => name));
    return this.writes.slice(this.#mark).filter((write) => (client === undefined ? roaming.has(write.client) : write.client === client));
  }

  /** Of the clients that go to whoever leads, since the mark: the longest time without an acknowledgement (one that lasts counts), and what failed. */
  measure(): { gapMs: number; acknowledged: number; unknown: number } {
    const seen = this.since();
    const ends = seen.filter(({ outcome }) => outcome === 'acknowledged').map(({ endedMs }) => endedMs);
    const times = [this.#markMs, ...ends, performance.now()];
    const gaps = times.slice(1).map((time, n) => time - times[n]!);
    return { gapMs: Math.round(Math.max(...gaps)), acknowledged: ends.length, unknown: seen.length - ends.length };
  }

  /** Resolves when clients that go to whoever leads have `count` more rows acknowledged. @throws when that takes too long */
  async flows(count = 20, timeoutMs = 30_000): Promise<void> {
    const before = this.measure().acknowledged;
    for (const endMs = performance.now() + timeoutMs; performance.now() < endMs; await sleep(POLL_MS))
      if (this.measure().acknowledged >= before + count) return;
    throw new Error(`writes do not flow: ${JSON.stringify(this.measure())} since the mark, after ${timeoutMs} ms`);
  }

  /** Compares what was acknowledged until now with what is there, as whoever leads tells it. */
  async verify(): Promise<Verdict> {
    const writes = [...this.writes];
    const present = new Map<number, number>();
    const { rows } = await this.#patiently((client) =>
      client.query<{ row: string; times: string }>(`select row, count(*) as times from ${this.#table} group by row`),
    );
    for (const { row, times } of rows) present.set(Number(row), Number(times));
    // What was sent meanwhile may be there, too.
    const later = new Set(this.writes.slice(writes.length).map(({ row }) => row));
    const verdict = judge(writes, present);
    return { ...verdict, invented: verdict.invented.filter((row) => !later.has(row) && !this.#underWay.has(row)) };
  }

  readonly #underWay = new Set<number>();

  async #work({ name, connections }: LoadClient, first: number): Promise<void> {
    const { signal } = this.#stop;
    let client: pg.Client | undefined;
    for (let row = first, at = 0; !signal.aborted; row++) {
      const invokedMs = performance.now();
      this.#underWay.add(row);
      let sent = false;
      try {
        client ??= await connect(connections[at % connections.length]!);
        sent = true;
        const answer = await client.query<{ server: string; timeline: string }>({
          name: 'write',
          text: `insert into ${this.#table} values ($1) returning host(inet_server_addr()) as server, left(pg_walfile_name(pg_current_wal_insert_lsn()), 8) as timeline`,
          values: [row],
        });
        const { server, timeline } = answer.rows[0]!;
        this.writes.push({
          row,
          client: name,
          invokedMs,
          endedMs: performance.now(),
          outcome: 'acknowledged',
          timeline: parseInt(timeline, 16),
          server,
        });
        await sleep(Math.max(0, EVERY_MS - (performance.now() - invokedMs)), undefined, { signal }).catch(() => {});
      } catch (error) {
        const refused = (error as { code?: unknown }).code === READ_ONLY;
        if (sent && !refused)
          this.writes.push({ row, client: name, invokedMs, endedMs: Infinity, outcome: 'unknown', timeline: 0, server: '' });
        if (!refused || connections.length > 1) {
          drop(client);
          client = undefined;
          at++;
        }
        await sleep(refused ? REFUSED_MS : AGAIN_MS, undefined, { signal }).catch(() => {});
      }
      this.#underWay.delete(row);
    }
    drop(client);
  }

  /** Asks through one connection after the other until one answers. */
  async #patiently<T>(ask: (client: pg.Client) => Promise<T>): Promise<T> {
    const connections = this.#clients.flatMap((client) => (client.connections.length > 1 ? client.connections : []));
    for (let reads = 1; ; reads++) {
      let client: pg.Client | undefined;
      try {
        client = await connect(connections[reads % connections.length]!, READ_MS_MAX);
        return await ask(client);
      } catch (error) {
        if (reads >= READS_MAX) throw error;
        await sleep(READ_AGAIN_MS);
      } finally {
        drop(client);
      }
    }
  }

  /** Ends the load; what was recorded stays. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#done;
  }
}

async function connect(connectionString: string, answerMs = ANSWER_MS_MAX): Promise<pg.Client> {
  const client = new pg.Client({ connectionString, connectionTimeoutMillis: CONNECT_MS_MAX, query_timeout: answerMs });
  // What breaks while nothing is asked is noticed by the next query.
  client.on('error', () => {});
  try {
    await client.connect();
  } catch (error) {
    drop(client);
    throw error;
  }
  return client;
}

function drop(client: pg.Client | undefined): void {
  void client?.end().catch(() => {});
}

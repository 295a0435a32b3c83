import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { Entry, Expectation, SwapResult, Ticket, WatchEvent } from '../../store.ts';
import { inTransaction } from './database.ts';
import type { Operations, Wait } from './protocol.ts';

/** Changes remembered for watches. */
const changesMax = 10_000n;
/** The oldest are let go of in steps of so many. */
const pruneStep = 256n;

interface EntryRow {
  readonly key: string;
  readonly value: string;
  readonly revision: bigint;
  readonly session: string | null;
}

interface PlaceRow {
  readonly number: bigint;
  readonly label: string;
  readonly session: string;
}

/** An entry that is there for readers: of no session, or of one that lives. What has expired is gone, even if nobody has cleared it away yet. */
const liveEntries =
  'select key, value, revision, session from entry where (session is null or session in (select id from session where deadline_ms > ?))';
const livePlaces = 'select number, label, session from place where session in (select id from session where deadline_ms > ?)';

/**
 * The store's rules in SQL. One transaction per call; SQLite's busy errors go to the caller, who tries again.
 * @param now milliseconds on the clock that all processes of this machine share
 */
export class EmbeddedOperations implements Operations {
  readonly #db: DatabaseSync;
  readonly #now: () => number;
  readonly #statements = new Map<string, StatementSync>();
  #durable = true;

  constructor(db: DatabaseSync, now: () => number) {
    this.#db = db;
    this.#now = now;
  }

  openSession(id: string, name: string, ttlMs: number): void {
    this.#write('fast', () => this.#run('insert into session values (?, ?, ?, ?)', id, name, ttlMs, this.#now() + ttlMs));
  }

  renewSession(id: string): boolean {
    // Whoever clears away what has expired does so in one transaction, and this one checks again: there is no second life.
    return this.#write(
      'fast',
      () => this.#run('update session set deadline_ms = ? + ttl_ms where id = ? and deadline_ms > ?', this.#now(), id, this.#now()) === 1n,
    );
  }

  endSession(id: string): void {
    this.#write('fast', () => this.#end(id));
  }

  isSessionAlive(id: string): boolean {
    return this.#one<unknown>('select 1 from session where id = ? and deadline_ms > ?', id, this.#now()) !== undefined;
  }

  get(key: string): Entry | undefined {
    const row = this.#one<EntryRow>(`${liveEntries} and key = ?`, this.#now(), key);
    return row && entryOf(row);
  }

  list(prefix: string): Entry[] {
    return this.#all<EntryRow>(`${liveEntries} and key >= ? and key < ? order by key`, this.#now(), ...below(prefix)).map(entryOf);
  }

  swap(key: string, value: string, expect: Expectation, sessionId: string | undefined): SwapResult | 'session-lost' {
    return this.#write('durable', () => {
      if (sessionId !== undefined && !this.isSessionAlive(sessionId)) return 'session-lost';
      const current = this.get(key);
      if ((current?.revision ?? 'absent') !== expect) return { swapped: false, current };
      const revision = this.#changed(key);
      this.#run(
        'insert into entry values (?1, ?2, ?3, ?4) on conflict (key) do update set value = ?2, revision = ?3, session = ?4',
        key,
        value,
        revision,
        sessionId ?? null,
      );
      return { swapped: true, revision };
    });
  }

  remove(key: string, expect: bigint): boolean {
    return this.#write('durable', () => {
      if (this.#run('delete from entry where key = ? and revision = ?', key, expect) === 0n) return false;
      this.#changed(key);
      return true;
    });
  }

  enqueue(queue: string, label: string, sessionId: string): bigint | 'session-lost' {
    return this.#write('fast', () => {
      if (!this.isSessionAlive(sessionId)) return 'session-lost';
      const number = this.#nextRevision();
      this.#run('insert into place values (?, ?, ?, ?)', number, queue, label, sessionId);
      return number;
    });
  }

  queue(queue: string): Ticket[] {
    const rows = this.#all<PlaceRow>(`${livePlaces} and queue = ? order by number`, this.#now(), queue);
    return rows.map(({ number, label, session }) => ({ key: placeKey(queue, number), label, order: number, sessionId: session }));
  }

  leave(place: bigint): void {
    this.#write('fast', () => this.#run('delete from place where number = ?', place));
  }

  watch(key: string, after: bigint | undefined): { events: WatchEvent[]; revision: bigint } | Wait {
    return this.#read(() => {
      const { revision, compacted } = this.#one<{ revision: bigint; compacted: bigint }>('select revision, compacted from store')!;
      const [from, to] = below(key);
      // A revision from beyond the present one was read from a file that is no longer this one.
      if (after === undefined || after < compacted || after > revision) {
        const rows = this.#all<EntryRow>(`${liveEntries} and (key = ? or (key >= ? and key < ?)) order by key`, this.#now(), key, from, to);
        return {
          events: [{ type: 'snapshot', entries: rows.map(entryOf), reason: after === undefined ? 'start' : 'compacted' }],
          revision,
        };
      }
      const changes = this.#all<{ key: string; revision: bigint }>(
        'select key, max(revision) as revision from change where revision > ? and (key = ? or (key >= ? and key < ?)) group by key order by 2',
        after,
        key,
        from,
        to,
      );
      const events = changes.map((change): WatchEvent => {
        const entry = this.get(change.key);
        return entry === undefined ? { type: 'deleted', ...change } : { type: 'put', entry };
      });
      return events.length === 0 ? 'wait' : { events, revision };
    });
  }

  untilGone(place: bigint): true | Wait {
    return this.#one<unknown>(`${livePlaces} and number = ?`, this.#now(), place) === undefined ? true : 'wait';
  }

  /** When the next session ends if it is not renewed; undefined: there is none. */
  nextDeadlineMs(): number | undefined {
    return this.#one<{ deadline: number | null }>('select min(deadline_ms) as deadline from session')?.deadline ?? undefined;
  }

  /** Clears away what has expired, so that those who watch hear of it. */
  expire(): void {
    this.#write('fast', () => {});
  }

  /** A number that changes with each commit of another connection. */
  dataVersion(): bigint {
    return this.#one<{ data_version: bigint }>('pragma data_version')!.data_version;
  }

  /**
   * `durable`: flushed before it is answered. `fast`: survives the end of every process, but perhaps not of the machine, with which all
   * sessions end anyway; the revisions it used are never used again (see `revisionsPerBoot`).
   */
  #write<T>(durability: 'durable' | 'fast', work: () => T): T {
    const durable = durability === 'durable';
    if (durable !== this.#durable) {
      this.#db.exec(`pragma synchronous = ${durable ? 'full' : 'normal'}`);
      this.#durable = durable;
    }
    return inTransaction(this.#db, () => {
      for (const { id } of this.#all<{ id: string }>('select id from session where deadline_ms <= ?', this.#now())) this.#end(id);
      return work();
    });
  }

  #read<T>(work: () => T): T {
    this.#db.exec('begin');
    try {
      return work();
    } finally {
      this.#db.exec('commit');
    }
  }

  #end(sessionId: string): void {
    this.#run('delete from session where id = ?', sessionId);
    this.#run('delete from place where session = ?', sessionId);
    for (const { key } of this.#all<{ key: string }>('delete from entry where session = ? returning key', sessionId)) this.#changed(key);
  }

  #changed(key: string): bigint {
    const revision = this.#nextRevision();
    this.#run('insert into change values (?, ?)', revision, key);
    if (revision % pruneStep === 0n) this.#prune(revision - changesMax);
    return revision;
  }

  #prune(upTo: bigint): void {
    if (this.#run('delete from change where revision <= ?', upTo) > 0n) this.#run('update store set compacted = ?', upTo);
  }

  #nextRevision(): bigint {
    return this.#one<{ revision: bigint }>('update store set revision = revision + 1 returning revision')!.revision;
  }

  // oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- says what the statement selects
  #one<Row>(sql: string, ...parameters: Parameter[]): Row | undefined {
    return this.#prepare(sql).get(...parameters) as Row | undefined;
  }

  #all<Row>(sql: string, ...parameters: Parameter[]): Row[] {
    return this.#prepare(sql).all(...parameters) as Row[];
  }

  /** How many rows changed. */
  #run(sql: string, ...parameters: Parameter[]): bigint {
    return BigInt(this.#prepare(sql).run(...parameters).changes);
  }

  /** The texts are constants of this file, so there are only as many statements. */
  #prepare(sql: string): StatementSync {
    let statement = this.#statements.get(sql);
    if (statement === undefined) {
      statement = this.#db.prepare(sql);
      statement.setReadBigInts(true);
      this.#statements.set(sql, statement);
    }
    return statement;
  }
}

type Parameter = string | number | bigint | null;

export function placeKey(queue: string, number: bigint): string {
  return `${queue}#${number}`;
}

function entryOf({ key, value, revision, session }: EntryRow): Entry {
  return { key, value, revision, sessionId: session ?? undefined };
}

/** The range of keys below a prefix: '0' is the character after '/'. */
function below(prefix: string): [string, string] {
  return [`${prefix}/`, `${prefix}0`];
}

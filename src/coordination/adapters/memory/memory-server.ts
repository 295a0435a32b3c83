import type { Clock } from '../../../core/clock.ts';
import type { Entry, Expectation, SwapResult, Ticket } from '../../store.ts';

/** Changes remembered for watches; older ones are compacted away. */
const historyMax = 10_000;
/** Requests that a stopped server takes in and answers when it goes on. */
const backlogMax = 1_000;

export interface Change {
  readonly key: string;
  readonly revision: bigint;
  /** Undefined: deleted. */
  readonly entry: Entry | undefined;
}

export interface Snapshot {
  readonly entries: readonly Entry[];
  readonly revision: bigint;
}

/** A place in a queue as the server keeps it. */
export interface Place extends Ticket {
  readonly queue: string;
  readonly mark: string;
}

interface ServerSession {
  readonly ttlMs: number;
  expiresMs: number;
}

/**
 * A whole coordination store in one object: what etcd's servers are to etcd's clients. Time comes from its clock alone, so that it runs in
 * the simulator. Operations are synchronous and atomic; clients reach them through a MemoryLink, never directly.
 */
export class MemoryServer {
  readonly #clock: Clock;
  readonly #entries = new Map<string, Entry>();
  readonly #places = new Map<string, Place>();
  readonly #sessions = new Map<string, ServerSession>();
  readonly #listeners = new Set<(key: string) => void>();
  readonly #history: Change[] = [];
  /** Changes up to and including this revision are forgotten. */
  #compacted = 0n;
  #revision = 0n;
  #sessionCount = 0;
  #condition: 'up' | 'refusing' | 'silent' = 'up';
  #backlog: (() => void)[] = [];

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Ends it as a crash does: clients are refused until `start`. What was written stays. */
  crash(): void {
    this.#condition = 'refusing';
    this.#backlog = [];
  }

  /** Stops it as SIGSTOP does: requests are taken in and answered after `start`, if anybody still waits by then. */
  pause(): void {
    this.#condition = 'silent';
  }

  /** Goes on after `crash` or `pause`. Sessions get their whole TTL again, as a new leader of etcd or ZooKeeper grants it. */
  start(): void {
    if (this.#condition === 'up') return;
    this.#condition = 'up';
    for (const [id, session] of this.#sessions) this.#extend(id, session);
    const waiting = this.#backlog;
    this.#backlog = [];
    for (const run of waiting) run();
  }

  /** Forgets all changes up to now. */
  compact(): void {
    this.#compacted = this.#revision;
    this.#history.length = 0;
  }

  /** Runs a request that has arrived; false when it is refused. */
  take(run: () => void): boolean {
    if (this.#condition === 'up') run();
    else if (this.#condition === 'silent' && this.#backlog.length < backlogMax) this.#backlog.push(run);
    return this.#condition !== 'refusing';
  }

  /** Calls back with the key of every change and every queue place that goes. */
  subscribe(listener: (key: string) => void): Disposable {
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) };
  }

  openSession(ttlMs: number): string {
    this.#sessionCount += 1;
    const id = `memory-${this.#sessionCount}`;
    const session = { ttlMs, expiresMs: 0 };
    this.#sessions.set(id, session);
    this.#extend(id, session);
    return id;
  }

  renewSession(id: string): boolean {
    const session = this.#sessions.get(id);
    if (session === undefined) return false;
    session.expiresMs = this.#clock.monotonicMs() + session.ttlMs;
    return true;
  }

  endSession(id: string): void {
    if (!this.#sessions.delete(id)) return;
    for (const entry of this.#entries.values()) if (entry.sessionId === id) this.#delete(entry.key);
    for (const place of this.#places.values()) if (place.sessionId === id) this.leave(place.key);
  }

  isSessionAlive(id: string): boolean {
    return this.#sessions.has(id);
  }

  get(key: string): Entry | undefined {
    return this.#entries.get(key);
  }

  /** The entries that match, by key, and the revision at which it was so. */
  read(matches: (key: string) => boolean): Snapshot {
    const entries = [...this.#entries.values()].filter((entry) => matches(entry.key)).toSorted((a, b) => (a.key < b.key ? -1 : 1));
    return { entries, revision: this.#revision };
  }

  /** What changed after a revision, oldest first; undefined when that is forgotten. */
  changes(matches: (key: string) => boolean, after: bigint): { changes: Change[]; revision: bigint } | undefined {
    if (after < this.#compacted) return undefined;
    return { changes: this.#history.filter((change) => change.revision > after && matches(change.key)), revision: this.#revision };
  }

  /** `session-lost` when the key is to be bound to a session that does not live. */
  swap(key: string, value: string, expect: Expectation, sessionId: string | undefined): SwapResult | 'session-lost' {
    if (sessionId !== undefined && !this.#sessions.has(sessionId)) return 'session-lost';
    const current = this.#entries.get(key);
    if ((current?.revision ?? 'absent') !== expect) return { swapped: false, current };
    this.#revision += 1n;
    const entry: Entry = { key, value, revision: this.#revision, sessionId };
    this.#entries.set(key, entry);
    this.#record({ key, revision: this.#revision, entry });
    return { swapped: true, revision: this.#revision };
  }

  remove(key: string, expect: bigint): boolean {
    if (this.#entries.get(key)?.revision !== expect) return false;
    this.#delete(key);
    return true;
  }

  /** Asked again with the same mark, it gives the same place. */
  enqueue(queue: string, label: string, sessionId: string, mark: string): Place | 'session-lost' {
    if (!this.#sessions.has(sessionId)) return 'session-lost';
    const known = this.#places.values().find((place) => place.mark === mark);
    if (known !== undefined) return known;
    this.#revision += 1n;
    const place: Place = { key: `queue:${this.#revision}`, queue, label, order: this.#revision, sessionId, mark };
    this.#places.set(place.key, place);
    return place;
  }

  queue(queue: string): Place[] {
    return [...this.#places.values()].filter((place) => place.queue === queue);
  }

  hasPlace(key: string): boolean {
    return this.#places.has(key);
  }

  leave(key: string): void {
    if (this.#places.delete(key)) this.#tell(key);
  }

  #delete(key: string): void {
    this.#entries.delete(key);
    this.#revision += 1n;
    this.#record({ key, revision: this.#revision, entry: undefined });
  }

  #record(change: Change): void {
    this.#history.push(change);
    if (this.#history.length > historyMax) this.#compacted = this.#history.shift()!.revision;
    this.#tell(change.key);
  }

  #tell(key: string): void {
    for (const listener of this.#listeners) listener(key);
  }

  #extend(id: string, session: ServerSession): void {
    session.expiresMs = this.#clock.monotonicMs() + session.ttlMs;
    const check = (): void => {
      // A server that does not run expires nothing; `start` arms this again.
      if (this.#sessions.get(id) !== session || this.#condition !== 'up') return;
      const leftMs = session.expiresMs - this.#clock.monotonicMs();
      if (leftMs > 0) this.#clock.after(Math.max(1, leftMs), check);
      else this.endSession(id);
    };
    this.#clock.after(session.ttlMs, check);
  }
}

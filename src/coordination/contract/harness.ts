import type { Clock } from '../../core/clock.ts';
import type { CoordinationStore, Entry, WatchEvent } from '../store.ts';

/**
 * A real store to test, with as many independent clients as a test wants (each with its own connection). Optional members are faults:
 * a test that needs one which is not offered is not registered, so the object must be complete when the suite is described.
 */
export interface StoreHarness {
  /** The clock that the clients run on. */
  readonly clock: Clock;
  /** TTL of the tests' sessions: as short as the store keeps reliably. */
  readonly ttlMs: number;
  /** Starts the store, empty. Once, before all tests. */
  start(): Promise<void>;
  /** Ends the store and removes all it left. Closes clients that are still open. */
  stop(): Promise<void>;
  /** A new client. The test disposes of it. */
  open(): Promise<CoordinationStore>;
  /** Lets time pass while nothing of this process runs: no timer, no reply. Real clocks: `blockThread`. When it resolves, no timer has run yet. */
  stall(durationMs: number): void | Promise<void>;

  /** Cuts one client off the store, silently (packets vanish); others go on. */
  cut?(client: CoordinationStore): Promise<void>;
  restore?(client: CoordinationStore): Promise<void>;
  /** Stops the whole store as SIGSTOP does: connections stay open, nothing answers. */
  pause?(): Promise<void>;
  resume?(): Promise<void>;
  /** Ends the store's processes and starts them again on the same data. */
  restart?(): Promise<void>;
  /** Makes another of the store's servers its leader. Resolves when it leads. */
  changeLeader?(): Promise<void>;
  /** Makes the store forget all changes up to now (not the present state). */
  compact?(): Promise<void>;
}

/** The `stall` of harnesses on real clocks: the thread sleeps, its event loop stands still. */
export function blockThread(durationMs: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, durationMs);
}

let names = 0;

/** A name that no other test of this process uses. */
export function freshName(): string {
  return `t${++names}`;
}

/** Waits for a promise, but not for ever. */
export async function within<T>(clock: Clock, limitMs: number, what: string, promise: Promise<T>): Promise<T> {
  const done = new AbortController();
  const late = clock.sleep(limitMs, done.signal).then(
    () => {
      throw new Error(`${what}: not within ${limitMs} ms`);
    },
    () => new Promise<never>(() => {}),
  );
  try {
    return await Promise.race([promise, late]);
  } finally {
    done.abort();
  }
}

/** Polls until the condition holds. */
export async function eventually(clock: Clock, limitMs: number, what: string, condition: () => boolean | Promise<boolean>): Promise<void> {
  const deadlineMs = clock.monotonicMs() + limitMs;
  while (!(await condition())) {
    if (clock.monotonicMs() > deadlineMs) throw new Error(`${what}: not within ${limitMs} ms`);
    await clock.sleep(10);
  }
}

/** Repeats a call while the store is away. For calls that are safe to repeat. */
export async function untilReachable<T>(clock: Clock, limitMs: number, call: () => Promise<T>): Promise<T> {
  const deadlineMs = clock.monotonicMs() + limitMs;
  for (;;) {
    try {
      return await call();
    } catch (error) {
      const retryable = (error as { code?: string }).code === 'COORD_UNREACHABLE';
      if (!retryable || clock.monotonicMs() > deadlineMs) throw error;
      await clock.sleep(50);
    }
  }
}

/** Whether a promise is settled already, after everything that is due now has run. */
export async function isSettled(clock: Clock, promise: Promise<unknown>, graceMs = 150): Promise<boolean> {
  let settled = false;
  const mark = (): void => {
    settled = true;
  };
  promise.then(mark, mark);
  await clock.sleep(graceMs);
  return settled;
}

/** What a watch has told so far: all its events, and the state they add up to. */
export class WatchedState implements AsyncDisposable {
  readonly events: WatchEvent[] = [];
  readonly values = new Map<string, string>();
  /** Changes told with a lower revision than an earlier one of the same key: always empty on a correct store. */
  readonly disorder: WatchEvent[] = [];
  readonly #revisions = new Map<string, bigint>();
  readonly #abort = new AbortController();
  readonly #done: Promise<void>;

  constructor(store: CoordinationStore, key: string) {
    this.#done = this.#follow(store.watch(key, { signal: this.#abort.signal }));
    // Read by `end`; until then a failure must not count as unhandled.
    this.#done.catch(() => {});
  }

  async #follow(events: AsyncIterable<WatchEvent>): Promise<void> {
    for await (const event of events) {
      this.events.push(event);
      if (event.type === 'snapshot') {
        this.values.clear();
        for (const entry of event.entries) this.#put(event, entry);
      } else if (event.type === 'put') {
        this.#put(event, event.entry);
      } else {
        this.#see(event, event.key, event.revision);
        this.values.delete(event.key);
      }
    }
  }

  #put(event: WatchEvent, entry: Entry): void {
    this.#see(event, entry.key, entry.revision);
    this.values.set(entry.key, entry.value);
  }

  #see(event: WatchEvent, key: string, revision: bigint): void {
    if (revision < (this.#revisions.get(key) ?? 0n)) this.disorder.push(event);
    this.#revisions.set(key, revision);
  }

  get snapshots(): string[] {
    return this.events.flatMap((event) => (event.type === 'snapshot' ? [event.reason] : []));
  }

  /** Ends the watch; throws what it threw. */
  async end(): Promise<void> {
    this.#abort.abort(new Error('test over'));
    await this.#done;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#abort.abort(new Error('test over'));
    await this.#done.catch(() => {});
  }
}

import type { CoordinationStore, Entry } from '../coordination/store.ts';
import { HoldfastError, messageOf } from '../core/errors.ts';
import type { Runtime } from '../core/runtime.ts';
import {
  historySchema,
  leadershipSchema,
  settingsSchema,
  type HistoryRecord,
  type LeadershipRecord,
  type SettingsRecord,
  type Versioned,
} from './records.ts';

const WATCH_RETRY_MS = 1_000;

/** One service's records in the coordination store: watched, read, swapped. */
export class LeadershipStore implements AsyncDisposable {
  readonly #store: CoordinationStore;
  readonly #runtime: Runtime;
  readonly #root: string;
  readonly #stop = new AbortController();
  readonly #watching: Promise<void>;
  readonly #listeners = new Set<() => void>();
  #leadership: Versioned<LeadershipRecord> | null | undefined;
  #settings: Versioned<SettingsRecord> | undefined;

  constructor(store: CoordinationStore, runtime: Runtime, service: string) {
    this.#store = store;
    this.#runtime = runtime;
    this.#root = `services/${service}`;
    this.#watching = this.#watch();
  }

  /** As last seen. Undefined: never read; null: there is none. */
  get leadership(): Versioned<LeadershipRecord> | null | undefined {
    return this.#leadership;
  }

  get paused(): boolean {
    return this.#settings?.value.paused ?? false;
  }

  onChange(listener: () => void): Disposable {
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) };
  }

  /** Reads the record as it is now (linearizable). @throws COORD_UNREACHABLE, STORE_RECORD_DAMAGED */
  async refresh(signal: AbortSignal): Promise<Versioned<LeadershipRecord> | null> {
    const entry = await this.#store.get(`${this.#root}/leadership`, { signal });
    return this.#see(entry);
  }

  /**
   * Swaps the record if it is still at `expect`. After a lost reply the record is read again: it tells by its content whether the swap was ours.
   * @returns the new version, or undefined when somebody else was faster
   */
  async swap(next: LeadershipRecord, expect: bigint | 'absent', signal: AbortSignal): Promise<Versioned<LeadershipRecord> | undefined> {
    const text = JSON.stringify(next);
    try {
      const result = await this.#store.swap(`${this.#root}/leadership`, text, expect, { signal });
      if (!result.swapped) {
        this.#see(result.current);
        return undefined;
      }
      return this.#accept({ value: next, revision: result.revision });
    } catch (error) {
      if (!(error instanceof HoldfastError && error.code === 'COORD_UNREACHABLE')) throw error;
      const entry = await this.#store.get(`${this.#root}/leadership`, { signal });
      const now = this.#see(entry);
      return entry?.value === text && now !== null ? now : undefined;
    }
  }

  async setPaused(paused: boolean, signal: AbortSignal): Promise<void> {
    for (;;) {
      const entry = await this.#store.get(`${this.#root}/settings`, { signal });
      const result = await this.#store.swap(`${this.#root}/settings`, JSON.stringify({ paused }), entry?.revision ?? 'absent', { signal });
      if (result.swapped) {
        this.#settings = { value: { paused }, revision: result.revision };
        return this.#notify();
      }
    }
  }

  async addHistory(record: HistoryRecord, signal: AbortSignal): Promise<void> {
    await this.#store.swap(`${this.#root}/history/${String(record.term).padStart(10, '0')}`, JSON.stringify(record), 'absent', { signal });
  }

  async history(signal: AbortSignal): Promise<HistoryRecord[]> {
    const entries = await this.#store.list(`${this.#root}/history`, { signal });
    return entries.flatMap((entry) => {
      const parsed = historySchema.safeParse(parseJson(entry.value));
      return parsed.success ? [parsed.data] : [];
    });
  }

  async isSessionAlive(session: string, signal: AbortSignal): Promise<boolean> {
    return this.#store.isSessionAlive(session, { signal });
  }

  async #watch(): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      try {
        for await (const event of this.#store.watch(this.#root, { signal })) {
          if (event.type === 'snapshot') {
            this.#see(event.entries.find((entry) => entry.key === `${this.#root}/leadership`));
            this.#seeSettings(event.entries.find((entry) => entry.key === `${this.#root}/settings`));
          } else if (event.type === 'put') {
            if (event.entry.key === `${this.#root}/leadership`) this.#see(event.entry);
            if (event.entry.key === `${this.#root}/settings`) this.#seeSettings(event.entry);
          } else if (event.key === `${this.#root}/leadership`) {
            this.#see(undefined);
          }
        }
      } catch (error) {
        if (signal.aborted) return;
        this.#runtime.logger.warn('failover.watch.failed', { root: this.#root, error: messageOf(error) });
        await this.#runtime.clock.sleep(WATCH_RETRY_MS, signal).catch(() => {});
      }
    }
  }

  #seeSettings(entry: Entry | undefined): void {
    if (entry === undefined) this.#settings = undefined;
    else {
      const parsed = settingsSchema.safeParse(parseJson(entry.value));
      if (parsed.success) this.#settings = { value: parsed.data, revision: entry.revision };
    }
    this.#notify();
  }

  #see(entry: Entry | undefined): Versioned<LeadershipRecord> | null {
    if (entry === undefined) {
      this.#leadership = null;
      this.#notify();
      return null;
    }
    // A watch may tell of an older state than a read already showed.
    if (this.#leadership && entry.revision < this.#leadership.revision) return this.#leadership;
    const parsed = leadershipSchema.safeParse(parseJson(entry.value));
    if (!parsed.success) {
      throw new HoldfastError(
        'STORE_RECORD_DAMAGED',
        `The record ${entry.key} in the coordination store is not one of ours: ${parsed.error.message}`,
        {
          hint: 'Something else writes under this prefix. Give Holdfast a prefix of its own, or remove the foreign key.',
        },
      );
    }
    return this.#accept({ value: parsed.data, revision: entry.revision });
  }

  #accept(version: Versioned<LeadershipRecord>): Versioned<LeadershipRecord> {
    this.#leadership = version;
    this.#notify();
    return version;
  }

  #notify(): void {
    for (const listener of this.#listeners) listener();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#watching;
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

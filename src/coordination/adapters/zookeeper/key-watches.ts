import { abortable } from '../../../core/abortable.ts';
import type { WatchEvent } from '../../store.ts';
import { valueOf } from './answers.ts';
import { isConnectionLoss } from './calls.ts';
import type { Client } from './client.ts';
import type { Connection } from './connection.ts';
import { toStoreError } from './failure.ts';
import type { Keys } from './keys.ts';
import type { Layout } from './layout.ts';
import { addRecursiveWatch, type NodeEvent } from './protocol.ts';

/** Changed keys read at once. */
const READ_WINDOW = 256;

/**
 * Watches on keys. One recursive watch per connection tells which keys change; those that somebody watches are read. A server does not tell
 * what happened while the connection was broken, so each new connection begins with a snapshot. Changes of one key in quick succession may
 * be told as one. ZooKeeper's news of a deletion carries no transaction number (before 3.9): it is told with that of the read which found
 * the key gone, which is above every revision that the key had, and not above any that it will have.
 */
export class KeyWatches {
  readonly #client: Client;
  readonly #keys: Keys;
  readonly #layout: Layout;
  readonly #open = new Set<Changes>();
  readonly #armed = new WeakMap<Connection, Promise<void>>();

  constructor(client: Client, keys: Keys, layout: Layout) {
    this.#client = client;
    this.#keys = keys;
    this.#layout = layout;
  }

  tell({ type, path }: NodeEvent): void {
    const key = type === 'children' ? undefined : this.#layout.keyOf(path);
    if (key !== undefined) for (const changes of this.#open) changes.add(key);
  }

  /** Ends with the signal. @throws COORD_DENIED, COORD_UNSUITABLE */
  async *watch(key: string, signal: AbortSignal): AsyncGenerator<WatchEvent> {
    const changes = new Changes((other) => other === key || other.startsWith(`${key}/`));
    this.#open.add(changes);
    let reason: 'start' | 'reconnected' = 'start';
    try {
      while (!signal.aborted) {
        const connection = await this.#client.connection({ signal });
        const until = AbortSignal.any([signal, connection.closed]);
        try {
          await abortable(this.#arm(connection), until);
          changes.take();
          const entries = await abortable(this.#keys.list(connection, changes.matches), until);
          yield { type: 'snapshot', entries, reason };
          reason = 'reconnected';
          yield* this.#follow(connection, changes, new Map(entries.map((entry) => [entry.key, entry.revision])), until);
        } catch (error) {
          if (!isConnectionLoss(error)) throw error;
        }
      }
    } catch (error) {
      if (!signal.aborted) throw toStoreError(error);
    } finally {
      this.#open.delete(changes);
    }
  }

  async *#follow(connection: Connection, changes: Changes, known: Map<string, bigint>, until: AbortSignal): AsyncGenerator<WatchEvent> {
    for (;;) {
      await changes.some(until);
      for (const events of await this.#read(connection, changes.take(), until)) {
        if (events.type === 'put' ? known.get(events.entry.key) === events.entry.revision : !known.has(events.key)) continue;
        if (events.type === 'put') known.set(events.entry.key, events.entry.revision);
        else known.delete(events.key);
        yield events;
      }
    }
  }

  /** What became of these keys, in order of their revisions. */
  async #read(connection: Connection, keys: readonly string[], until: AbortSignal): Promise<Change[]> {
    const events: Change[] = [];
    for (let at = 0; at < keys.length; at += READ_WINDOW) {
      const read = keys.slice(at, at + READ_WINDOW).map(async (key): Promise<Change> => {
        const { entry, asOf } = await this.#keys.peek(connection, key);
        return entry === undefined ? { type: 'deleted', key, revision: asOf } : { type: 'put', entry };
      });
      events.push(...(await abortable(Promise.all(read), until)));
    }
    return events.toSorted((a, b) => (revisionOf(a) < revisionOf(b) ? -1 : 1));
  }

  /** Once per connection, for all watches. */
  #arm(connection: Connection): Promise<void> {
    const armed =
      this.#armed.get(connection) ??
      connection.submit(addRecursiveWatch(this.#layout.keys)).then((reply) => valueOf(reply, `watching ${this.#layout.keys}`));
    this.#armed.set(connection, armed);
    return armed;
  }
}

type Change = Exclude<WatchEvent, { type: 'snapshot' }>;

function revisionOf(change: Change): bigint {
  return change.type === 'put' ? change.entry.revision : change.revision;
}

/** Keys of one watch that have changed since it last looked. No larger than the number of its keys, however slow its reader. */
class Changes {
  readonly matches: (key: string) => boolean;
  readonly #keys = new Set<string>();
  #wake: (() => void) | undefined;

  constructor(matches: (key: string) => boolean) {
    this.matches = matches;
  }

  add(key: string): void {
    if (!this.matches(key)) return;
    this.#keys.add(key);
    this.#wake?.();
  }

  take(): string[] {
    const keys = [...this.#keys];
    this.#keys.clear();
    return keys;
  }

  /** Resolves when there are some. @throws the signal's reason */
  async some(signal: AbortSignal): Promise<void> {
    if (this.#keys.size > 0) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#wake = resolve;
    await abortable(promise, signal);
  }
}

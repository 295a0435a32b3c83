import type { Entry } from '../../store.ts';
import type { KeyRange, KeyValue } from './messages.ts';

/**
 * Where things are below the configured prefix:
 *
 * | key | value |
 * |---|---|
 * | `kv/KEY` | the value; of a bound key the session's id, a line feed, the value |
 * | `sessions/ID` | JSON for people; bound to the session's lease: it is there exactly as long as the session |
 * | `q/QUEUE:UUID` | a place in a queue: the session's id, a line feed, the label; its create revision is order and token |
 *
 * Neither ':' nor ';' can be in a key, so that the places of one queue are just the keys from `q/QUEUE:` to below `q/QUEUE;`.
 */
export class Layout {
  readonly #prefix: string;

  constructor(prefix: string) {
    this.#prefix = prefix;
  }

  key(key: string): string {
    return `${this.#prefix}/kv/${key}`;
  }

  /** All below `key` + '/'. */
  below(key: string): KeyRange {
    return { key: `${this.key(key)}/`, rangeEnd: `${this.key(key)}0` };
  }

  /** `key`, all below it, and some neighbours (`key-x`, `key.x`), which `isWithin` tells apart. */
  around(key: string): KeyRange {
    return { key: this.key(key), rangeEnd: `${this.key(key)}0` };
  }

  isWithin(key: string, entryKey: string): boolean {
    const full = this.key(key);
    return entryKey === full || entryKey.startsWith(`${full}/`);
  }

  session(id: string): string {
    return `${this.#prefix}/sessions/${id}`;
  }

  queue(queue: string): KeyRange {
    return { key: `${this.#prefix}/q/${queue}:`, rangeEnd: `${this.#prefix}/q/${queue};` };
  }

  place(queue: string, uuid: string): string {
    return `${this.#prefix}/q/${queue}:${uuid}`;
  }

  /** The caller's name of a full key below `kv/`. */
  nameOf(fullKey: string): string {
    return fullKey.slice(this.key('').length);
  }

  entry(keyValue: KeyValue): Entry {
    const { sessionId, value } = unbind(keyValue);
    return { key: this.nameOf(keyValue.key), value, revision: keyValue.modRevision, sessionId };
  }
}

/** The value of a bound key. */
export function bind(sessionId: string, value: string): string {
  return `${sessionId}\n${value}`;
}

/** The inverse of `bind`. What someone else bound in another form belongs to a session that never was. */
export function unbind(keyValue: KeyValue): { sessionId: string | undefined; value: string } {
  if (keyValue.lease === 0n) return { sessionId: undefined, value: keyValue.value };
  const lineFeed = keyValue.value.indexOf('\n');
  const sessionId = keyValue.value.slice(0, Math.max(0, lineFeed));
  if (!isSessionId(sessionId)) return { sessionId: `unknown-${keyValue.lease.toString(16)}`, value: keyValue.value };
  return { sessionId, value: keyValue.value.slice(lineFeed + 1) };
}

/** The lease alone could come again in a cluster that was made anew; with the UUID the id is unique for ever. */
export function sessionIdOf(leaseId: bigint, uuid: string): string {
  return `${BigInt.asUintN(64, leaseId).toString(16).padStart(16, '0')}-${uuid}`;
}

export function isSessionId(text: string): boolean {
  return /^[0-9a-f]{16}(-[0-9a-f]{4,12}){5}$/.test(text);
}

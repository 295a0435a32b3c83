import { HoldfastError } from '../../../core/errors.ts';
import { createHash } from 'node:crypto';
import type { Entry, Ticket } from '../../store.ts';
import { assertKey } from '../../key.ts';
import type { Stat } from './protocol.ts';

/**
 * Where everything is, below the configured prefix:
 *
 *     keys/<key, with ':' for '/'>     one node per key, all side by side, since an ephemeral node can have no children;
 *                                      its data is one line saying which session it is bound to, then the value
 *     guards/<00 to 3f>                one for every key that hashes to it: changed whenever one of these keys is created (see keys.ts)
 *     queues/<queue>/<place>           a container node per queue, which ZooKeeper removes some time after it got empty;
 *                                      places are ephemeral sequential nodes `<label>-<session>-<number>-<sequence>`
 *     sessions/<session>               ephemeral: there as long as the session lives; its data says whose it is
 */
export class Layout {
  readonly root: string;
  readonly keys: string;
  readonly guards: string;
  readonly queues: string;
  readonly sessions: string;

  /** @param prefix an absolute path without a slash at its end */
  constructor(prefix: string) {
    this.root = prefix;
    this.keys = `${prefix}/keys`;
    this.guards = `${prefix}/guards`;
    this.queues = `${prefix}/queues`;
    this.sessions = `${prefix}/sessions`;
  }

  /** In order of creation: each after its parent. */
  get directories(): readonly string[] {
    const names = this.root.split('/').slice(1);
    const ancestors = names.map((_, depth) => `/${names.slice(0, depth + 1).join('/')}`);
    return [...ancestors, this.keys, this.guards, this.queues, this.sessions];
  }

  key(key: string): string {
    return `${this.keys}/${encodeName(key)}`;
  }

  guard(key: string): string {
    const byte = createHash('sha256').update(key).digest()[0]! & 0x3f;
    return `${this.guards}/${byte.toString(16).padStart(2, '0')}`;
  }

  queue(queue: string): string {
    return `${this.queues}/${encodeName(queue)}`;
  }

  session(id: string): string {
    return `${this.sessions}/${id}`;
  }

  /** @throws COORD_BAD_KEY when it is not the key of a place */
  place(ticketKey: string): string {
    const at = ticketKey.lastIndexOf('/');
    const queue = ticketKey.slice(0, Math.max(0, at));
    const name = ticketKey.slice(at + 1);
    if (!placePattern.test(name))
      throw new HoldfastError('COORD_BAD_KEY', `${JSON.stringify(ticketKey.slice(0, 80))} is not the key of a place in a queue`);
    assertKey(queue);
    return `${this.queue(queue)}/${name}`;
  }

  /** The key whose node this is; undefined for anything else. */
  keyOf(path: string): string | undefined {
    return path.startsWith(`${this.keys}/`) ? decodeName(path.slice(this.keys.length + 1)) : undefined;
  }
}

/** Keys contain no colon. */
export function encodeName(key: string): string {
  return key.replaceAll('/', ':');
}

export function decodeName(name: string): string {
  return name.replaceAll(':', '/');
}

/** The names of sessions, for ever: ZooKeeper's own session numbers begin anew with its machine's uptime. */
export const sessionIdPattern = /^[0-9a-f]{32}$/;

export function encodeValue(value: string, sessionId: string | undefined): Buffer {
  return Buffer.from(`${sessionId ?? ''}\n${value}`);
}

/** @throws COORD_UNSUITABLE when the node is not one of ours */
export function decodeEntry(key: string, data: Buffer, stat: Stat): Entry {
  const end = data.indexOf('\n');
  const sessionId = data.toString('latin1', 0, Math.max(0, end));
  if (end < 0 || (sessionId !== '' && !sessionIdPattern.test(sessionId))) {
    throw new HoldfastError('COORD_UNSUITABLE', `the node of the key ${key} in ZooKeeper was not written by Holdfast`, {
      hint: 'Something else writes below the prefix: give Holdfast a prefix of its own, or remove that node.',
    });
  }
  return {
    key,
    value: data.toString('utf8', end + 1),
    revision: stat.mzxid,
    sessionId: stat.ephemeralOwner === 0n ? undefined : sessionId,
  };
}

const placePattern = /^([a-z]{1,32})-([0-9a-f]{32})-(\d{1,16})-(-?\d{10,11})$/;

/** What the name of a place begins with; ZooKeeper adds the sequence number. Unique for ever, so that its owner recognizes it. */
export function placeName(label: string, sessionId: string, number: number): string {
  return `${label}-${sessionId}-${number}-`;
}

/** Undefined for a name that is not one of ours. */
export function readPlace(queue: string, name: string): Ticket | undefined {
  const [, label, sessionId, , sequence] = placePattern.exec(name) ?? [];
  if (label === undefined || sessionId === undefined) return undefined;
  // A signed 32-bit count of the queue's creations (it turns negative after 2^31; read unsigned, it orders twice as many).
  return { key: `${queue}/${name}`, label, order: BigInt(Number(sequence) >>> 0), sessionId };
}

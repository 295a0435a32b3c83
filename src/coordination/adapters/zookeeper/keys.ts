import type { Entry, Expectation, SwapResult } from '../../store.ts';
import { readNow, refusal, transact, valueOf } from './answers.ts';
import type { Connection } from './connection.ts';
import { ZooKeeperFailure } from './failure.ts';
import { decodeEntry, decodeName, encodeValue, type Layout } from './layout.ts';
import {
  type Acl,
  ANY_VERSION,
  check,
  create,
  errorCode,
  exists,
  getChildren,
  getData,
  type Operation,
  remove,
  type Reply,
  setData,
  type Stat,
} from './protocol.ts';

/** How often a change is tried again because another key with the same guard was created in between, or a read was behind. */
const CHANGE_ATTEMPTS_MAX = 32;
/** How often a listing is read again because it changed while it was read. */
const LIST_ATTEMPTS_MAX = 32;
/** Values read at once. */
const LIST_WINDOW = 256;

const empty = new Uint8Array(0);

/** Whom a changed key is bound to: the session of the connection that changes it, or nobody. */
export interface Binding {
  readonly sessionId: string;
}

/**
 * The keys, each a node. Its revision is the transaction number of its last change (mzxid).
 *
 * *Comparing revisions.* ZooKeeper compares a node's version, which starts at 0 again when the node is deleted and created anew: a change
 * meant for the old node could hit the new one. So each creation of a key also changes its guard, a node that is never deleted, in the same
 * transaction. A change reads guard and node, in this order, compares the revision, and then insists on both versions as read. If it is
 * done, the key was not created in between, so it is still the node that was read; and its version says that it was not changed. Many keys
 * share a guard: a change that meets only a new neighbour is tried again.
 *
 * *Bindings.* An ephemeral node can not become another session's: then the node is deleted and created in one transaction, which nobody sees
 * half done.
 */
export class Keys {
  readonly #layout: Layout;
  readonly #acl: Acl;

  constructor(layout: Layout, acl: Acl) {
    this.#layout = layout;
    this.#acl = acl;
  }

  async get(connection: Connection, key: string): Promise<Entry | undefined> {
    return entryOf(key, await readNow(connection, this.#layout.root, getData(this.#layout.key(key))));
  }

  /**
   * All keys that match, as they were at one moment: after reading each, none of them may have been changed, created or deleted since the
   * names were read.
   */
  async list(connection: Connection, matches: (key: string) => boolean): Promise<Entry[]> {
    const { keys } = this.#layout;
    const namesOf = (reply: Reply<string[]>): string[] => valueOf(reply, `listing ${keys}`).map(decodeName).filter(matches).toSorted();
    let reply = await readNow(connection, this.#layout.root, getChildren(keys));
    for (let attempt = 1; attempt <= LIST_ATTEMPTS_MAX; attempt++) {
      const names = namesOf(reply);
      const asOf = reply.zxid;
      const entries = await this.#readAll(connection, names);
      reply = await connection.submit(getChildren(keys));
      const still = namesOf(reply);
      if (
        still.length === names.length &&
        entries.every((entry, n) => entry !== undefined && entry.revision <= asOf && entry.key === still[n])
      )
        return entries as Entry[];
    }
    throw new ZooKeeperFailure('away', `the keys change faster than they can be listed (${LIST_ATTEMPTS_MAX} attempts)`);
  }

  async #readAll(connection: Connection, names: readonly string[]): Promise<(Entry | undefined)[]> {
    const entries: (Entry | undefined)[] = [];
    for (let at = 0; at < names.length; at += LIST_WINDOW) {
      entries.push(
        ...(await Promise.all(names.slice(at, at + LIST_WINDOW).map((key) => this.peek(connection, key).then(({ entry }) => entry)))),
      );
    }
    return entries;
  }

  /** What the server at hand knows; `asOf`: the transaction up to which that is. */
  async peek(connection: Connection, key: string): Promise<{ entry: Entry | undefined; asOf: bigint }> {
    const reply = await connection.submit(getData(this.#layout.key(key)));
    return { entry: entryOf(key, reply), asOf: reply.zxid };
  }

  /** On the session's own connection when there is a binding. */
  async swap(connection: Connection, key: string, value: string, expect: Expectation, binding: Binding | undefined): Promise<SwapResult> {
    const data = encodeValue(value, binding?.sessionId);
    const mode = binding === undefined ? 'persistent' : 'ephemeral';
    const node = create(this.#layout.key(key), data, this.#acl, mode);
    if (expect === 'absent') return this.#create(connection, key, node);
    const owner = binding === undefined ? 0n : connection.session.id;
    const result = await this.#change(connection, key, expect, (guardVersion, { version, ephemeralOwner }) =>
      ephemeralOwner === owner
        ? [check(this.#layout.guard(key), guardVersion), setData(this.#layout.key(key), data, version)]
        : [setData(this.#layout.guard(key), empty, guardVersion), remove(this.#layout.key(key), version), node],
    );
    return 'zxid' in result ? { swapped: true, revision: result.zxid! } : { swapped: false, current: result.current };
  }

  async remove(connection: Connection, key: string, expect: bigint): Promise<boolean> {
    const result = await this.#change(connection, key, expect, (guardVersion, { version }) => [
      check(this.#layout.guard(key), guardVersion),
      remove(this.#layout.key(key), version),
    ]);
    return 'zxid' in result;
  }

  async #create(connection: Connection, key: string, node: Operation): Promise<SwapResult> {
    const guard = this.#layout.guard(key);
    for (let attempt = 1; attempt <= CHANGE_ATTEMPTS_MAX; attempt++) {
      const outcome = await transact(connection, [setData(guard, empty, ANY_VERSION), node], `creating the key ${key}`);
      if (outcome.done) return { swapped: true, revision: outcome.zxid! };
      if (outcome.failed === 0) await this.#createGuard(connection, guard);
      else {
        const current = await this.get(connection, key);
        if (current !== undefined) return { swapped: false, current };
      }
    }
    throw contended(key);
  }

  /** Does the operations if the key still has this revision. */
  async #change(
    connection: Connection,
    key: string,
    expect: bigint,
    operations: (guardVersion: number, node: Stat) => readonly Operation[],
  ): Promise<{ zxid: bigint | undefined } | { current: Entry | undefined }> {
    const guard = this.#layout.guard(key);
    for (let attempt = 1; attempt <= CHANGE_ATTEMPTS_MAX; attempt++) {
      const [guardReply, nodeReply] = await Promise.all([
        connection.submit(exists(guard)),
        connection.submit(exists(this.#layout.key(key))),
      ]);
      const node = statOf(nodeReply, `reading the key ${key}`);
      const guardStat = statOf(guardReply, `reading ${guard}`);
      if (node?.mzxid === expect && guardStat === undefined) await this.#createGuard(connection, guard);
      else if (node?.mzxid === expect && guardStat !== undefined) {
        const outcome = await transact(connection, operations(guardStat.version, node), `changing the key ${key}`);
        if (outcome.done) return { zxid: outcome.zxid };
        // The guard: perhaps a neighbour's creation. The node: it was changed.
        if (outcome.failed === 0) continue;
      }
      // The server at hand may be behind, so what it showed is no proof yet.
      const current = await this.get(connection, key);
      if (current?.revision !== expect) return { current };
    }
    throw contended(key);
  }

  async #createGuard(connection: Connection, guard: string): Promise<void> {
    const reply = await connection.submit(create(guard, empty, this.#acl, 'persistent'));
    if (!reply.ok && reply.code !== errorCode.nodeExists) throw refusal(reply.code, `creating ${guard}`);
  }
}

function statOf(reply: Reply<Stat>, what: string): Stat | undefined {
  return !reply.ok && reply.code === errorCode.noNode ? undefined : valueOf(reply, what);
}

function entryOf(key: string, reply: Reply<{ data: Buffer; stat: Stat }>): Entry | undefined {
  if (!reply.ok && reply.code === errorCode.noNode) return undefined;
  const { data, stat } = valueOf(reply, `reading the key ${key}`);
  return decodeEntry(key, data, stat);
}

function contended(key: string): ZooKeeperFailure {
  return new ZooKeeperFailure(
    'away',
    `the key ${key} or its neighbours changed ${CHANGE_ATTEMPTS_MAX} times while it was to be changed; nothing was done`,
  );
}

import { type JuteReader, JuteWriter } from './jute.ts';

/** Operations, by their numbers in ZooKeeper's ZooDefs.OpCode. */
export const opcode = {
  create: 1,
  delete: 2,
  exists: 3,
  getData: 4,
  setData: 5,
  sync: 9,
  ping: 11,
  getChildren2: 12,
  check: 13,
  multi: 14,
  create2: 15,
  createContainer: 19,
  auth: 100,
  addWatch: 106,
  closeSession: -11,
  /** In the answer to a multi: an operation that was not done. */
  error: -1,
} as const;

/** Answers' error numbers, as in ZooKeeper's KeeperException.Code. */
export const errorCode = {
  ok: 0,
  /** An operation of a multi that was not tried, since one before it failed. */
  runtimeInconsistency: -2,
  unimplemented: -6,
  noNode: -101,
  noAuth: -102,
  badVersion: -103,
  nodeExists: -110,
  sessionExpired: -112,
  invalidAcl: -114,
  authFailed: -115,
  sessionMoved: -118,
  sessionClosedRequireSasl: -124,
  quotaExceeded: -125,
  throttled: -127,
} as const;

const codeNames = new Map<number, string>(Object.entries(errorCode).map(([name, code]) => [code, name]));

export function codeName(code: number): string {
  return `${codeNames.get(code) ?? 'error'} (${code})`;
}

/** Numbers in place of a request's own, for frames that are no ordinary request (ClientCnxn). */
export const specialXid = { event: -1, ping: -2, auth: -4 } as const;

/** `version` of a change that insists on none. */
export const ANY_VERSION = -1;

export type CreateMode = 'persistent' | 'ephemeral' | 'ephemeral-sequential' | 'container';
const createFlags: Record<CreateMode, number> = { persistent: 0, ephemeral: 1, 'ephemeral-sequential': 3, container: 4 };

/** What of a node's state is used here. Zxids are the ensemble's transaction numbers: they grow with every change and are never reused. */
export interface Stat {
  /** Zxid of its creation. */
  readonly czxid: bigint;
  /** Zxid of the last change of its data. */
  readonly mzxid: bigint;
  /** Number of changes of its data since its creation: starts at 0 again after a deletion. */
  readonly version: number;
  /** The ZooKeeper session that it ends with; 0 for none. */
  readonly ephemeralOwner: bigint;
}

export interface Acl {
  readonly scheme: string;
  readonly id: string;
}

/** One request: its number, its record, and how to read its answer. */
export interface Request<T> {
  readonly type: number;
  write(to: JuteWriter): void;
  read(from: JuteReader): T;
}

/** One operation of a multi. */
export interface Operation {
  readonly type: number;
  write(to: JuteWriter): void;
}

/** `zxid`: the last transaction that the answering server had applied. */
export type Reply<T> =
  | { readonly ok: true; readonly zxid: bigint; readonly value: T }
  | { readonly ok: false; readonly zxid: bigint; readonly code: number };

/** All operations were done, in one transaction, whose number is known if data was set in it; or none, and which one could not be. */
export type MultiOutcome =
  | { readonly done: true; readonly zxid: bigint | undefined; readonly paths: readonly string[] }
  | { readonly done: false; readonly failed: number; readonly code: number };

const nothing = (): void => {};

function pathAndWatch<T>(type: number, path: string, watch: boolean, read: (from: JuteReader) => T): Request<T> {
  return { type, write: (to) => void to.text(path).bool(watch), read };
}

export const exists = (path: string): Request<Stat> => pathAndWatch(opcode.exists, path, false, readStat);

/** With `watch`, the server tells once of the next change or deletion. On a node that is not there it sets no watch (unlike `exists`). */
export const getData = (path: string, watch = false): Request<{ data: Buffer; stat: Stat }> =>
  pathAndWatch(opcode.getData, path, watch, (from) => ({ data: from.bytes(), stat: readStat(from) }));

export const getChildren = (path: string): Request<string[]> =>
  pathAndWatch(opcode.getChildren2, path, false, (from) => from.list(() => from.text()));

export const sync = (path: string): Request<void> => ({ type: opcode.sync, write: (to) => void to.text(path), read: nothing });

export const ping: Request<void> = { type: opcode.ping, write: nothing, read: nothing };

export const closeSession: Request<void> = { type: opcode.closeSession, write: nothing, read: nothing };

/** Tells of every creation, change and deletion at or below `path`, until the connection ends (ZooKeeper 3.6 and newer). */
export const addRecursiveWatch = (path: string): Request<void> => ({
  type: opcode.addWatch,
  write: (to) => void to.text(path).int(1),
  read: nothing,
});

export const auth = (scheme: string, credentials: string): Request<void> => ({
  type: opcode.auth,
  write: (to) => void to.int(0).text(scheme).text(credentials),
  read: nothing,
});

export const create = (path: string, data: Uint8Array, acl: Acl, mode: CreateMode): Operation & Request<{ path: string; stat: Stat }> => ({
  type: mode === 'container' ? opcode.createContainer : opcode.create2,
  // One entry, with all five permissions (ZooDefs.Perms.ALL).
  write: (to) => void to.text(path).bytes(data).int(1).int(31).text(acl.scheme).text(acl.id).int(createFlags[mode]),
  read: (from) => ({ path: from.text(), stat: readStat(from) }),
});

export const setData = (path: string, data: Uint8Array, version: number): Operation => ({
  type: opcode.setData,
  write: (to) => void to.text(path).bytes(data).int(version),
});

export const remove = (path: string, version: number): Operation & Request<void> => ({
  type: opcode.delete,
  write: (to) => void to.text(path).int(version),
  read: nothing,
});

export const check = (path: string, version: number): Operation => ({ type: opcode.check, write: (to) => void to.text(path).int(version) });

/** All or nothing, as one transaction. Also when it fails it is a transaction that a quorum has taken. */
export const multi = (operations: readonly Operation[]): Request<MultiOutcome> => ({
  type: opcode.multi,
  write: (to) => {
    for (const operation of operations) {
      to.int(operation.type).bool(false).int(-1);
      operation.write(to);
    }
    to.int(-1).bool(true).int(-1);
  },
  read: readMulti,
});

function readMulti(from: JuteReader): MultiOutcome {
  let zxid: bigint | undefined;
  const paths: string[] = [];
  let failure: { failed: number; code: number } | undefined;
  for (let index = 0; ; index++) {
    const type = from.int();
    const done = from.bool();
    from.int();
    if (done) return failure === undefined ? { done: true, zxid, paths } : { done: false, ...failure };
    if (type === opcode.setData) zxid = readStat(from).mzxid;
    // The server answers a create2 of a multi as a create: with its path alone.
    else if (type === opcode.create || type === opcode.create2) paths.push(from.text());
    else if (type === opcode.error) {
      const code = from.int();
      // Those before the one that failed say ok, those after it runtimeInconsistency.
      if (code !== errorCode.ok && failure === undefined) failure = { failed: index, code };
    }
    if (type === opcode.create2) readStat(from);
  }
}

function readStat(from: JuteReader): Stat {
  const czxid = from.long();
  const mzxid = from.long();
  from.long(); // ctime
  from.long(); // mtime
  const version = from.int();
  from.int(); // cversion
  from.int(); // aversion
  const ephemeralOwner = from.long();
  from.int(); // dataLength
  from.int(); // numChildren
  from.long(); // pzxid
  return { czxid, mzxid, version, ephemeralOwner };
}

export interface NodeEvent {
  readonly type: 'created' | 'deleted' | 'changed' | 'children' | 'other';
  readonly path: string;
}

const eventTypes = ['created', 'deleted', 'changed', 'children'] as const;

export function readEvent(from: JuteReader): NodeEvent {
  const type = eventTypes[from.int() - 1] ?? 'other';
  from.int(); // state
  return { type, path: from.text() };
}

/** The first frame of a connection. `session` undefined asks for a new one. */
export function connectRequest(options: {
  lastZxid: bigint;
  ttlMs: number;
  session: { id: bigint; password: Uint8Array } | undefined;
}): Buffer {
  const { lastZxid, ttlMs, session } = options;
  return new JuteWriter()
    .int(0)
    .long(lastZxid)
    .int(ttlMs)
    .long(session?.id ?? 0n)
    .bytes(session?.password ?? new Uint8Array(16))
    .bool(false)
    .frame();
}

/** `sessionId` 0 says that the session asked for is gone. */
export function readConnectResponse(from: JuteReader): { ttlMs: number; sessionId: bigint; password: Buffer } {
  from.int(); // protocol version
  return { ttlMs: from.int(), sessionId: from.long(), password: from.bytes() };
}

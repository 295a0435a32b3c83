import type { Connection } from './connection.ts';
import { ZooKeeperFailure } from './failure.ts';
import { ANY_VERSION, check, codeName, errorCode, multi, type MultiOutcome, type Operation, type Reply, type Request } from './protocol.ts';

/** What an answer must be where nothing else is expected. @throws ZooKeeperFailure `denied`, `lost`, `refused` */
export function valueOf<T>(reply: Reply<T>, what: string): T {
  if (reply.ok) return reply.value;
  throw refusal(reply.code, what);
}

export function refusal(code: number, what: string): ZooKeeperFailure {
  const message = `${what}: ${codeName(code)}`;
  if (code === errorCode.noAuth || code === errorCode.sessionClosedRequireSasl) return new ZooKeeperFailure('denied', message);
  if (code === errorCode.throttled) return new ZooKeeperFailure('lost', message);
  if (code === errorCode.invalidAcl)
    return new ZooKeeperFailure('denied', message, {
      hint: 'The ensemble does not know the digest scheme, or got no credentials: check auth in the coordination settings.',
    });
  if (code === errorCode.quotaExceeded)
    return new ZooKeeperFailure('refused', message, {
      hint: 'A quota is set on the configured prefix and is used up: raise it with setquota.',
    });
  return new ZooKeeperFailure('refused', message);
}

/**
 * Several operations as one transaction.
 * @returns also that one of them could not be done, for the reasons that competition has: badVersion, noNode, nodeExists
 * @throws ZooKeeperFailure
 */
export async function transact(connection: Connection, operations: readonly Operation[], what: string): Promise<MultiOutcome> {
  const outcome = valueOf(await connection.submit(multi(operations)), what);
  if (outcome.done || expected.has(outcome.code)) return outcome;
  if (outcome.code === errorCode.sessionExpired || outcome.code === errorCode.sessionMoved) {
    const failure = new ZooKeeperFailure('lost', codeName(outcome.code));
    connection.destroy(failure);
    throw failure;
  }
  throw refusal(outcome.code, what);
}

const expected: ReadonlySet<number> = new Set([errorCode.badVersion, errorCode.noNode, errorCode.nodeExists]);

/**
 * Reads linearizably: the answer contains every change that was confirmed to anybody before this was called.
 *
 * A read goes to one server and shows what that one knows. Here a transaction without effect goes before it on the same connection: a
 * quorum takes it into its log, and the server answers the read only after it. `sync` would be cheaper (nothing is written), but it is
 * answered by whichever server believes itself the leader, without asking a quorum: for a moment after a partition or a long stop that may
 * be the former one ("Consistency Guarantees" in the ZooKeeper Programmer's Guide; ZOOKEEPER-2136). All reads of one turn of the event loop
 * share one transaction.
 */
export async function readNow<T>(connection: Connection, root: string, request: Request<T>): Promise<Reply<T>> {
  const barrier = barrierOf(connection, root);
  const [reply] = await Promise.all([connection.submit(request), barrier]);
  return reply;
}

const barriers = new WeakMap<object, Promise<unknown>>();

function barrierOf(connection: Connection, root: string): Promise<unknown> {
  const { turn } = connection;
  const shared = barriers.get(turn);
  if (shared !== undefined) return shared;
  const barrier = transact(connection, [check(root, ANY_VERSION)], 'reading');
  barriers.set(turn, barrier);
  return barrier;
}

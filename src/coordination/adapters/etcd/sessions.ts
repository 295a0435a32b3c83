import { randomUUID } from 'node:crypto';
import { messageOf } from '../../../core/errors.ts';
import type { Logger } from '../../../core/logger.ts';
import { RenewedSession } from '../../renewed-session.ts';
import type { Session } from '../../store.ts';
import { type Sent, sentNow } from '../../validity.ts';
import type { EtcdClient } from './client.ts';
import { Deadline } from './deadline.ts';
import { CallFailure, grpcStatus, toHoldfastError } from './failure.ts';
import { isSessionId, sessionIdOf, type Layout } from './layout.ts';
import { compareCreated, requestDelete, requestPut, rpc } from './messages.ts';

/** Longest name of a session that is kept. */
const NAME_LENGTH_MAX = 200;
/** How long one try of a renewal may take, so that there is time for more on other members. */
const RENEWAL_MS_MAX = 1_500;

/** What a session is in etcd: a lease, and a key bound to it. It lives exactly as long as that key, whatever etcd says of the lease. */
export interface Lease {
  readonly id: bigint;
  readonly session: RenewedSession;
  readonly key: string;
  /** What the key holds. */
  readonly value: string;
  /**
   * Revision of the key as known. Entering a queue insists on it. Writing the key again moves it on, and makes every entry that is still
   * under way fail for certain: the way to know what became of one whose answer was lost.
   */
  fence: bigint;
}

/** A lease that was granted, before the key of its session is there. */
export interface Grant {
  readonly leaseId: bigint;
  readonly id: string;
  readonly key: string;
  readonly value: string;
  readonly ttlMs: number;
  /** When it was asked for. */
  readonly sent: Sent;
  readonly name: string;
}

/** The sessions that one client has opened. */
export class Sessions implements AsyncDisposable {
  readonly #client: EtcdClient;
  readonly #layout: Layout;
  readonly #logger: Logger;
  readonly #leases = new Map<Session, Lease>();

  constructor(client: EtcdClient, layout: Layout, logger: Logger) {
    this.#client = client;
    this.#layout = layout;
    this.#logger = logger;
  }

  async open(options: { ttlMs: number; name: string; signal?: AbortSignal }): Promise<Session> {
    const grant = await this.grant(options);
    try {
      const put = requestPut(grant.key, grant.value, grant.leaseId);
      const { header } = await this.#client.repeat(rpc.txn, { compare: [], success: [put] }, { signal: options.signal });
      return this.adopt(grant, header.revision).session;
    } catch (error) {
      void this.#client.repeat(rpc.leaseRevoke, { id: grant.leaseId }).catch(() => {});
      throw error;
    }
  }

  /** A lease for a session, whose key is still to be put. */
  async grant({ ttlMs, name, signal }: { ttlMs: number; name: string; signal?: AbortSignal }): Promise<Grant> {
    const sent = sentNow(this.#client.clock);
    // When an answer is lost and the grant repeated, the lease of the first one runs out unused.
    const granted = await this.#client.repeat(rpc.leaseGrant, { ttlS: BigInt(Math.ceil(ttlMs / 1000)) }, { signal });
    const leaseId = granted.id;
    const id = sessionIdOf(leaseId, randomUUID());
    const value = JSON.stringify({ name: name.slice(0, NAME_LENGTH_MAX).toWellFormed() });
    return { leaseId, id, key: this.#layout.session(id), value, ttlMs: Number(granted.ttlS) * 1000, sent, name };
  }

  /** Keeps it alive from now on. @param fence revision at which its key was put */
  adopt({ leaseId, id, key, value, ttlMs, sent, name }: Grant, fence: bigint): Lease {
    const life = {
      id,
      ttlMs,
      renew: ({ timeoutMs }: { timeoutMs: number }) => this.#renew(leaseId, key, timeoutMs),
      end: () => this.#end(session, leaseId),
    };
    const session = new RenewedSession(this.#client.clock, life, { sent, name });
    const lease = { id: leaseId, session, key, value, fence };
    this.#leases.set(session, lease);
    return lease;
  }

  /** A no is made sure of by a transaction that a majority commits: reads of some versions can be stale (etcd issue 20418). */
  async isAlive(id: string, signal: AbortSignal | undefined): Promise<boolean> {
    signal?.throwIfAborted();
    if (!isSessionId(id)) return false;
    const key = this.#layout.session(id);
    const { entries } = await this.#client.read({ key }, { signal });
    if (entries.length > 0) return true;
    const stillAbsent = { compare: [compareCreated(key, '=', 0n)], success: [requestDelete(key)] };
    return !(await this.#client.repeat(rpc.txn, stillAbsent, { signal })).succeeded;
  }

  /** The lease of a session that can still be relied on. @throws COORD_SESSION_LOST */
  leaseOf(session: Session): Lease {
    session.assertValid();
    const lease = this.#leases.get(session);
    if (lease === undefined) throw new TypeError('the session was opened by another store');
    return lease;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#leases.keys()].map((session) => session[Symbol.asyncDispose]()));
  }

  async #renew(leaseId: bigint, key: string, timeoutMs: number): Promise<boolean> {
    // Not bound to the end of this session: the stream of renewals is shared with others, and would end with it.
    using deadline = new Deadline(this.#client.clock, Math.min(timeoutMs, RENEWAL_MS_MAX), 'no renewal', []);
    try {
      const { confirmed, key: found } = await this.#client.renewLease(leaseId, key, deadline.signal);
      if (found !== undefined && !confirmed) throw new CallFailure('stale', 'etcd changed its leader during a renewal');
      return found !== undefined;
    } catch (error) {
      this.#logger.debug('coordination.session.not_renewed', { key, error: messageOf(error) });
      throw error;
    }
  }

  async #end(session: Session, leaseId: bigint): Promise<void> {
    try {
      await this.#client.repeat(rpc.leaseRevoke, { id: leaseId });
    } catch (error) {
      const gone = error instanceof CallFailure && error.status === grpcStatus.notFound;
      if (!gone) throw error instanceof CallFailure ? toHoldfastError(error) : error;
    }
    this.#leases.delete(session);
  }
}

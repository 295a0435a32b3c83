import { randomUUID } from 'node:crypto';
import type { Runtime } from '../../../core/runtime.ts';
import { patiently } from '../../patience.ts';
import type { OwnTicket, Ticket } from '../../store.ts';
import { hasCode, HoldfastError } from '../../../core/errors.ts';
import type { EtcdClient } from './client.ts';
import { bind, unbind, type Layout } from './layout.ts';
import { compareCreated, compareModified, requestDelete, requestGet, requestPut, rpc, type KeyValue, type TxnReply } from './messages.ts';
import { readAll } from './range.ts';
import type { Lease } from './sessions.ts';
import { follow } from './watch.ts';

/** How often entering a queue begins anew because the session's fence was moved meanwhile. Each time another entry of the session was in doubt. */
const FENCE_ROUNDS_MAX = 8;
/** Pause between tries to clear away a place that nobody waits for any more. */
const CLEARING_MS = 500;

/** Queues as keys bound to their sessions' leases: the create revision is the order of arrival and the fencing token. */
export class Queues {
  readonly #client: EtcdClient;
  readonly #layout: Layout;
  readonly #runtime: Runtime;

  constructor(client: EtcdClient, layout: Layout, runtime: Runtime) {
    this.#client = client;
    this.#layout = layout;
    this.#runtime = runtime;
  }

  /**
   * One transaction when all goes well. When its answer is lost, `#settle` finds out for certain whether it was done; when nobody waits for
   * it any more, the place is cleared away in the background.
   */
  async enqueue(queue: string, label: string, lease: Lease, signal: AbortSignal | undefined): Promise<OwnTicket> {
    signal?.throwIfAborted();
    const { session } = lease;
    const key = this.#layout.place(queue, randomUUID());
    try {
      for (let round = 0; round < FENCE_ROUNDS_MAX; round += 1) {
        session.assertValid();
        const createRevision = await this.#enter(key, bind(session.id, label), lease, signal);
        if (createRevision !== undefined) return { key, label, order: createRevision, token: createRevision, sessionId: session.id };
      }
      throw new HoldfastError('COORD_UNREACHABLE', `no place in the queue ${queue} after ${FENCE_ROUNDS_MAX} tries`, { retryable: true });
    } catch (error) {
      if (!session.signal.aborted) void this.#clear(key, lease);
      throw error;
    }
  }

  async list(queue: string, signal: AbortSignal | undefined): Promise<Ticket[]> {
    const { entries } = await readAll(this.#client, this.#layout.queue(queue), { signal });
    return ticketsOf(entries);
  }

  async leave(ticket: Ticket, signal: AbortSignal | undefined): Promise<void> {
    await this.#client.repeat(rpc.deleteRange, { key: ticket.key }, { signal });
  }

  /**
   * Watches for the deletion from the place's creation on, so that no read comes first: a deletion in the past is told at once. Only when
   * that past is compacted, the key is read.
   */
  async untilGone(ticket: Ticket, signal: AbortSignal): Promise<void> {
    for (let fromRevision = ticket.order + 1n; ;) {
      for await (const news of follow(this.#client, this.#runtime, { key: ticket.key, fromRevision, deletesOnly: true }, signal)) {
        if (news.type === 'changes') return;
      }
      const { header, entries } = await patiently(this.#runtime, signal, () => this.#client.read({ key: ticket.key }, { signal }));
      if (entries.length === 0) return;
      fromRevision = header.revision + 1n;
    }
  }

  /** @returns the create revision of the place, or undefined when the fence has been moved and it is to be tried again */
  async #enter(key: string, value: string, lease: Lease, signal: AbortSignal | undefined): Promise<bigint | undefined> {
    let reply: TxnReply;
    try {
      reply = await this.#client.once(
        rpc.txn,
        {
          compare: [compareModified(lease.key, '=', lease.fence)],
          success: [requestPut(key, value, lease.id)],
          failure: [requestGet(lease.key)],
        },
        { signal },
      );
    } catch (error) {
      if (!hasCode(error, 'COORD_UNREACHABLE')) throw error;
      return await this.#settle(key, lease, signal);
    }
    if (reply.succeeded) return reply.header.revision;
    this.#moveFence(lease, reply.results[0]?.found?.modRevision);
    return undefined;
  }

  /** Makes an entry in doubt certain: afterwards it has been done, or never will be. @returns its create revision, or undefined */
  async #settle(key: string, lease: Lease, signal: AbortSignal | undefined): Promise<bigint | undefined> {
    const { succeeded, header, results } = await this.#client.repeat(
      rpc.txn,
      { compare: [compareCreated(lease.key, '!=', 0n)], success: [requestPut(lease.key, lease.value, lease.id), requestGet(key)] },
      { signal },
    );
    this.#moveFence(lease, succeeded ? header.revision : undefined);
    return results[1]?.found?.createRevision;
  }

  /** Takes away a place that is there, or that a request still under way would create. Gives up when the session ends, and all its places with it. */
  async #clear(key: string, lease: Lease): Promise<void> {
    while (!lease.session.signal.aborted && !this.#client.closing.aborted) {
      try {
        const { succeeded, header } = await this.#client.repeat(rpc.txn, {
          compare: [compareCreated(lease.key, '!=', 0n)],
          success: [requestPut(lease.key, lease.value, lease.id), requestDelete(key)],
        });
        if (succeeded && header.revision > lease.fence) lease.fence = header.revision;
        return;
      } catch {
        await this.#client.clock.sleep(CLEARING_MS, lease.session.signal).catch(() => {});
      }
    }
  }

  /** @throws COORD_SESSION_LOST when there is no session key any more */
  #moveFence(lease: Lease, revision: bigint | undefined): void {
    if (revision === undefined) {
      lease.session.lose('etcd has ended it');
      lease.session.assertValid();
      return;
    }
    if (revision > lease.fence) lease.fence = revision;
  }
}

/** The places among these keys, in order of arrival. */
export function ticketsOf(entries: readonly KeyValue[]): Ticket[] {
  return entries
    .filter((entry) => entry.lease !== 0n)
    .toSorted((a, b) => (a.createRevision < b.createRevision ? -1 : 1))
    .map(ticketOf);
}

function ticketOf(keyValue: KeyValue): Ticket {
  const { sessionId, value } = unbind(keyValue);
  return { key: keyValue.key, label: value, order: keyValue.createRevision, sessionId: sessionId ?? '' };
}

import { randomUUID } from 'node:crypto';
import { hasCode } from '../../../core/errors.ts';
import type { Runtime } from '../../../core/runtime.ts';
import { sayGoodbye } from '../../goodbye.ts';
import type { Entrance, OwnTicket, SessionOptions } from '../../store.ts';
import type { EtcdClient } from './client.ts';
import { bind, type Layout } from './layout.ts';
import { compareCreated, requestGet, requestPut, requestRange, rpc, type TxnReply } from './messages.ts';
import { type Queues, ticketsOf } from './queues.ts';
import type { Grant, Lease, Sessions } from './sessions.ts';

/** Places that are told in the same answer; a longer line is read apart. */
const AHEAD_MAX = 100;

type Options = SessionOptions & { readonly signal?: AbortSignal };

/** Sessions that are opened to line up: a lease, then one transaction that puts the session's key and the place, and reads the line. */
export class Entrances {
  readonly #client: EtcdClient;
  readonly #layout: Layout;
  readonly #sessions: Sessions;
  readonly #queues: Queues;
  readonly #runtime: Runtime;

  constructor(client: EtcdClient, layout: Layout, sessions: Sessions, queues: Queues, runtime: Runtime) {
    this.#client = client;
    this.#layout = layout;
    this.#sessions = sessions;
    this.#queues = queues;
    this.#runtime = runtime;
  }

  async enter(queue: string, label: string, options: Options): Promise<Entrance> {
    const grant = await this.#sessions.grant(options);
    let lease: Lease | undefined;
    try {
      const place = this.#layout.place(queue, randomUUID());
      const reply = await this.#take(grant, queue, place, label, options.signal);
      if (reply !== undefined) {
        lease = this.#sessions.adopt(grant, reply.header.revision);
        return this.#entered(lease, ownTicket(grant, place, label, reply.header.revision), reply);
      }
      const settled = await this.#settle(grant, place, options.signal);
      lease = this.#sessions.adopt(grant, settled.header.revision);
      const found = settled.results[1]?.found;
      const ticket = found && ownTicket(grant, place, label, found.createRevision);
      return { session: lease.session, ticket: ticket ?? (await this.#enqueue(queue, label, lease, options)), ahead: undefined };
    } catch (error) {
      // Also when it had not got as far as a session: revoking the lease ends what a request still under way may create.
      await sayGoodbye((lease ?? this.#sessions.adopt(grant, 0n)).session, this.#runtime);
      throw error;
    }
  }

  /** @returns undefined when nobody knows whether it was done */
  async #take(grant: Grant, queue: string, place: string, label: string, signal: AbortSignal | undefined): Promise<TxnReply | undefined> {
    const compare = [compareCreated(grant.key, '=', 0n)];
    const success = [
      requestPut(grant.key, grant.value, grant.leaseId),
      requestPut(place, bind(grant.id, label), grant.leaseId),
      requestRange(this.#layout.queue(queue), AHEAD_MAX),
    ];
    try {
      const reply = await this.#client.once(rpc.txn, { compare, success }, { signal });
      return reply.succeeded ? reply : undefined;
    } catch (error) {
      if (!hasCode(error, 'COORD_UNREACHABLE')) throw error;
      return undefined;
    }
  }

  /** Puts the session's key, without which alone the request in doubt could still be done: afterwards the place is there, or never will be. */
  #settle(grant: Grant, place: string, signal: AbortSignal | undefined): Promise<TxnReply> {
    const success = [requestPut(grant.key, grant.value, grant.leaseId), requestGet(place)];
    return this.#client.repeat(rpc.txn, { compare: [], success }, { signal });
  }

  #enqueue(queue: string, label: string, lease: Lease, { signal }: Options): Promise<OwnTicket> {
    return this.#queues.enqueue(queue, label, lease, signal);
  }

  #entered({ session }: Lease, ticket: OwnTicket, { results }: TxnReply): Entrance {
    const line = results[2];
    const ahead = line === undefined || line.more ? undefined : ticketsOf(line.entries).filter(({ order }) => order < ticket.order);
    return { session, ticket, ahead };
  }
}

function ownTicket({ id }: Grant, key: string, label: string, createRevision: bigint): OwnTicket {
  return { key, label, order: createRevision, token: createRevision, sessionId: id };
}

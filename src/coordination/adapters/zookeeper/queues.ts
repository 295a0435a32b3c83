import type { Clock } from '../../../core/clock.ts';
import { HoldfastError } from '../../../core/errors.ts';
import { abortable } from '../../../core/abortable.ts';
import type { OwnTicket, Ticket } from '../../store.ts';
import { readNow, refusal, transact, valueOf } from './answers.ts';
import { CALL_MS_MAX, isConnectionLoss } from './calls.ts';
import type { Client } from './client.ts';
import type { Connection } from './connection.ts';
import type { Ensemble } from './ensemble.ts';
import { toStoreError } from './failure.ts';
import { type Layout, placeName, readPlace } from './layout.ts';
import {
  type Acl,
  ANY_VERSION,
  create,
  errorCode,
  exists,
  getChildren,
  getData,
  type Operation,
  remove,
  type Stat,
  sync,
} from './protocol.ts';
import type { NodeWatches } from './node-watches.ts';
import type { ZooKeeperSession } from './session.ts';

const empty = new Uint8Array(0);

/** A try to take a place along with something else. */
export interface Entered {
  readonly name: string;
  /** Undefined: it may be there all the same. */
  readonly ticket: OwnTicket | undefined;
  readonly ahead: readonly Ticket[] | undefined;
}

/**
 * Queues of ephemeral sequential nodes. ZooKeeper numbers them in the order of its transactions; the token is the number of the transaction
 * that created the place (czxid), which also grows when the queue itself was removed and created anew.
 */
export class Queues {
  readonly #clock: Clock;
  readonly #ensemble: Ensemble;
  readonly #layout: Layout;
  readonly #acl: Acl;
  readonly #watches: NodeWatches;

  constructor(clock: Clock, ensemble: Ensemble, layout: Layout, acl: Acl, watches: NodeWatches) {
    this.#clock = clock;
    this.#ensemble = ensemble;
    this.#layout = layout;
    this.#acl = acl;
    this.#watches = watches;
  }

  /**
   * A place that nobody waits for any more, because of the signal or CALL_MS_MAX, is left again as soon as it is known, or ends with its session.
   * @throws COORD_UNREACHABLE, COORD_DENIED, COORD_UNSUITABLE; the signal's or the session's reason
   */
  enqueue(queue: string, label: string, session: ZooKeeperSession, signal: AbortSignal): Promise<OwnTicket> {
    return this.#enqueue(queue, placeName(label, session.id, session.nextPlace()), session, signal, false);
  }

  /** A place under a name that `enter` may have taken already. */
  enqueueAgain(queue: string, name: string, session: ZooKeeperSession, signal: AbortSignal): Promise<OwnTicket> {
    return this.#enqueue(queue, name, session, signal, true);
  }

  async #enqueue(queue: string, name: string, session: ZooKeeperSession, signal: AbortSignal, asked: boolean): Promise<OwnTicket> {
    const unwanted = new AbortController();
    const placing = this.#place(queue, name, session, unwanted.signal, asked);
    using _limit = this.#clock.after(CALL_MS_MAX, () => unwanted.abort(unreachable()));
    try {
      return await abortable(placing, AbortSignal.any([signal, session.signal, unwanted.signal]));
    } catch (error) {
      unwanted.abort(error);
      void placing.then((ticket) => this.#leaveLater(session, ticket)).catch(() => {});
      throw toStoreError(error);
    }
  }

  /**
   * Takes a place in one transaction with what marks its session, and reads the line in the same packet. Does not throw: without a ticket nobody
   * knows yet, and `enqueueAgain` finds out.
   */
  async enter(
    connection: Connection,
    queue: string,
    label: string,
    session: ZooKeeperSession,
    marking: readonly Operation[],
  ): Promise<Entered> {
    const name = placeName(label, session.id, session.nextPlace());
    const path = this.#layout.queue(queue);
    const place = create(`${path}/${name}`, empty, this.#acl, 'ephemeral-sequential');
    try {
      // The server does them in this order, so all places before ours that are still there are in the line.
      const [outcome, line] = await Promise.all([
        transact(connection, [...marking, place], 'lining up'),
        connection.submit(getChildren(path)),
      ]);
      const created = outcome.done ? outcome.paths.at(-1) : undefined;
      if (!outcome.done || created === undefined || outcome.zxid === undefined) return { name, ticket: undefined, ahead: undefined };
      const ticket = { ...placeOf(queue, created), token: outcome.zxid };
      const ahead = line.ok ? ticketsOf(queue, line.value).filter(({ order }) => order < ticket.order) : undefined;
      return { name, ticket, ahead };
    } catch {
      return { name, ticket: undefined, ahead: undefined };
    }
  }

  /**
   * As the leader sees it (`sync`), and never without what this client has been told of: so a holder's own place, and all before it that are
   * still there, are in it. In the moment after a change of leaders it may still show a place that is gone; the holder after it then waits
   * for that one in vain for no longer than its server takes to hear of it.
   */
  async list(connection: Connection, queue: string): Promise<Ticket[]> {
    const path = this.#layout.queue(queue);
    const told = this.#ensemble.seen.zxid;
    const [, quick] = await Promise.all([connection.submit(sync(path)), connection.submit(getChildren(path))]);
    const reply = quick.zxid >= told ? quick : await readNow(connection, this.#layout.root, getChildren(path));
    if (!reply.ok && reply.code === errorCode.noNode) return [];
    return ticketsOf(queue, valueOf(reply, `listing ${path}`));
  }

  async leave(connection: Connection, ticket: Ticket): Promise<void> {
    const path = this.#layout.place(ticket.key);
    const reply = await connection.submit(remove(path, ANY_VERSION));
    if (!reply.ok && reply.code !== errorCode.noNode) throw refusal(reply.code, `deleting ${path}`);
  }

  /** Across connections, until the place is gone. @throws the signal's reason, or why the client has ended */
  async untilGone(client: Client, ticket: Ticket, signal: AbortSignal): Promise<void> {
    const path = this.#layout.place(ticket.key);
    for (;;) {
      const connection = await client.connection({ signal });
      try {
        // Listening begins before the watch is set: its news can come in the same packet as the answer.
        using news = this.#watches.listen(path);
        if (!(await abortable(this.#isThere(connection, path), signal))) return;
        await abortable(news.heard, AbortSignal.any([signal, connection.closed]));
      } catch (error) {
        if (signal.aborted || !isConnectionLoss(error)) throw toStoreError(error);
      }
    }
  }

  /** Sets the watch if it is. `getData` sets none on a node that is gone, where `exists` would leave one for ever. */
  async #isThere(connection: Connection, path: string): Promise<boolean> {
    const reply = await connection.submit(getData(path, true));
    if (reply.ok) return true;
    if (reply.code !== errorCode.noNode) throw refusal(reply.code, `reading ${path}`);
    // The server at hand may not have heard of the place yet: that is not the same as gone.
    const proof = await readNow(connection, this.#layout.root, getData(path, true));
    if (!proof.ok && proof.code !== errorCode.noNode) throw refusal(proof.code, `reading ${path}`);
    return proof.ok;
  }

  /** Until there is a place, the session is over, or nobody wants it: then none is taken any more, but one taken is still found. */
  async #place(queue: string, name: string, session: ZooKeeperSession, unwanted: AbortSignal, askedBefore: boolean): Promise<OwnTicket> {
    for (let asked = askedBefore; ;) {
      const connection = await session.client.connection({ signal: session.signal });
      try {
        const found = asked ? await this.#find(connection, queue, name) : undefined;
        if (found !== undefined) return found;
        unwanted.throwIfAborted();
        asked = true;
        const reply = await connection.submit(create(`${this.#layout.queue(queue)}/${name}`, empty, this.#acl, 'ephemeral-sequential'));
        if (reply.ok) return ticketOf(queue, reply.value.path, reply.value.stat);
        asked = false;
        if (reply.code !== errorCode.noNode) throw refusal(reply.code, `creating a place in ${this.#layout.queue(queue)}`);
        await this.#createQueue(connection, queue);
      } catch (error) {
        if (!isConnectionLoss(error) || !connection.closed.aborted) throw error;
      }
    }
  }

  async #createQueue(connection: Connection, queue: string): Promise<void> {
    const path = this.#layout.queue(queue);
    const reply = await connection.submit(create(path, empty, this.#acl, 'container'));
    if (!reply.ok && reply.code !== errorCode.nodeExists) throw refusal(reply.code, `creating ${path}`);
  }

  /** The place of that name that a creation without answer has taken. It is ours only if it ends with our session. */
  async #find(connection: Connection, queue: string, name: string): Promise<OwnTicket | undefined> {
    const path = this.#layout.queue(queue);
    const reply = await readNow(connection, this.#layout.root, getChildren(path));
    if (!reply.ok && reply.code === errorCode.noNode) return undefined;
    const child = valueOf(reply, `listing ${path}`).find((other) => other.startsWith(name));
    if (child === undefined) return undefined;
    const found = await connection.submit(exists(`${path}/${child}`));
    if (!found.ok && found.code === errorCode.noNode) return undefined;
    const stat = valueOf(found, `reading ${path}/${child}`);
    return stat.ephemeralOwner === connection.session.id ? ticketOf(queue, `${path}/${child}`, stat) : undefined;
  }

  /** While the session lives: after it, the place is gone anyway. */
  async #leaveLater(session: ZooKeeperSession, ticket: OwnTicket): Promise<void> {
    while (!session.signal.aborted) {
      const connection = await session.client.connection({ signal: session.signal });
      try {
        return await this.leave(connection, ticket);
      } catch (error) {
        if (!isConnectionLoss(error) || !connection.closed.aborted) throw error;
      }
    }
  }
}

/** The places among these nodes, in order of arrival. */
function ticketsOf(queue: string, names: readonly string[]): Ticket[] {
  const tickets = names.map((name) => readPlace(queue, name));
  return tickets.filter((ticket) => ticket !== undefined).toSorted((a, b) => (a.order < b.order ? -1 : 1));
}

function ticketOf(queue: string, path: string, stat: Stat): OwnTicket {
  return { ...placeOf(queue, path), token: stat.czxid };
}

function placeOf(queue: string, path: string): Ticket {
  return readPlace(queue, path.slice(path.lastIndexOf('/') + 1))!;
}

function unreachable(): HoldfastError {
  return new HoldfastError('COORD_UNREACHABLE', `ZooKeeper did not confirm a place in the queue within ${CALL_MS_MAX} ms`, {
    retryable: true,
    hint: 'A place that was taken all the same is left as soon as the ensemble answers.',
  });
}

import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import { HoldfastError } from '../../../core/errors.ts';
import type { Runtime } from '../../../core/runtime.ts';
import { abortable } from '../../../core/abortable.ts';
import type { Session, SessionState } from '../../store.ts';
import { type Sent, sentNow, Validity } from '../../validity.ts';
import { refusal, transact } from './answers.ts';
import { CALL_MS_MAX, isConnectionLoss } from './calls.ts';
import { Client } from './client.ts';
import type { Connection } from './connection.ts';
import type { Ensemble } from './ensemble.ts';
import type { Layout } from './layout.ts';
import { type Acl, ANY_VERSION, check, create, errorCode, type Operation, setData } from './protocol.ts';

/** How long a holder that ends a session waits for the ensemble to confirm it. In the background it is tried for one TTL, when that is longer. */
const CLOSE_MS_MAX = 3_000;

export interface SessionParts {
  readonly ensemble: Ensemble;
  readonly runtime: Runtime;
  readonly layout: Layout;
  readonly acl: Acl;
}

/**
 * Marks a new session together with something else, at the first try: in one transaction of `marking` and more.
 * @returns whether it is marked; false: it is then marked alone
 */
export type Along = (connection: Connection, session: ZooKeeperSession, marking: readonly Operation[]) => Promise<boolean>;

interface LastSent {
  readonly connection: Connection;
  /** When what the server heard last of this session was sent. */
  sent: Sent;
  /** Whether it is this server that decides when the session ends. Found out at the first renewal. */
  leads: boolean;
}

/**
 * A session with its own connection, marked in the ensemble by an ephemeral node.
 *
 * *When is a renewal confirmed?* ZooKeeper's leader ends sessions. It starts a session's timeout anew when it hears of it: at once from a
 * client that is connected to the leader; else from the client's server, which passes it on with its next answer to the leader's pings
 * (every half tick). And a server goes on answering a client's pings for some time after it was cut off from the others. So pings prove
 * nothing. A renewal here is a transaction without effect, which a quorum takes into its log while the session lives:
 * - connected to the leader, it proves that the rightful leader heard of the session after it was sent;
 * - connected to another server, it proves that for what was sent one renewal earlier: the server has answered a ping of the leader in
 *   between, and what it passes on arrives in order. (A renewal every quarter of a TTL of at least two ticks, ZooKeeper's least, is that
 *   far apart.) The same holds for the continuation of the session on a new connection, which the leader itself approves.
 * A later leader gives every session its whole timeout again.
 */
export class ZooKeeperSession implements Session {
  readonly id = randomBytes(16).toString('hex');
  readonly name: string;
  readonly client: Client;
  readonly #parts: SessionParts;
  #ttlMs: number;
  #validity: Validity | undefined;
  #marked = false;
  #places = 0;
  #ending: Promise<boolean> | undefined;
  #last: LastSent | undefined;

  /** @throws ZooKeeperFailure, the signal's reason */
  static async open(
    parts: SessionParts,
    options: { ttlMs: number; name: string; signal: AbortSignal },
    along?: Along,
  ): Promise<ZooKeeperSession> {
    const session = new ZooKeeperSession(parts, options);
    try {
      await session.#establish(options.signal, along);
      return session;
    } catch (error) {
      void session.#end();
      throw error;
    }
  }

  private constructor(parts: SessionParts, options: { ttlMs: number; name: string }) {
    this.#parts = parts;
    this.name = options.name;
    this.#ttlMs = options.ttlMs;
    this.client = new Client(parts.ensemble, parts.runtime, {
      ttlMs: options.ttlMs,
      name: `${options.name} (${this.id})`,
      whenExpired: 'end',
      heartbeat: (connection) => this.#renew(connection),
    });
    void this.client.ended.then(({ kind, message }) => this.#validity?.lose(kind === 'expired' ? 'the ensemble has ended it' : message));
  }

  get ttlMs(): number {
    return this.#ttlMs;
  }

  get state(): SessionState {
    if (this.#validity!.lost) return 'lost';
    return this.client.current === undefined ? 'suspended' : 'live';
  }

  get validUntilMs(): number {
    return this.#validity!.validUntilMs;
  }

  get signal(): AbortSignal {
    return this.#validity!.signal;
  }

  assertValid(): void {
    this.#validity!.assertValid();
  }

  /** Numbers the places that this session takes. */
  nextPlace(): number {
    this.#places += 1;
    return this.#places;
  }

  /** @throws COORD_UNREACHABLE when the ensemble could not be told within CLOSE_MS_MAX: that is still tried, and the TTL ends it in any case */
  async close(): Promise<void> {
    this.#validity?.lose('closed by its holder');
    const late = Promise.withResolvers<'late'>();
    using _limit = this.#parts.runtime.clock.after(CLOSE_MS_MAX, () => late.resolve('late'));
    const closed = await Promise.race([this.#end(), late.promise]);
    if (closed === true) return;
    throw new HoldfastError('COORD_UNREACHABLE', `ZooKeeper could not be told that session ${this.name} (${this.id}) is over`, {
      retryable: true,
      hint: `It ends by itself ${this.#ttlMs} ms after its last renewal.`,
    });
  }

  abandon(): void {
    this.#ending ??= Promise.resolve(true);
    this.client.stop();
    this.#validity?.lose('left by its holder to end with its TTL');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // Not renewed any more, it ends with its TTL in any case: nothing for the caller to do.
    await this.close().catch(() => {});
  }

  async #establish(signal: AbortSignal, along: Along | undefined): Promise<void> {
    const { clock } = this.#parts.runtime;
    const deadlineMs = clock.monotonicMs() + CALL_MS_MAX;
    for (let more = along; ; more = undefined) {
      const connection = await this.client.connection({ limitMs: Math.max(0, deadlineMs - clock.monotonicMs()), signal });
      this.#ttlMs = connection.ttlMs;
      // The creation of a session is a transaction too: the leader knows of it since after the first frame was sent.
      this.#validity ??= new Validity(clock, {
        ttlMs: connection.ttlMs,
        sent: connection.handshakeSent,
        name: `${this.name} (${this.id})`,
      });
      try {
        await abortable(this.#mark(connection, more), signal);
        break;
      } catch (error) {
        if (signal.aborted || !isConnectionLoss(error) || clock.monotonicMs() > deadlineMs) throw error;
      }
    }
    this.signal.addEventListener('abort', () => void this.#end(), { once: true });
    this.assertValid();
  }

  async #mark(connection: Connection, along: Along | undefined): Promise<void> {
    const { layout, acl } = this.#parts;
    const about = Buffer.from(JSON.stringify({ name: this.name, host: hostname(), pid: process.pid }));
    const path = layout.session(this.id);
    const mark = create(path, about, acl, 'ephemeral');
    // Written once more, since only the answer to that says which transaction it was.
    if (along === undefined || !(await along(connection, this, [mark, setData(path, about, ANY_VERSION)]))) {
      const reply = await connection.submit(mark);
      // It can only be there by an attempt of ours whose answer was lost: the name is unique, and the session is still the same.
      if (!reply.ok && reply.code !== errorCode.nodeExists) throw refusal(reply.code, `creating ${path}`);
    }
    this.#marked = true;
  }

  async #renew(connection: Connection): Promise<void> {
    // Not yet: a sign of life is all that there is to give.
    if (!this.#marked) return connection.ping();
    if (this.#last?.connection !== connection) this.#last = this.#begin(connection);
    const last = this.#last;
    const sent = sentNow(connection.clock);
    const outcome = await transact(connection, [check(this.#parts.layout.session(this.id), ANY_VERSION)], 'renewing the session');
    if (!outcome.done) return this.#validity!.lose('its mark in ZooKeeper was removed');
    this.#validity!.renewed(last.leads ? sent : last.sent, connection.ttlMs);
    last.sent = sent;
  }

  #begin(connection: Connection): LastSent {
    const last: LastSent = { connection, sent: connection.handshakeSent, leads: false };
    void this.#parts.ensemble.leads(connection, { limitMs: this.#ttlMs, signal: connection.closed }).then((leads) => (last.leads = leads));
    return last;
  }

  /**
   * Ends it in the ensemble, also when its validity has passed while the ensemble may still keep it. Not tried for longer than its TTL:
   * over a link that carries our packets but no answers, each attempt would keep it alive.
   */
  #end(): Promise<boolean> {
    this.#ending ??= this.client.close(Math.max(CLOSE_MS_MAX, this.#ttlMs));
    return this.#ending;
  }
}

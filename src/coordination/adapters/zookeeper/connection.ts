import type { Socket } from 'node:net';
import type { Clock, Timer } from '../../../core/clock.ts';
import { type Address, formatAddress } from '../../../core/address.ts';
import { type Sent, sentNow } from '../../validity.ts';
import { dial, type DialOptions } from './dial.ts';
import { connectFailure, silentHint, ZooKeeperFailure } from './failure.ts';
import { FRAME_BYTES_MAX, FrameReader } from './frames.ts';
import { JuteReader, JuteWriter } from './jute.ts';
import {
  auth,
  codeName,
  connectRequest,
  errorCode,
  type NodeEvent,
  ping,
  readConnectResponse,
  readEvent,
  type Reply,
  type Request,
  specialXid,
} from './protocol.ts';

/** Requests under way on one connection. More are refused: the caller is faster than the ensemble. */
const PENDING_MAX = 4_096;
/** The answer to the first frame is tiny: what is longer is no ZooKeeper. */
export const HANDSHAKE_BYTES_MAX = 1_024;
/** A watchdog that ran later than this was stalled itself: answers may wait to be read, and get the grace. */
const LATE_MS = 50;
const GRACE_MS = 100;

/** A session as the ensemble knows it. Whoever has the password can continue it: it is a secret. */
export interface SessionKeys {
  readonly id: bigint;
  readonly password: Buffer;
}

export interface ConnectOptions extends DialOptions {
  readonly ttlMs: number;
  /** The session to continue; undefined for a new one. */
  readonly session: SessionKeys | undefined;
  /** The latest transaction that this client has seen: servers that are behind it refuse. */
  readonly lastZxid: bigint;
  /** Kept up to date for all connections of a store. */
  readonly seen: { zxid: bigint };
  /** `user:password` of the digest scheme. */
  readonly digest: string | undefined;
  /** A server that leaves a request without answer for this long is given up. */
  readonly replyLimitMs: number;
  readonly onEvent: (event: NodeEvent, connection: Connection) => void;
}

interface Pending {
  readonly xid: number;
  readonly sentMs: number;
  /** @throws ZooKeeperFailure `foreign` when the answer can not be read */
  settle(code: number, zxid: bigint, answer: JuteReader): void;
  fail(failure: ZooKeeperFailure): void;
}

/**
 * One connection to one server, carrying one session. The server answers in the order of asking, and a read after a write on the same
 * connection sees that write. All requests of one turn of the event loop leave in one packet.
 */
export class Connection {
  readonly address: Address;
  /** Before the first frame left: at the earliest then the ensemble heard of this session. */
  readonly handshakeSent: Sent;
  readonly clock: Clock;
  readonly #options: ConnectOptions;
  readonly #socket: Socket;
  readonly #frames = new FrameReader(HANDSHAKE_BYTES_MAX);
  readonly #closed = new AbortController();
  readonly #pending: Pending[] = [];
  readonly #pings: Pending[] = [];
  #handshake: PromiseWithResolvers<void> | undefined = Promise.withResolvers();
  #session: SessionKeys | undefined;
  #ttlMs = 0;
  #lastXid = 0;
  #lastZxid: bigint;
  #turn: object | undefined;
  #watchdog: Timer | undefined;
  #onGrace = false;

  /** @throws ZooKeeperFailure `away`, `denied`, `foreign`, `expired` (the session to continue is gone); the signal's reason */
  static async open(address: Address, options: ConnectOptions): Promise<Connection> {
    const startMs = options.clock.monotonicMs();
    const socket = await dial(address, options);
    const connection = new Connection(address, socket, options);
    const leftMs = startMs + options.limitMs - options.clock.monotonicMs();
    using _limit = options.clock.after(Math.max(0, leftMs), () =>
      connection.destroy(new ZooKeeperFailure('away', 'connected, but the server does not answer', { hint: silentHint })),
    );
    const abort = (): void => connection.destroy(new ZooKeeperFailure('away', 'not wanted any more'));
    options.signal.addEventListener('abort', abort, { once: true });
    try {
      await connection.#handshake?.promise;
      return connection;
    } catch (error) {
      options.signal.throwIfAborted();
      throw error;
    } finally {
      options.signal.removeEventListener('abort', abort);
    }
  }

  private constructor(address: Address, socket: Socket, options: ConnectOptions) {
    this.address = address;
    this.clock = options.clock;
    this.#socket = socket;
    this.#options = options;
    this.#lastZxid = options.lastZxid;
    socket.on('data', (chunk: Buffer) => this.#onData(chunk));
    socket.on('error', (error) => this.destroy(connectFailure(address, error)));
    socket.on('close', () => this.destroy(new ZooKeeperFailure('lost', 'the server closed the connection')));
    this.handshakeSent = sentNow(options.clock);
    socket.write(connectRequest(options));
  }

  /** Aborts when the connection is over. Reason: ZooKeeperFailure. */
  get closed(): AbortSignal {
    return this.#closed.signal;
  }

  /** Where it is connected to: a name may stand for several. */
  get ip(): string | undefined {
    return this.#socket.remoteAddress;
  }

  get session(): SessionKeys {
    return this.#session!;
  }

  /** As granted: ZooKeeper keeps a session's timeout within its own limits (by default 2 to 20 ticks). */
  get ttlMs(): number {
    return this.#ttlMs;
  }

  get lastZxid(): bigint {
    return this.#lastZxid;
  }

  /** One object for all that leaves in the same packet. */
  get turn(): object {
    if (this.#turn === undefined) {
      this.#turn = {};
      this.#socket.cork();
      process.nextTick(() => {
        this.#turn = undefined;
        this.#socket.uncork();
      });
    }
    return this.#turn;
  }

  /** Sends now. @throws ZooKeeperFailure when the connection ends before the answer: nobody knows whether it was done */
  async submit<T>(request: Request<T>): Promise<Reply<T>> {
    if (this.#pending.length >= PENDING_MAX) throw new ZooKeeperFailure('away', `${PENDING_MAX} requests are under way already`);
    this.#lastXid = (this.#lastXid + 1) & 0x7fffffff;
    return this.#send(this.#lastXid, request, this.#pending);
  }

  /** Keeps the session alive and finds out whether the server is. */
  async ping(): Promise<void> {
    await this.#send(specialXid.ping, ping, this.#pings);
  }

  destroy(failure: ZooKeeperFailure): void {
    if (this.closed.aborted) return;
    const told = new ZooKeeperFailure(failure.kind, `${formatAddress(this.address)}: ${failure.message}`, {
      hint: failure.hint,
      cause: failure,
    });
    this.#closed.abort(told);
    this.#watchdog?.[Symbol.dispose]();
    this.#socket.destroy();
    this.#handshake?.reject(
      told.kind === 'lost' ? new ZooKeeperFailure('away', told.message, { hint: handshakeHint, cause: failure }) : told,
    );
    for (const pending of [...this.#pending.splice(0), ...this.#pings.splice(0)])
      pending.fail(told.kind === 'away' ? new ZooKeeperFailure('lost', told.message, { hint: told.hint, cause: failure }) : told);
  }

  #send<T>(xid: number, request: Request<T>, queue: Pending[]): Promise<Reply<T>> {
    if (this.closed.aborted)
      throw new ZooKeeperFailure('away', (this.closed.reason as ZooKeeperFailure).message, { cause: this.closed.reason });
    const { promise, resolve, reject } = Promise.withResolvers<Reply<T>>();
    const settle: Pending['settle'] = (code, zxid, answer) =>
      resolve(code === errorCode.ok ? { ok: true, zxid, value: request.read(answer) } : { ok: false, zxid, code });
    queue.push({ xid, sentMs: this.clock.monotonicMs(), settle, fail: reject });
    this.#write(xid, request);
    if (this.#watchdog === undefined) this.#watch(this.#options.replyLimitMs);
    return promise;
  }

  #write(xid: number, request: Request<unknown>): void {
    const frame = new JuteWriter().int(xid).int(request.type);
    request.write(frame);
    void this.turn;
    this.#socket.write(frame.frame());
  }

  #onData(chunk: Buffer): void {
    try {
      for (const frame of this.#frames.push(chunk)) {
        if (this.closed.aborted) return;
        if (this.#handshake !== undefined) this.#onHandshake(new JuteReader(frame));
        else this.#onFrame(new JuteReader(frame));
      }
    } catch (error) {
      this.destroy(
        error instanceof ZooKeeperFailure
          ? error
          : new ZooKeeperFailure('foreign', `an answer that can not be read: ${(error as Error).message}`),
      );
    }
  }

  #onHandshake(frame: JuteReader): void {
    const { ttlMs, sessionId, password } = readConnectResponse(frame);
    if (sessionId === 0n || ttlMs <= 0) throw new ZooKeeperFailure('expired', 'the ensemble has ended the session');
    this.#session = { id: sessionId, password };
    this.#ttlMs = ttlMs;
    this.#frames.bytesMax = FRAME_BYTES_MAX;
    if (this.#options.digest !== undefined) this.#write(specialXid.auth, auth('digest', this.#options.digest));
    const handshake = this.#handshake!;
    this.#handshake = undefined;
    handshake.resolve();
  }

  #onFrame(frame: JuteReader): void {
    const xid = frame.int();
    const zxid = frame.long();
    const code = frame.int();
    if (zxid > this.#lastZxid) this.#lastZxid = zxid;
    if (zxid > this.#options.seen.zxid) this.#options.seen.zxid = zxid;
    if (xid === specialXid.event) return this.#options.onEvent(readEvent(frame), this);
    if (xid === specialXid.auth) return this.#onAuth(code);
    const queue = xid === specialXid.ping ? this.#pings : this.#pending;
    if (queue[0]?.xid !== xid) throw new ZooKeeperFailure('foreign', `an answer (${xid}) to nothing that was asked`);
    // What became of the session is learned by continuing it: there the ensemble says so with authority.
    if (code === errorCode.sessionExpired || code === errorCode.sessionMoved) throw new ZooKeeperFailure('lost', codeName(code));
    queue[0].settle(code, zxid, frame);
    queue.shift();
  }

  #onAuth(code: number): void {
    if (code !== errorCode.ok) throw new ZooKeeperFailure('denied', `the digest credentials are not accepted: ${codeName(code)}`);
  }

  /** A stopped server keeps its connections open: only our own limit finds out. */
  #watch(delayMs: number): void {
    const dueMs = this.clock.monotonicMs() + delayMs;
    this.#watchdog = this.clock.after(delayMs, () => this.#onWatchdog(this.clock.monotonicMs() - dueMs));
  }

  #onWatchdog(lateMs: number): void {
    this.#watchdog = undefined;
    const oldestMs = Math.min(this.#pending[0]?.sentMs ?? Infinity, this.#pings[0]?.sentMs ?? Infinity);
    const leftMs = oldestMs + this.#options.replyLimitMs - this.clock.monotonicMs();
    const grace = leftMs <= 0 && lateMs > LATE_MS && !this.#onGrace;
    this.#onGrace = grace;
    if (oldestMs === Infinity) return;
    if (leftMs > 0 || grace) return this.#watch(grace ? GRACE_MS : leftMs);
    this.destroy(new ZooKeeperFailure('lost', `no answer for ${this.#options.replyLimitMs} ms`));
  }
}

const handshakeHint =
  'The server closed the connection at once: it is no ZooKeeper, has no quorum, expects TLS, has its maxClientCnxns reached, or has lost transactions that were already seen (restored from a copy? then restart the agents).';

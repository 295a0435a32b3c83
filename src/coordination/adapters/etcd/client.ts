import type { Clock } from '../../../core/clock.ts';
import { HoldfastError } from '../../../core/errors.ts';
import type { Runtime } from '../../../core/runtime.ts';
import { abortable } from '../../../core/abortable.ts';
import type { CallHeaders } from './call.ts';
import type { EtcdConfig } from './config.ts';
import { readTlsFiles, type Connection } from './connection.ts';
import { Credentials } from './credentials.ts';
import { Deadline } from './deadline.ts';
import { Endpoints } from './endpoints.ts';
import { CallFailure, grpcStatus, toHoldfastError } from './failure.ts';
import { LeaseStream } from './lease-stream.ts';
import { rpc, type Header, type KeyValue, type RangeReply, type RangeRequest, type Rpc } from './messages.ts';

/** Pauses between attempts of one call: doubling from the first to the last, each less up to a half by chance. */
const BACKOFF_MS_MIN = 20;
const BACKOFF_MS_MAX = 500;
/** How often one call may fetch a new token: a rejected one is replaced once, and the new one may fall to a restart in that moment. */
const TOKEN_REFRESHES_MAX = 2;
/** Share of a call's time that one member gets before a repeatable call goes to another. */
const ATTEMPT_SHARE = 0.5;

export interface CallOptions {
  readonly signal?: AbortSignal | undefined;
  /** Default: the configured request timeout. */
  readonly timeoutMs?: number;
}

/**
 * An etcd cluster as one thing: keeps one connection to some member, changes to another when that one fails, authenticates, and refuses
 * answers of another cluster or from the past.
 */
export class EtcdClient implements AsyncDisposable {
  readonly clock: Clock;
  readonly requestTimeoutMs: number;
  readonly #runtime: Runtime;
  readonly #config: EtcdConfig;
  readonly #endpoints: Endpoints;
  readonly #credentials: Credentials;
  readonly #closing = new AbortController();
  #connection: Connection | undefined;
  #connecting: Promise<Connection> | undefined;
  #leases: LeaseStream | undefined;
  #clusterId: bigint | undefined;
  #revisionSeen = 0n;

  constructor(config: EtcdConfig, runtime: Runtime) {
    this.clock = runtime.clock;
    this.requestTimeoutMs = config.requestTimeout;
    this.#runtime = runtime;
    this.#config = config;
    this.#endpoints = new Endpoints(config.endpoints, runtime);
    const { username, password } = config;
    const account = username === undefined || password === undefined ? undefined : { username, password };
    this.#credentials = new Credentials(account, runtime.clock, config.requestTimeout);
  }

  /** Aborts when the client is disposed of. */
  get closing(): AbortSignal {
    return this.#closing.signal;
  }

  /**
   * Calls a method that may be done twice. Repeated on other members until it is answered or the time is over.
   * @throws COORD_UNREACHABLE, COORD_DENIED, the signal's reason, or CallFailure with status notFound or outOfRange, which is the caller's business
   */
  repeat<Request, Reply extends { header: Header }>(
    method: Rpc<Request, Reply>,
    request: Request,
    options: CallOptions = {},
  ): Promise<Reply> {
    return this.#call((connection, signal) => this.callOn(connection, method, request, signal), true, options);
  }

  /** Calls a method that must not be done twice: repeated only while it is certain that nothing was done. Else as `repeat`. */
  once<Request, Reply extends { header: Header }>(
    method: Rpc<Request, Reply>,
    request: Request,
    options: CallOptions = {},
  ): Promise<Reply> {
    return this.#call((connection, signal) => this.callOn(connection, method, request, signal), false, options);
  }

  /** A linearizable read; an answer older than what this client had seen when it asked is not accepted (etcd issue 20418). */
  read(request: RangeRequest, options: CallOptions = {}): Promise<RangeReply> {
    return this.#call((connection, signal) => this.#readOn(connection, request, signal), true, options);
  }

  /**
   * Renews a lease, and reads the key bound to it from the same member afterwards: etcd before 3.4.38, 3.5.23, 3.6.5 may confirm the renewal of
   * a lease that is being revoked (issue 20547). The raft term at the member must be the same before the renewal (its header is made first)
   * and after the read, which is confirmed by a majority: then the leader that renewed was the leader, not a deposed one that does not know.
   * @returns whether it is certainly renewed, and the key, undefined when it is gone for ever
   * @throws CallFailure when neither could be had, or the signal's reason; nothing is repeated
   */
  async renewLease(leaseId: bigint, key: string, signal: AbortSignal): Promise<{ confirmed: boolean; key: KeyValue | undefined }> {
    using deadline = new Deadline(this.clock, this.requestTimeoutMs, 'no renewal', [signal, this.closing]);
    const connection = await this.connect(deadline.signal);
    try {
      const headers = await this.headers(connection, deadline.signal);
      const lease = await this.#leaseStream(connection, headers).renew(leaseId, deadline.signal);
      this.observe(lease.header);
      const { header, entries } = await this.#readOn(connection, { key }, deadline.signal);
      return { confirmed: lease.ttlS > 0n && header.raftTerm === lease.header.raftTerm, key: entries[0] };
    } catch (error) {
      this.blame(connection, error);
      throw error;
    }
  }

  /** One call on one connection, once. @throws CallFailure, or the signal's reason */
  async callOn<Request, Reply extends { header: Header }>(
    connection: Connection,
    method: Rpc<Request, Reply>,
    request: Request,
    signal: AbortSignal,
  ): Promise<Reply> {
    const headers = method.leaderless === true ? {} : await this.headers(connection, signal);
    try {
      const reply = method.decode(await connection.unary(method.path, method.encode(request), headers, signal));
      this.observe(reply.header);
      return reply;
    } catch (error) {
      if (error instanceof CallFailure && error.tokenRejected) await this.#credentials.forget(headers);
      throw error;
    }
  }

  /** The connection in use, or a new one to the first member that takes it. @throws CallFailure, or the signal's reason */
  async connect(signal: AbortSignal): Promise<Connection> {
    if (this.#connection?.usable === true) return this.#connection;
    this.closing.throwIfAborted();
    this.#connecting ??= this.#open().finally(() => (this.#connecting = undefined));
    return await abortable(this.#connecting, signal);
  }

  /** Leaves a connection whose member failed in this way, if the failure is the member's. A slow one finishes what it has begun. */
  blame(connection: Connection, error: unknown): void {
    if (!(error instanceof CallFailure) || !error.blamesMember) return;
    this.#endpoints.evict(connection.url, error.message);
    if (error.kind === 'timeout' && !connection.silent) connection.retire();
    else connection[Symbol.dispose]();
  }

  /** The headers of a call that only a member with a leader may answer. @throws CallFailure, or the signal's reason */
  async headers(connection: Connection, signal: AbortSignal): Promise<CallHeaders> {
    return { hasleader: 'true', ...(await this.#credentials.headers(connection, signal)) };
  }

  /** Takes note that a call with these headers was refused: with a new token it may be accepted. */
  async refused(headers: CallHeaders): Promise<void> {
    await this.#credentials.forget(headers);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort(new HoldfastError('COORD_UNREACHABLE', 'this client of etcd is closed'));
    this.#leases?.[Symbol.dispose]();
    this.#connection?.[Symbol.dispose]();
    await this.#connecting?.catch(() => {});
  }

  #leaseStream(connection: Connection, headers: CallHeaders): LeaseStream {
    if (this.#leases?.usable === true) return this.#leases;
    this.#leases?.[Symbol.dispose]();
    this.#leases = new LeaseStream(connection, headers);
    return this.#leases;
  }

  async #call<Reply>(
    attempt: (connection: Connection, signal: AbortSignal) => Promise<Reply>,
    repeatable: boolean,
    options: CallOptions,
  ): Promise<Reply> {
    const timeoutMs = options.timeoutMs ?? this.requestTimeoutMs;
    using deadline = new Deadline(this.clock, timeoutMs, 'no answer', [options.signal, this.closing]);
    let refreshes = 0;
    let last: CallFailure | undefined;
    for (let backoffMs = BACKOFF_MS_MIN; ; backoffMs = Math.min(backoffMs * 2, BACKOFF_MS_MAX)) {
      try {
        return await this.#tryOnce(attempt, repeatable ? timeoutMs * ATTEMPT_SHARE : timeoutMs, deadline.signal);
      } catch (error) {
        // The signal's reason, or a defect of ours.
        if (!(error instanceof CallFailure)) throw error;
        if (deadline.signal.aborted) throw isTimeout(deadline.signal.reason) ? toHoldfastError(last ?? error) : deadline.signal.reason;
        if (error.tokenRejected) refreshes += 1;
        const again =
          (repeatable || error.unexecuted) &&
          (error.tokenRejected ? refreshes <= TOKEN_REFRESHES_MAX : !error.isDenial && error.blamesMember);
        if (!again) throw isCallersBusiness(error) ? error : toHoldfastError(error);
        last = error;
      }
      await this.#pause(backoffMs, deadline.signal, last);
    }
  }

  async #pause(backoffMs: number, signal: AbortSignal, last: CallFailure): Promise<void> {
    try {
      await this.clock.sleep(backoffMs * (1 - this.#runtime.random.next() / 2), signal);
    } catch (reason) {
      throw isTimeout(reason) ? toHoldfastError(last) : reason;
    }
  }

  async #tryOnce<Reply>(
    attempt: (connection: Connection, signal: AbortSignal) => Promise<Reply>,
    limitMs: number,
    signal: AbortSignal,
  ): Promise<Reply> {
    using share = new Deadline(this.clock, limitMs, 'no answer', [signal]);
    const connection = await this.connect(share.signal);
    try {
      return await attempt(connection, share.signal);
    } catch (error) {
      this.blame(connection, error);
      throw isTimeout(error) ? new CallFailure('timeout', `${connection.url}: ${error.message}`) : error;
    }
  }

  async #readOn(connection: Connection, request: RangeRequest, signal: AbortSignal): Promise<RangeReply> {
    const floor = this.#revisionSeen;
    const reply = await this.callOn(connection, rpc.range, request, signal);
    if (reply.header.revision >= floor) return reply;
    throw new CallFailure('stale', `${connection.url} answered as of revision ${reply.header.revision}, but ${floor} had been seen`, {
      hint: 'A member lags (update etcd), or the cluster was restored from an older copy: then restart what was connected to it.',
    });
  }

  /** Takes note of an answer's header, on whatever way it came. @throws CallFailure `nonsense` when it is of another cluster */
  observe(header: Header): void {
    if (this.#clusterId === undefined && header.clusterId !== 0n) this.#clusterId = header.clusterId;
    if (header.clusterId !== this.#clusterId) {
      throw new CallFailure(
        'nonsense',
        `an answer of cluster ${header.clusterId.toString(16)}, not ${this.#clusterId?.toString(16) ?? 'of any'}`,
        {
          hint: 'The endpoints belong to different clusters, or the cluster was made anew: correct them, or restart what was connected to it.',
        },
      );
    }
    if (header.revision > this.#revisionSeen) this.#revisionSeen = header.revision;
  }

  async #open(): Promise<Connection> {
    const connection = await this.#endpoints.connect(await readTlsFiles(this.#config.tls), this.closing);
    if (this.closing.aborted) {
      connection[Symbol.dispose]();
      throw this.closing.reason;
    }
    this.#runtime.logger.debug('coordination.endpoint.connected', { url: connection.url });
    this.#connection = connection;
    return connection;
  }
}

function isTimeout(reason: unknown): reason is CallFailure {
  return reason instanceof CallFailure && reason.kind === 'timeout';
}

/** Statuses that say something about what was asked, not about the store: a lease that is gone, a compacted revision. */
function isCallersBusiness(failure: CallFailure): boolean {
  return failure.kind === 'status' && (failure.status === grpcStatus.notFound || failure.status === grpcStatus.outOfRange);
}

import { readFile } from 'node:fs/promises';
import http2, { type ClientHttp2Session } from 'node:http2';
import { connect as connectTcp, isIP, type Socket } from 'node:net';
import { connect as connectTls, type SecureContextOptions } from 'node:tls';
import type { Clock, Timer } from '../../../core/clock.ts';
import { messageOf } from '../../../core/errors.ts';
import { GrpcCall, type CallHeaders } from './call.ts';
import { CallFailure, connectFailure } from './failure.ts';

/** A unary call unanswered for so long makes us ask whether the server lives at all. */
const QUIET_MS = 500;
/** A server that does not answer a ping for so long is taken for dead or cut off. */
const PONG_MS = 1_000;
/**
 * Least time between pings when nothing was heard in between. grpc-go ends connections that ping more often than etcd's
 * --grpc-keepalive-min-time (5 s by default), data sent by the server forgives (grpc-go, http2_server.go, handlePing).
 */
const PING_GAP_MS = 5_500;
/** With open streams on which nothing is heard for so long, the server is asked for a sign of life. */
const IDLE_MS = 10_000;

const STREAM_WINDOW_BYTES = 1024 * 1024;
const CONNECTION_WINDOW_BYTES = 8 * 1024 * 1024;
/** Bound of what Node buffers for one connection, in MB. */
const SESSION_MEMORY_MB = 64;

/** Paths of PEM files. They are read anew for every connection, so that renewed certificates need no restart. */
export interface TlsFiles {
  readonly ca?: string | undefined;
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
}

/** @throws CallFailure `denied` when a file can not be read */
export async function readTlsFiles(files: TlsFiles | undefined): Promise<SecureContextOptions> {
  const contents: { ca?: Buffer; cert?: Buffer; key?: Buffer } = {};
  for (const name of ['ca', 'cert', 'key'] as const) {
    const path = files?.[name];
    if (path === undefined) continue;
    contents[name] = await readFile(path).catch((cause: unknown) => {
      throw new CallFailure('denied', `can not read tls.${name}: ${messageOf(cause)}`, {
        hint: 'Correct the path, or let this user read the file.',
        cause,
      });
    });
  }
  return contents;
}

/**
 * Connects to one endpoint. Resolves once the server has said its HTTP/2 settings: a port whose process is stopped accepts, and says nothing.
 * @throws CallFailure `unsent` or `denied`, or the signal's reason
 */
export async function openConnection(url: string, tls: SecureContextOptions, clock: Clock, signal: AbortSignal): Promise<Connection> {
  signal.throwIfAborted();
  const socket = dial(url, tls);
  const session = http2.connect(url, {
    createConnection: () => socket,
    settings: { enablePush: false, initialWindowSize: STREAM_WINDOW_BYTES },
    maxSessionMemory: SESSION_MEMORY_MB,
  });
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const abort = (): void => reject(signal.reason);
  const fail = (error: Error): void => reject(connectFailure(url, error));
  session.once('remoteSettings', () => resolve());
  session.on('error', fail);
  session.once('close', () => fail(new Error('the port closed the connection before it spoke HTTP/2')));
  // An alert after the handshake, such as a refused client certificate under TLS 1.3, reaches the session as nothing at all (Node 24).
  socket.on('error', (error) => {
    fail(error);
    session.destroy();
  });
  signal.addEventListener('abort', abort, { once: true });
  try {
    await promise;
    return new Connection(url, session, clock);
  } catch (error) {
    session.destroy();
    throw error;
  } finally {
    signal.removeEventListener('abort', abort);
  }
}

/** @throws CallFailure `denied` when the certificate and key can not be used */
function dial(url: string, secure: SecureContextOptions): Socket {
  const { protocol, hostname, port } = new URL(url);
  // URL keeps the brackets of IPv6 addresses, which sockets do not take.
  const target = { host: hostname.replace(/^\[(.*)\]$/, '$1'), port: Number(port) };
  if (protocol === 'http:') return connectTcp(target);
  try {
    const servername = isIP(target.host) === 0 ? { servername: target.host } : {};
    return connectTls({ ...target, ...servername, ...secure, ALPNProtocols: ['h2'] });
  } catch (error) {
    throw new CallFailure('denied', `${url}: ${messageOf(error)}`, {
      hint: 'Check that tls.ca, tls.cert and tls.key are PEM files that belong together.',
      cause: error,
    });
  }
}

/** One HTTP/2 connection to one etcd member. It ends itself when the member does not answer pings. */
export class Connection implements Disposable {
  readonly url: string;
  readonly #session: ClientHttp2Session;
  readonly #clock: Clock;
  readonly #retired = new AbortController();
  #usable = true;
  #openStreams = 0;
  #heardMs: number;
  /** When the last ping left. */
  #pingedMs = Number.NEGATIVE_INFINITY;
  /** When the last answer to a ping came. */
  #pongedMs = Number.NEGATIVE_INFINITY;
  #pong: Timer | undefined;
  #idle: Timer | undefined;

  constructor(url: string, session: ClientHttp2Session, clock: Clock) {
    this.url = url;
    this.#session = session;
    this.#clock = clock;
    this.#heardMs = clock.monotonicMs();
    session.setLocalWindowSize(CONNECTION_WINDOW_BYTES);
    const retire = (): void => {
      this.#usable = false;
    };
    session.on('goaway', () => {
      retire();
      this.#leave();
    });
    session.on('error', retire);
    session.on('close', () => {
      retire();
      this.#pong?.[Symbol.dispose]();
      this.#idle?.[Symbol.dispose]();
    });
    // It must not keep the process alive: whoever waits for something holds a timer.
    session.unref();
  }

  /** Whether new calls may be made on it. Once false, false for ever. */
  get usable(): boolean {
    return this.#usable && !this.#session.closed && !this.#session.destroyed;
  }

  /** Whether not even a sign of life came for a while. */
  get silent(): boolean {
    return this.#clock.monotonicMs() - Math.max(this.#heardMs, this.#pongedMs) >= QUIET_MS;
  }

  /**
   * Aborts when calls that have no end of their own are to move on: nobody renews anything here any more, so that hardly anybody would notice
   * when the member falls silent. The reason is a CallFailure.
   */
  get retired(): AbortSignal {
    return this.#retired.signal;
  }

  /** Takes no new calls any more; those that run go on, and when the last one ends, so does the connection. */
  retire(): void {
    this.#usable = false;
    this.#leave();
    if (!this.#session.closed) this.#session.close();
  }

  /** Starts a call. @throws CallFailure `unsent` */
  start(path: string, headers: CallHeaders): GrpcCall {
    if (!this.usable) throw new CallFailure('unsent', `${this.url}: the connection is closed`);
    try {
      const stream = this.#session.request({
        ':method': 'POST',
        ':path': path,
        'content-type': 'application/grpc',
        te: 'trailers',
        ...headers,
      });
      this.#openStreams += 1;
      stream.once('close', () => (this.#openStreams -= 1));
      this.#watchIdleness();
      return new GrpcCall(stream, () => (this.#heardMs = this.#clock.monotonicMs()));
    } catch (error) {
      throw new CallFailure('unsent', `${this.url}: ${messageOf(error)}`, { cause: error });
    }
  }

  /** One request, one answer. @throws CallFailure, or the signal's reason */
  async unary(path: string, request: Uint8Array, headers: CallHeaders, signal: AbortSignal): Promise<Buffer> {
    signal.throwIfAborted();
    using call = this.start(path, headers);
    call.send(request, true);
    return await this.prompt(call, signal, async () => {
      const reply = await call.next();
      if (reply === undefined || (await call.next()) !== undefined)
        throw new CallFailure('nonsense', `${this.url}: not exactly one answer to ${path}`);
      return reply;
    });
  }

  /** Waits for an answer that should come soon: after QUIET_MS the server is asked for a sign of life. The signal ends the call. */
  async prompt<T>(call: GrpcCall, signal: AbortSignal, answer: () => Promise<T>): Promise<T> {
    const abort = (): void => call.fail(signal.reason);
    using _quiet = this.#clock.after(QUIET_MS, () => this.#ping());
    signal.addEventListener('abort', abort, { once: true });
    if (signal.aborted) abort();
    try {
      return await answer();
    } finally {
      signal.removeEventListener('abort', abort);
    }
  }

  /** Ends all calls on it at once; they fail as `lost`. Idempotent. */
  [Symbol.dispose](): void {
    this.#usable = false;
    this.#session.destroy();
  }

  #leave(): void {
    this.#retired.abort(new CallFailure('lost', `${this.url}: the connection is being left`));
  }

  #ping(): void {
    const nowMs = this.#clock.monotonicMs();
    const forgiven = this.#heardMs > this.#pingedMs || nowMs - this.#pingedMs >= PING_GAP_MS;
    if (this.#pong !== undefined || !forgiven || this.#session.destroyed) return;
    this.#pingedMs = nowMs;
    this.#pong = this.#clock.after(PONG_MS, () => this[Symbol.dispose]());
    this.#session.ping((error) => {
      this.#pong?.[Symbol.dispose]();
      this.#pong = undefined;
      if (error === null) this.#pongedMs = this.#clock.monotonicMs();
    });
  }

  #watchIdleness(): void {
    if (this.#idle !== undefined && !this.#idle.fired) return;
    this.#idle = this.#clock.after(IDLE_MS, () => {
      if (this.#session.destroyed || this.#openStreams === 0) return;
      if (this.#clock.monotonicMs() - this.#heardMs >= IDLE_MS) this.#ping();
      this.#watchIdleness();
    });
  }
}

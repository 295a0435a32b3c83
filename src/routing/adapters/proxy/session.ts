import type { Socket } from 'node:net';
import type { Clock } from '../../../core/clock.ts';
import type { Logger } from '../../../core/logger.ts';
import { messageOf } from '../../../core/errors.ts';
import { BackendKeyScanner } from './backend-key.ts';
import type { Route } from './board.ts';
import type { CancelKeys } from './cancel.ts';
import type { ProxyConfig } from './config.ts';
import { type Backend, greet, type Hello } from './dial.ts';
import { type Dispatcher, Refusal } from './dispatcher.ts';
import { Inlet } from './inlet.ts';
import { deadline, linked } from '../../../core/deadline.ts';
import { pump, reset } from './pump.ts';
import type { Port } from './route.ts';
import { fatalError, judgeAnswer, type Opening, readOpening, startupBytesMax, type Verdict } from './startup.ts';

/** A client has so long to say what it wants. */
const openingTimeoutMs = 10_000;
/** A refused client has so long to read why. */
const lastWordTimeoutMs = 1_000;
/** What a client says before it has a server. */
const earlyBytesMax = 65_536;

const yes = Buffer.from('S');
const no = Buffer.from('N');

export interface SessionContext {
  readonly port: Port;
  readonly protocol: 'postgres' | 'tcp';
  readonly config: ProxyConfig;
  readonly dispatcher: Dispatcher;
  readonly cancelKeys: CancelKeys;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly tls: TlsKnowledge;
  readonly onRefused: () => void;
}

/** Whether the servers of the service took TLS when last asked; undefined: never asked. One for all clients. */
export interface TlsKnowledge {
  isOffered: boolean | undefined;
}

/** One client, from its connection to the end of both sides. */
export class Session {
  readonly #client: Socket;
  readonly #inlet: Inlet;
  readonly #context: SessionContext;
  readonly #onClosed: () => void;
  readonly #gone = new AbortController();
  /** A server that said that it has no TLS, and waits for the start-up message that follows. */
  #spare: Backend | undefined;
  #route: Route | undefined;
  #server: Socket | undefined;

  /** @param onClosed called once, when both sides are gone */
  constructor(client: Socket, context: SessionContext, onClosed: () => void) {
    this.#client = client;
    this.#context = context;
    this.#onClosed = onClosed;
    client.on('error', () => {});
    client.once('close', () => {
      this.#gone.abort(new Error('the client is gone'));
      this.#dropSpare();
      if (this.#server === undefined) onClosed();
    });
    // A half-closed client of PostgreSQL can not want anything any more; elsewhere it may have said all it has to say.
    if (context.protocol === 'postgres') client.once('end', () => this.#server ?? this.#gone.abort(new Error('the client is gone')));
    this.#inlet = new Inlet(client, earlyBytesMax);
  }

  /** The server it is connected to; undefined while it waits for one. */
  get route(): Route | undefined {
    return this.#route;
  }

  /** Ends it at once, whatever is on the way. */
  cut(): void {
    reset(this.#client, ...(this.#server ? [this.#server] : []));
  }

  /** Never throws. Resolves once it is connected, or was sent away. */
  async serve(): Promise<void> {
    try {
      await (this.#context.protocol === 'tcp' ? this.#connect({}) : this.#negotiate());
    } catch (error) {
      this.#dropSpare();
      if (error instanceof Refusal) this.refuse(error);
      else {
        if (!this.#gone.signal.aborted) this.#context.logger.warn('routing.client.failed', { reason: messageOf(error) });
        reset(this.#client);
      }
    }
  }

  /** Tells the client why it can not be served, where the protocol has words for it. */
  refuse(refusal: Refusal): void {
    this.#context.onRefused();
    this.#context.logger.debug('routing.client.refused', { port: this.#context.port, reason: refusal.message });
    if (this.#context.protocol === 'tcp' || this.#client.destroyed) return reset(this.#client);
    const timer = this.#context.clock.after(lastWordTimeoutMs, () => this.#client.destroy());
    this.#client.once('close', () => timer[Symbol.dispose]());
    // What it still says is read and dropped: closing over unread bytes would reset the connection, and our words with it.
    this.#inlet.release();
    this.#client.resume().end(fatalError(refusal.sqlState, refusal.message, refusal.hint));
  }

  /** Goes through what a client may say before its start-up message; each request for encryption comes at most once, as in PostgreSQL. */
  async #negotiate(): Promise<void> {
    const asked = new Set<string>();
    let refusal: Refusal | undefined;
    for (;;) {
      const opening = await this.#readOpening();
      if (opening.kind === 'cancel') return this.#cancel(opening.packet, opening.key);
      if (opening.kind === 'tls') return this.#startTlsDirectly();
      if (opening.kind === 'startup') {
        if (refusal) throw refusal;
        return this.#connect({ bytes: opening.packet, judge: judgeAnswer });
      }
      if (asked.has(opening.kind)) throw new Refusal('08P01', 'encryption was asked for twice', '');
      asked.add(opening.kind);
      if (opening.kind === 'ssl' && this.#context.config.tls === 'passthrough') {
        const outcome = await this.#offerTls(opening.packet);
        if (outcome === 'connected') return;
        if (outcome !== 'declined') refusal = outcome;
      }
      this.#client.write(no);
    }
  }

  async #readOpening(): Promise<Extract<Opening, { kind: 'ssl' | 'gss' | 'startup' | 'cancel' | 'tls' }>> {
    const tooLate = (): Error => new Refusal('08P01', `no start-up message within ${openingTimeoutMs / 1000} s`, '');
    using limit = deadline(this.#context.clock, openingTimeoutMs, tooLate, this.#gone.signal);
    for (;;) {
      const opening = readOpening(this.#inlet.bytes);
      if (opening.kind === 'invalid') throw new Refusal('08P01', opening.why, '');
      if (opening.kind !== 'incomplete') {
        if (opening.kind !== 'tls') this.#inlet.skip(opening.packet.length);
        return opening;
      }
      if (this.#inlet.bytes.length > startupBytesMax) throw new Refusal('08P01', 'the start-up message is too long', '');
      await this.#inlet.more(limit.signal);
      if (this.#inlet.ended) throw new Error('the client is gone');
    }
  }

  /**
   * Asks a server for TLS on the client's behalf. A refusal is returned where it can be told later: clients show no error that comes
   * unencrypted in place of TLS (CVE-2024-10977), but one that answers their start-up message.
   */
  async #offerTls(packet: Buffer): Promise<'connected' | 'declined' | Refusal> {
    const { dispatcher, port, tls } = this.#context;
    let outcome: 'connected' | 'declined' = 'connected';
    const take = (backend: Backend): void => {
      const answer = backend.inlet.bytes[0];
      if (answer === yes[0] || answer === no[0]) tls.isOffered = answer === yes[0];
      if (answer !== no[0]) return this.#bind(backend);
      outcome = 'declined';
      backend.inlet.skip(1);
      this.#spare = backend;
    };
    try {
      await dispatcher.acquire(port, { bytes: packet, judge: judgeTlsAnswer }, take, this.#gone.signal);
      return outcome;
    } catch (error) {
      // Servers that have TLS are not denied to have it.
      if (error instanceof Refusal && tls.isOffered !== true) return error;
      throw error;
    }
  }

  /** A client that begins with TLS at once. What the server says is unreadable, and the client can not be answered here. */
  #startTlsDirectly(): Promise<void> | void {
    return this.#context.config.tls === 'passthrough' ? this.#connect({}) : reset(this.#client);
  }

  async #connect(hello: Hello): Promise<void> {
    const isPlain = hello.judge !== undefined;
    if (await this.#connectToSpare(hello)) return;
    await this.#context.dispatcher.acquire(this.#context.port, hello, (backend) => this.#bind(backend, isPlain), this.#gone.signal);
  }

  /** Goes on with the spare server, if it still may and will take this client. */
  async #connectToSpare(hello: Hello): Promise<boolean> {
    const spare = this.#spare;
    if (spare === undefined) return false;
    using trying = linked(this.#gone.signal, spare.route.validity);
    try {
      trying.signal.throwIfAborted();
      await greet(spare, hello, this.#context.clock, trying.signal);
      if (trying.signal.aborted || spare.socket.destroyed) throw new Error('it can not be used any more');
      this.#spare = undefined;
      this.#bind(spare, true);
      return true;
    } catch {
      this.#dropSpare();
      this.#gone.signal.throwIfAborted();
      return false;
    }
  }

  #dropSpare(): void {
    this.#spare?.socket.destroy();
    this.#spare = undefined;
  }

  /**
   * Puts both sides together.
   * @param isPlain the server's words can be read: its cancellation key is looked for
   */
  #bind(backend: Backend, isPlain = false): void {
    const { socket: server, inlet, route } = backend;
    this.#route = route;
    this.#server = server;
    const answer = inlet.release();
    const question = this.#inlet.release();
    if (isPlain) this.#learnKey(server, answer, route);
    if (question.length > 0) server.write(question);
    if (answer.length > 0) this.#client.write(answer);
    const { open, halfClosed } = this.#context.config.idle;
    pump(this.#client, server, { idleMs: open, halfClosedMs: halfClosed, onClosed: this.#onClosed });
  }

  #learnKey(server: Socket, answer: Buffer, route: Route): void {
    const scanner = new BackendKeyScanner();
    const feed = (chunk: Buffer): void => {
      const key = scanner.feed(chunk);
      if (key === undefined) return;
      server.off('data', feed);
      if (key === null) return;
      this.#context.cancelKeys.add(key, route.target);
      server.once('close', () => this.#context.cancelKeys.delete(key));
    };
    server.on('data', feed);
    feed(answer);
  }

  async #cancel(packet: Buffer, key: string): Promise<void> {
    this.#dropSpare();
    await this.#context.cancelKeys.deliver(packet, key, this.#context.port, this.#gone.signal);
    // The protocol has no answer: the end of the connection says that the request was dealt with.
    this.#client.end();
    this.#client.resume();
  }
}

/** One byte, `S` or `N`; an error here is one of before protocol 3 or of a server that can not start a process: for the client. */
function judgeTlsAnswer(answer: Buffer): Verdict {
  return answer.length === 0 ? { kind: 'incomplete' } : { kind: 'pass' };
}

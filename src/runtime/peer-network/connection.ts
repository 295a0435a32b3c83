import { HoldfastError, messageOf } from '../../core/errors.ts';
import type { Timer } from '../../core/clock.ts';
import type { Runtime } from '../../core/runtime.ts';
import { encodeFrame } from './frames.ts';
import { cutText, type Message } from './messages.ts';
import type { Closing, Wire } from './wire.ts';

/** Questions of ours that wait for an answer from one peer; more are refused. */
const asksMax = 256;
/** Questions of one peer that are being answered; more are refused. */
const answersMax = 64;
/** A connection on which nothing was heard for this many ticks is given up; after each of them the other side is asked for a sign of life. */
const silentTicksMax = 4;
/** How long a connection that was replaced by a better one may take to finish. */
const retireMsMax = 5_000;
const replaced: Closing = { status: 'reset', detail: 'replaced by another connection' };

export interface ConnectionOptions {
  readonly node: string;
  readonly dialledByUs: boolean;
  /** Silence after which the connection is given up. */
  readonly idleMs: number;
  /** Undefined when nobody handles this kind here. */
  readonly handle: (kind: string, body: unknown) => Promise<unknown> | undefined;
}

interface Ask {
  readonly resolve: (body: unknown) => void;
  readonly reject: (error: unknown) => void;
}

/** A connection between two agents that know each other. */
export class PeerConnection {
  readonly node: string;
  readonly dialledByUs: boolean;
  readonly #wire: Wire;
  readonly #runtime: Runtime;
  readonly #options: ConnectionOptions;
  readonly #asks = new Map<number, Ask>();
  #lastAsk = 0;
  #answering = 0;
  /** By kind, what waits until the peer has taken what was sent before. */
  readonly #castsWaiting = new Map<string, Buffer>();
  /** By kind, what waits for the handler to be done with the one before; undefined: nothing does. */
  readonly #castsHandled = new Map<string, { readonly body: unknown } | undefined>();
  #heard = true;
  #silentTicks = 0;
  #retirement: Timer | undefined;
  #ticker: Timer;

  constructor(wire: Wire, runtime: Runtime, options: ConnectionOptions) {
    this.node = options.node;
    this.dialledByUs = options.dialledByUs;
    this.#wire = wire;
    this.#runtime = runtime;
    this.#options = options;
    this.#ticker = this.#tickLater();
    void wire.closed.then((closing) => this.#end(closing));
    wire.listen(
      (message) => this.#take(message),
      () => this.#flushCasts(),
    );
  }

  get closed(): Promise<Closing> {
    return this.#wire.closed;
  }

  get open(): boolean {
    return this.#wire.open;
  }

  /** `frame` is an encoded cast of this kind. It replaces one that still waits. */
  cast(kind: string, frame: Buffer): void {
    if (this.#wire.drained && this.#castsWaiting.size === 0) this.#wire.write(frame);
    else this.#castsWaiting.set(kind, frame);
  }

  /** @throws PEER_UNREACHABLE, PEER_TIMEOUT, PEER_REFUSED, or the signal's reason */
  async ask(kind: string, body: unknown, options: { timeoutMs: number; signal?: AbortSignal }): Promise<unknown> {
    options.signal?.throwIfAborted();
    if (!this.open) throw unreachable(this.node, 'the connection was lost just now');
    if (this.#asks.size >= asksMax) throw unreachable(this.node, `${asksMax} questions to it wait already`);
    const id = (this.#lastAsk += 1);
    const frame = encodeFrame({ type: 'ask', id, kind, body });
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    this.#asks.set(id, { resolve, reject });
    using _overdue = this.#runtime.clock.after(options.timeoutMs, () => reject(timeout(this.node, kind, options.timeoutMs)));
    const abort = (): void => reject(options.signal?.reason);
    options.signal?.addEventListener('abort', abort, { once: true });
    try {
      this.#wire.write(frame);
      return await promise;
    } finally {
      options.signal?.removeEventListener('abort', abort);
      this.#asks.delete(id);
      this.#endIfRetired();
    }
  }

  /** A better connection to the same node is there: finishes what waits, then ends. The side that dialled does so. */
  retire(): void {
    this.#retirement ??= this.#runtime.clock.after(retireMsMax, () => this.close(replaced));
    this.#endIfRetired();
  }

  close(closing: Closing): void {
    this.#wire.close(closing, { type: 'bye', detail: cutText(closing.detail) });
  }

  #endIfRetired(): void {
    if (this.#retirement !== undefined && this.dialledByUs && this.#asks.size === 0 && this.#answering === 0) this.close(replaced);
  }

  #end(closing: Closing): void {
    this.#ticker[Symbol.dispose]();
    this.#retirement?.[Symbol.dispose]();
    this.#castsWaiting.clear();
    for (const ask of this.#asks.values()) ask.reject(unreachable(this.node, closing.detail));
  }

  #flushCasts(): void {
    for (const [kind, frame] of this.#castsWaiting) {
      this.#castsWaiting.delete(kind);
      this.#wire.write(frame);
    }
  }

  #take(message: Message): void {
    this.#heard = true;
    switch (message.type) {
      case 'cast':
        return this.#takeCast(message.kind, message.body);
      case 'ask':
        return void this.#answer(message.id, message.kind, message.body);
      case 'answer':
        return this.#asks.get(message.id)?.resolve(message.body);
      case 'failure':
        return this.#asks.get(message.id)?.reject(refused(this.node, message.code, message.message));
      case 'bye':
        return this.#wire.close({ status: 'reset', detail: `it said: ${message.detail}` });
      case 'ping':
        return this.#wire.send({ type: 'pong' });
      case 'pong':
        return;
      case 'reject':
        return this.#wire.close({ status: 'rejected', detail: `it refuses this agent: ${message.detail}` });
      case 'hello':
      case 'welcome':
        return this.#wire.close({ status: 'rejected', detail: `it sent a ${message.type} in the middle of the conversation` });
    }
  }

  /** One at a time per kind; of those that come meanwhile only the latest is kept. */
  #takeCast(kind: string, body: unknown): void {
    if (this.#castsHandled.has(kind)) this.#castsHandled.set(kind, { body });
    else void this.#handleCasts(kind, body);
  }

  async #handleCasts(kind: string, first: unknown): Promise<void> {
    let next: { readonly body: unknown } | undefined = { body: first };
    while (next !== undefined && this.open) {
      this.#castsHandled.set(kind, undefined);
      try {
        await this.#options.handle(kind, next.body);
      } catch (error) {
        this.#runtime.logger.warn('peer.cast.failed', { node: this.node, kind, error });
      }
      next = this.#castsHandled.get(kind);
    }
    this.#castsHandled.delete(kind);
  }

  async #answer(id: number, kind: string, body: unknown): Promise<void> {
    if (this.#answering >= answersMax) return this.#fail(id, 'PEER_BUSY', `${answersMax} questions are being answered already`);
    this.#answering += 1;
    try {
      const answer = this.#options.handle(kind, body);
      if (answer === undefined) this.#fail(id, 'PEER_UNKNOWN_KIND', `nothing answers '${kind}' here`);
      else this.#wire.write(encodeFrame({ type: 'answer', id, body: await answer }));
    } catch (error) {
      if (!(error instanceof HoldfastError)) this.#runtime.logger.error('peer.ask.failed', { node: this.node, kind, error });
      this.#fail(id, error instanceof HoldfastError ? error.code : 'INTERNAL', messageOf(error));
    } finally {
      this.#answering -= 1;
      this.#endIfRetired();
    }
  }

  #fail(id: number, code: string, message: string): void {
    this.#wire.write(encodeFrame({ type: 'failure', id, code, message: cutText(message) }));
  }

  #tickLater(): Timer {
    return this.#runtime.clock.after(this.#options.idleMs / silentTicksMax, () => this.#tick());
  }

  /** Counts turns of our own loop, not time: after a stall of ours what was sent to us meanwhile is heard first. */
  #tick(): void {
    this.#silentTicks = this.#heard ? 0 : this.#silentTicks + 1;
    this.#heard = false;
    if (this.#silentTicks >= silentTicksMax) {
      return this.#wire.close({ status: 'unreachable', detail: `nothing was heard for ${this.#options.idleMs} ms` });
    }
    if (this.#silentTicks > 0 && this.#wire.drained) this.#wire.send({ type: 'ping' });
    this.#ticker = this.#tickLater();
  }
}

export function unreachable(node: string, why: string): HoldfastError {
  return new HoldfastError('PEER_UNREACHABLE', `the agent of '${node}' can not be reached: ${why}`, {
    retryable: true,
    hint: `See whether the agent runs on ${node}, and whether the network lets through.`,
  });
}

function timeout(node: string, kind: string, timeoutMs: number): HoldfastError {
  return new HoldfastError('PEER_TIMEOUT', `the agent of '${node}' did not answer '${kind}' within ${timeoutMs} ms`, {
    retryable: true,
    hint: `It may still do what was asked. See how ${node} is.`,
  });
}

function refused(node: string, code: string, message: string): HoldfastError {
  return new HoldfastError('PEER_REFUSED', `the agent of '${node}' refused: ${message} (${code})`, {
    cause: new HoldfastError(code, message),
    hint: `See the log of the agent on ${node}.`,
  });
}

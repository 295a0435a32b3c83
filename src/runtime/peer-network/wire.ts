import type { TLSSocket } from 'node:tls';
import { HoldfastError, messageOf } from '../../core/errors.ts';
import type { LinkStatus } from '../../core/peer-network.ts';
import { encodeFrame, FrameReader } from './frames.ts';
import { parseMessage, type Message } from './messages.ts';

/** Why a connection, or the attempt at one, ended. */
export interface Closing {
  readonly status: Exclude<LinkStatus, 'connecting' | 'connected'>;
  readonly detail: string;
}

/** Messages that wait to be looked at before the introduction is over. */
const queuedMax = 8;
/** What a peer may leave unread before the connection counts as dead. */
const unsentBytesMax = 4 * 1024 * 1024;

/** How long the other side may take to read why the connection ends. */
const lastWordMsMax = 1_000;

/** A TLS connection as a sequence of messages. Ends once, with a reason. */
export class Wire {
  readonly #socket: TLSSocket;
  readonly #reader = new FrameReader();
  readonly #queued: Message[] = [];
  #receive: ((message: Message) => void) | undefined;
  #onDrained: (() => void) | undefined;
  #closing: Closing | undefined;
  readonly #closed = Promise.withResolvers<Closing>();

  constructor(socket: TLSSocket) {
    this.#socket = socket;
    socket.on('data', (chunk: Buffer) => this.#read(chunk));
    socket.on('error', (error) => this.close(closingOf(error)));
    socket.on('close', () => this.close({ status: 'reset', detail: 'the connection was closed by the other side' }));
    socket.on('drain', () => this.#onDrained?.());
  }

  /** Resolves as soon as it has ended, from either side; never rejects. */
  get closed(): Promise<Closing> {
    return this.#closed.promise;
  }

  get open(): boolean {
    return this.#closing === undefined;
  }

  /** Nothing waits to be sent. */
  get drained(): boolean {
    return this.#socket.writableLength === 0;
  }

  /** Peers are trusted with larger messages than strangers. */
  trust(): void {
    this.#reader.trust();
  }

  /** All further messages go to `receive`, those that wait first; `onDrained` is called whenever what was written is on its way. */
  listen(receive: (message: Message) => void, onDrained: () => void): void {
    this.#receive = receive;
    this.#onDrained = onDrained;
    for (const message of this.#queued.splice(0)) receive(message);
  }

  /** Until somebody listens again, messages wait. */
  hold(): void {
    this.#receive = undefined;
    this.#onDrained = undefined;
  }

  send(message: Message): void {
    this.write(encodeFrame(message));
  }

  write(frame: Buffer): void {
    if (!this.open) return;
    if (this.#socket.writableLength > unsentBytesMax) {
      return this.close({ status: 'unreachable', detail: `it has not taken ${unsentBytesMax} bytes that were sent to it` });
    }
    this.#socket.write(frame, () => this.drained && this.#onDrained?.());
  }

  /** Says a last word, when there is one, and ends. Idempotent: the first reason stays. */
  close(closing: Closing, lastWord?: Message): void {
    if (this.#closing !== undefined) return;
    this.#closing = closing;
    if (lastWord === undefined) {
      this.#socket.destroy();
    } else {
      // Not destroyed at once: what they still send would be answered by a reset, which can overtake the last word.
      this.#socket.end(encodeFrame(lastWord));
      this.#socket.setTimeout(lastWordMsMax, () => this.#socket.destroy());
    }
    this.#closed.resolve(closing);
  }

  #read(chunk: Buffer): void {
    try {
      for (const value of this.#reader.push(chunk)) {
        if (!this.open) return;
        this.#take(parseMessage(value));
      }
    } catch (error) {
      if (!(error instanceof HoldfastError)) throw error;
      this.close({ status: 'rejected', detail: error.message }, { type: 'reject', detail: error.message });
    }
  }

  #take(message: Message): void {
    if (this.#receive !== undefined) this.#receive(message);
    else if (this.#queued.length < queuedMax) this.#queued.push(message);
    else this.close({ status: 'rejected', detail: 'it talks before the introduction is over' });
  }
}

const unreachableCodes = new Set([
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'EHOSTDOWN',
  'ENETDOWN',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EADDRNOTAVAIL',
]);
const resetCodes = new Set(['ECONNRESET', 'EPIPE', 'ECONNABORTED']);

/** What a failure of the socket says about the other side. */
export function closingOf(error: unknown): Closing {
  const { code = '' } = error as NodeJS.ErrnoException;
  const detail = messageOf(error) || code;
  if (code === 'ECONNREFUSED') return { status: 'refused', detail: 'nothing listens there' };
  if (resetCodes.has(code)) return { status: 'reset', detail };
  if (unreachableCodes.has(code)) return { status: 'unreachable', detail };
  const certificate = describeCertificateProblem(code);
  if (certificate !== undefined) return { status: 'rejected', detail: `its certificate ${certificate}` };
  if (code.startsWith('ERR_SSL') || code === 'EPROTO') {
    return {
      status: 'rejected',
      detail: `no Holdfast agent speaks there (${code}): check the address, and that both run the same version`,
    };
  }
  return { status: 'unreachable', detail };
}

/** OpenSSL's verdict on a certificate, and what to do: goes on from "its certificate" or "your certificate". */
export function describeCertificateProblem(code: string): string | undefined {
  switch (code) {
    case 'CERT_HAS_EXPIRED':
      return 'has expired: make a new one with `holdfast certificates node`';
    case 'CERT_NOT_YET_VALID':
      return 'is not valid yet: set the clocks of both machines right';
    case 'INVALID_PURPOSE':
      return 'is not meant for servers and clients: make one with `holdfast certificates node`';
    case 'UNABLE_TO_VERIFY_LEAF_SIGNATURE':
    case 'UNABLE_TO_GET_ISSUER_CERT':
    case 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY':
    case 'DEPTH_ZERO_SELF_SIGNED_CERT':
    case 'SELF_SIGNED_CERT_IN_CHAIN':
    case 'CERT_SIGNATURE_FAILURE':
    case 'CERT_UNTRUSTED':
    case 'INVALID_CA':
      return 'is not signed by the CA of this side: give all nodes certificates of one CA, and that CA in security.ca';
    default:
      return code.startsWith('CERT_') ? `was refused (${code})` : undefined;
  }
}

import { constants, type ClientHttp2Stream, type IncomingHttpHeaders } from 'node:http2';
import { CallFailure, grpcStatus } from './failure.ts';
import { frame, FrameReader } from './frames.ts';

/** How many messages of a stream wait for their reader before the server is told to hold back (HTTP/2 flow control). */
const WAITING_MESSAGES_MAX = 16;

/** Metadata of a call that etcd knows: `hasleader` makes a member without a leader refuse, rather than wait (v3rpc interceptors). */
export interface CallHeaders {
  readonly hasleader?: 'true';
  readonly token?: string;
}

/** How a call ended: with status OK, or with what its readers are to get. */
type End = { readonly ok: true } | { readonly ok: false; readonly reason: unknown };

/** One gRPC call on one HTTP/2 stream: messages out, messages in, a status at the end. */
export class GrpcCall implements Disposable {
  readonly #stream: ClientHttp2Stream;
  readonly #frames = new FrameReader();
  readonly #waiting: Buffer[] = [];
  readonly #heard: () => void;
  #reader: PromiseWithResolvers<Buffer | undefined> | undefined;
  #end: End | undefined;
  #status: IncomingHttpHeaders | undefined;

  /** @param heard called whenever something arrives */
  constructor(stream: ClientHttp2Stream, heard: () => void) {
    this.#stream = stream;
    this.#heard = heard;
    stream.on('response', (headers) => this.#onHeaders(headers));
    stream.on('trailers', (headers) => (this.#status = headers));
    stream.on('data', (chunk: Buffer) => this.#onData(chunk));
    stream.on('error', (error) => this.fail(this.#lost(error)));
    // After the data and the trailers. Some servers then wait for the end of our side, which so never comes by itself.
    stream.on('end', () => {
      if (this.#status !== undefined) this.#onClose();
      if (!stream.closed) stream.close();
    });
    // Comes last; also when the connection went away.
    stream.on('close', () => this.#onClose());
  }

  /** Sends a message; with `last`, nothing follows it. */
  send(message: Uint8Array, last = false): void {
    if (this.#end !== undefined || this.#stream.destroyed || this.#stream.writableEnded) return;
    if (last) this.#stream.end(frame(message));
    else this.#stream.write(frame(message));
  }

  /**
   * The next message; undefined once the server ended the call with status OK. One reader at a time.
   * @throws CallFailure, or what `fail` was given
   */
  async next(): Promise<Buffer | undefined> {
    const message = this.#waiting.shift();
    if (message !== undefined) {
      if (this.#waiting.length < WAITING_MESSAGES_MAX) this.#stream.resume();
      return message;
    }
    if (this.#end?.ok === true) return undefined;
    if (this.#end !== undefined) throw this.#end.reason;
    this.#reader = Promise.withResolvers();
    return this.#reader.promise;
  }

  /** Ends the call from this side; readers get `reason`. */
  fail(reason: unknown): void {
    if (this.#end !== undefined) return;
    this.#finish({ ok: false, reason });
    if (!this.#stream.closed) this.#stream.close(constants.NGHTTP2_CANCEL);
  }

  [Symbol.dispose](): void {
    this.fail(new CallFailure('unsent', 'the call is over'));
  }

  #onHeaders(headers: IncomingHttpHeaders & { ':status'?: number | undefined }): void {
    this.#heard();
    const status = headers[':status'];
    if (status !== 200 || !String(headers['content-type']).startsWith('application/grpc')) {
      return this.fail(
        new CallFailure('nonsense', `an HTTP answer (status ${status}) that is not gRPC`, {
          hint: 'Something else than etcd answers there: give the client port of etcd, not that of a proxy or another service.',
        }),
      );
    }
    if (headers['grpc-status'] !== undefined) this.#status = headers;
  }

  #onData(chunk: Buffer): void {
    this.#heard();
    try {
      for (const message of this.#frames.push(chunk)) this.#deliver(message);
    } catch (error) {
      this.fail(error);
    }
    if (this.#waiting.length >= WAITING_MESSAGES_MAX) this.#stream.pause();
  }

  #deliver(message: Buffer): void {
    if (this.#end !== undefined) return;
    if (this.#reader === undefined) return void this.#waiting.push(message);
    this.#reader.resolve(message);
    this.#reader = undefined;
  }

  #onClose(): void {
    if (this.#end !== undefined) return;
    const failure = this.#failure();
    this.#finish(failure === undefined ? { ok: true } : { ok: false, reason: failure });
  }

  /** What the status at the end says; undefined for OK. */
  #failure(): CallFailure | undefined {
    const code = this.#status?.['grpc-status'];
    if (code === undefined) return this.#lost(undefined);
    if (code === '0') return this.#frames.within ? new CallFailure('nonsense', 'an answer that ends within a message') : undefined;
    const status = /^\d{1,2}$/.test(String(code)) ? Number(code) : grpcStatus.unknown;
    return new CallFailure('status', decodeStatusMessage(String(this.#status?.['grpc-message'] ?? `status ${status}`)), { status });
  }

  #lost(error: Error | undefined): CallFailure {
    const refused = this.#stream.rstCode === constants.NGHTTP2_REFUSED_STREAM;
    return new CallFailure(refused ? 'unsent' : 'lost', error?.message ?? 'the connection ended before the answer', { cause: error });
  }

  #finish(end: End): void {
    this.#end = end;
    const reader = this.#reader;
    this.#reader = undefined;
    if (end.ok) reader?.resolve(undefined);
    else reader?.reject(end.reason);
  }
}

/** grpc-message is percent-encoded UTF-8; bad encodings are shown as they came (gRPC over HTTP/2, "Status-Message"). At most 500 characters. */
function decodeStatusMessage(text: string): string {
  try {
    return decodeURIComponent(text).slice(0, 500);
  } catch {
    return text.slice(0, 500);
  }
}

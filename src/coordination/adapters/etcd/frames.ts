import { CallFailure } from './failure.ts';

/**
 * Most bytes of one message that is accepted. Ours are far smaller: a page of a listing has at most 100 values of 256 KiB, a watch answer at
 * most what etcd takes in one request (1.5 MiB by default). What claims more is not read at all.
 */
export const MESSAGE_BYTES_MAX = 32 * 1024 * 1024;

const HEADER_BYTES = 5;

/** A message as gRPC sends it: a zero byte (not compressed), its length in four bytes, itself (gRPC over HTTP/2, "Length-Prefixed-Message"). */
export function frame(message: Uint8Array): Buffer {
  const framed = Buffer.allocUnsafe(HEADER_BYTES + message.length);
  framed[0] = 0;
  framed.writeUInt32BE(message.length, 1);
  framed.set(message, HEADER_BYTES);
  return framed;
}

/** Cuts a byte stream into messages. Holds at most one of them, of at most MESSAGE_BYTES_MAX. */
export class FrameReader {
  readonly #header = Buffer.alloc(HEADER_BYTES);
  #headerBytes = 0;
  #body: Buffer | undefined;
  #bodyBytes = 0;

  /** Whether a message has begun and not ended. */
  get within(): boolean {
    return this.#headerBytes > 0;
  }

  /** Yields the messages that end in this chunk. @throws CallFailure `nonsense` */
  *push(chunk: Buffer): Generator<Buffer> {
    for (let at = 0; at < chunk.length;) {
      at += this.#body === undefined ? this.#takeHeader(chunk, at) : this.#takeBody(chunk, at, this.#body);
      const body: Buffer | undefined = this.#body;
      if (body === undefined || this.#bodyBytes < body.length) continue;
      this.#body = undefined;
      this.#headerBytes = 0;
      yield body;
    }
  }

  #takeHeader(chunk: Buffer, at: number): number {
    const taken = chunk.copy(this.#header, this.#headerBytes, at);
    this.#headerBytes += taken;
    if (this.#headerBytes < HEADER_BYTES) return taken;
    if (this.#header[0] !== 0) throw new CallFailure('nonsense', 'a compressed answer, which was not asked for');
    const length = this.#header.readUInt32BE(1);
    if (length > MESSAGE_BYTES_MAX)
      throw new CallFailure('nonsense', `an answer of ${length} bytes; at most ${MESSAGE_BYTES_MAX} are accepted`);
    this.#body = Buffer.allocUnsafe(length);
    this.#bodyBytes = 0;
    return taken;
  }

  #takeBody(chunk: Buffer, at: number, body: Buffer): number {
    const taken = chunk.copy(body, this.#bodyBytes, at);
    this.#bodyBytes += taken;
    return taken;
  }
}

import { HoldfastError } from '../../core/errors.ts';

/** The largest message between agents, as JSON. */
export const frameBytesMax = 1024 * 1024;
/** The largest one until the other side has said who it is. */
export const helloBytesMax = 4 * 1024;

const headerBytes = 4;

/** A message on the wire: the length of its JSON in bytes, four of them, big-endian; then the JSON in UTF-8. @throws PEER_MESSAGE_TOO_LARGE */
export function encodeFrame(message: unknown): Buffer {
  const json = JSON.stringify(message);
  const length = Buffer.byteLength(json);
  if (length > frameBytesMax) {
    throw new HoldfastError('PEER_MESSAGE_TOO_LARGE', `a message to another agent has ${length} bytes, more than ${frameBytesMax}`, {
      hint: 'This is a fault in Holdfast: report it.',
    });
  }
  const frame = Buffer.allocUnsafe(headerBytes + length);
  frame.writeUInt32BE(length);
  frame.write(json, headerBytes);
  return frame;
}

/** A short frame is kept: heartbeats of an agent to which nothing happens are alike, and then need not be parsed again. */
const keptBytesMax = 16 * 1024;

/** Cuts a byte stream into messages; holds at most one frame, and the last one if it is short. A message that is repeated is the same object again. */
export class FrameReader {
  #bytesMax = helloBytesMax;
  readonly #header = Buffer.alloc(headerBytes);
  #headerFilled = 0;
  #body: Buffer | undefined;
  #bodyFilled = 0;
  #last: { readonly body: Buffer; readonly value: unknown } | undefined;

  /** The other side is known now, and may send messages of full size. */
  trust(): void {
    this.#bytesMax = frameBytesMax;
  }

  /** The messages that `chunk` completes. @throws PEER_BAD_MESSAGE; the stream is of no use then */
  *push(chunk: Buffer): Generator {
    let rest = chunk;
    while (rest.length > 0) {
      rest = this.#body === undefined ? this.#takeHeader(rest) : this.#takeBody(this.#body, rest);
      if (this.#body !== undefined && this.#bodyFilled === this.#body.length) {
        const body = this.#body;
        this.#body = undefined;
        this.#headerFilled = 0;
        yield this.#parse(body);
      }
    }
  }

  #parse(body: Buffer): unknown {
    if (this.#last?.body.equals(body) === true) return this.#last.value;
    const value = parse(body);
    this.#last = body.length <= keptBytesMax ? { body, value } : undefined;
    return value;
  }

  #takeHeader(chunk: Buffer): Buffer {
    const taken = chunk.copy(this.#header, this.#headerFilled);
    this.#headerFilled += taken;
    if (this.#headerFilled === headerBytes) {
      const length = this.#header.readUInt32BE();
      if (length === 0 || length > this.#bytesMax) throw badMessage(`a frame of ${length} bytes; 1 to ${this.#bytesMax} are allowed`);
      this.#body = Buffer.allocUnsafe(length);
      this.#bodyFilled = 0;
    }
    return chunk.subarray(taken);
  }

  #takeBody(body: Buffer, chunk: Buffer): Buffer {
    const taken = chunk.copy(body, this.#bodyFilled);
    this.#bodyFilled += taken;
    return chunk.subarray(taken);
  }
}

export function badMessage(what: string): HoldfastError {
  return new HoldfastError('PEER_BAD_MESSAGE', `another agent sent what it may not: ${what}`, {
    hint: 'Run the same version of Holdfast on all nodes; if they do, something else speaks on that port.',
  });
}

function parse(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString('utf8'));
  } catch {
    throw badMessage('a frame that is not JSON');
  }
}

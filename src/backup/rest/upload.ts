import { createHash } from 'node:crypto';
import { abortable } from '../../core/abortable.ts';
import type { Clock } from '../../core/clock.ts';
import { deadline } from '../../core/deadline.ts';
import { messageOf } from '../../core/errors.ts';
import type { Room } from '../workers/room.ts';
import { Refusal } from './answer.ts';
import type { RestRequest } from './rest-service.ts';

/** A body that came as a whole. Its memory is reserved until it is disposed of. */
export interface Upload extends Disposable {
  readonly data: readonly Uint8Array[];
  readonly sizeBytes: number;
  readonly sha256: string;
}

export interface UploadLimits {
  readonly bytesMax: number;
  /** How long a body waits for memory that others use. */
  readonly waitMsMax: number;
  /** How long any body may take, */
  readonly bodyMs: number;
  /** and how many bytes of it must come in a second on average beyond that. */
  readonly bytesPerSecondMin: number;
}

/** Bodies are kept in pieces of these sizes, each as large as all before, however small the pieces are in which they come. */
const pieceBytesMin = 16 * 1024;
const pieceBytesMax = 1024 * 1024;

/** Takes a body in, within its limits. @throws Refusal */
export async function receive(
  request: RestRequest,
  limits: UploadLimits,
  { room, clock, signal }: { readonly room: Room; readonly clock: Clock; readonly signal: AbortSignal },
): Promise<Upload> {
  const encoding = request.headers['content-encoding'];
  if (encoding !== undefined && encoding !== 'identity') throw new Refusal(415, `a body encoded as ${encoding.slice(0, 20)} is not taken`);
  const sizeMax = mostBytes(request, limits);
  const place = await placeFor(sizeMax, limits, { room, clock, signal });
  try {
    const timeMaxMs = limits.bodyMs + (1_000 * sizeMax) / limits.bytesPerSecondMin;
    using limit = deadline(clock, timeMaxMs, () => new Refusal(408, 'the body came too slowly'), signal);
    const pieces = new Pieces();
    const chunks = request.body[Symbol.asyncIterator]();
    for (;;) {
      const next = await abortable(chunks.next().catch(cut), limit.signal);
      if (next.done === true) break;
      if (pieces.sizeBytes + next.value.byteLength > limits.bytesMax) throw tooLarge(limits);
      pieces.add(next.value);
    }
    return { ...pieces.end(), [Symbol.dispose]: () => place[Symbol.dispose]() };
  } catch (error) {
    place[Symbol.dispose]();
    throw error;
  }
}

/** The bytes that a body has at most: as many as it says, or as it may have. @throws Refusal */
export function mostBytes({ headers }: RestRequest, limits: Pick<UploadLimits, 'bytesMax'>): number {
  const declared = headers['content-length'];
  const bytes = declared === undefined ? limits.bytesMax : Number(declared);
  if (!(bytes <= limits.bytesMax)) throw tooLarge(limits);
  return bytes;
}

/** Memory for a body, or for what is to be sent. @throws Refusal when others do not let go of theirs */
export async function placeFor(
  bytes: number,
  { waitMsMax }: Pick<UploadLimits, 'waitMsMax'>,
  { room, clock, signal }: { readonly room: Room; readonly clock: Clock; readonly signal: AbortSignal },
): Promise<Disposable> {
  using limit = deadline(clock, waitMsMax, () => new Refusal(503, 'too much is under way', { 'retry-after': '5' }), signal);
  return await room.take(bytes, limit.signal);
}

function cut(cause: unknown): never {
  throw new Refusal(400, `the body did not come whole: ${messageOf(cause)}`);
}

function tooLarge({ bytesMax }: Pick<UploadLimits, 'bytesMax'>): Refusal {
  return new Refusal(413, `an object of this kind has at most ${bytesMax} bytes here`);
}

/** Collects a body and its checksum. */
class Pieces {
  readonly #full: Uint8Array[] = [];
  readonly #hash = createHash('sha256');
  #last = Buffer.alloc(0);
  #used = 0;
  #keptBytes = 0;
  sizeBytes = 0;

  add(chunk: Uint8Array): void {
    this.#hash.update(chunk);
    this.sizeBytes += chunk.byteLength;
    for (let offset = 0; offset < chunk.byteLength;) {
      if (this.#used === this.#last.byteLength) this.#begin();
      const taken = Math.min(chunk.byteLength - offset, this.#last.byteLength - this.#used);
      this.#last.set(chunk.subarray(offset, offset + taken), this.#used);
      this.#used += taken;
      offset += taken;
    }
  }

  end(): { data: readonly Uint8Array[]; sizeBytes: number; sha256: string } {
    return {
      data: [...this.#full, this.#last.subarray(0, this.#used)],
      sizeBytes: this.sizeBytes,
      sha256: this.#hash.digest('hex'),
    };
  }

  #begin(): void {
    if (this.#used > 0) this.#full.push(this.#last);
    this.#keptBytes += this.#used;
    this.#last = Buffer.allocUnsafeSlow(Math.min(pieceBytesMax, Math.max(pieceBytesMin, this.#keptBytes)));
    this.#used = 0;
  }
}

import { ZooKeeperFailure } from './failure.ts';

/**
 * Most bytes of one answer that is accepted. The largest here is a list of names: 30,000 keys or places of the longest kind. (ZooKeeper
 * takes 1 MB per request, its jute.maxbuffer, but may answer with more.)
 */
export const FRAME_BYTES_MAX = 8 * 1024 * 1024;

const LENGTH_BYTES = 4;

/** Cuts a byte stream into frames, each after its length in four bytes. Holds no more than what has come of one frame. */
export class FrameReader {
  readonly #chunks: Buffer[] = [];
  #bytes = 0;
  /** Most bytes that the next frame may have. */
  bytesMax: number;

  constructor(bytesMax: number) {
    this.bytesMax = bytesMax;
  }

  /** Yields the frames that end with this chunk, without their lengths. @throws ZooKeeperFailure `foreign` */
  *push(chunk: Buffer): Generator<Buffer> {
    this.#chunks.push(chunk);
    this.#bytes += chunk.length;
    while (this.#bytes >= LENGTH_BYTES) {
      const length = this.#peekLength();
      if (length < 0 || length > this.bytesMax) {
        throw new ZooKeeperFailure('foreign', `an answer of ${length} bytes; at most ${this.bytesMax} are accepted here`);
      }
      if (this.#bytes < LENGTH_BYTES + length) return;
      const all = this.#join();
      this.#keep(all.subarray(LENGTH_BYTES + length));
      yield all.subarray(LENGTH_BYTES, LENGTH_BYTES + length);
    }
  }

  #peekLength(): number {
    if (this.#chunks[0]!.length < LENGTH_BYTES) this.#keep(this.#join());
    return this.#chunks[0]!.readInt32BE(0);
  }

  #join(): Buffer {
    return this.#chunks.length === 1 ? this.#chunks[0]! : Buffer.concat(this.#chunks, this.#bytes);
  }

  #keep(rest: Buffer): void {
    this.#chunks.splice(0, this.#chunks.length, rest);
    this.#bytes = rest.length;
  }
}

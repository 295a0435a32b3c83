import { ZooKeeperFailure } from './failure.ts';

const LENGTH_BYTES = 4;

/**
 * Writes records as jute does: big-endian numbers one after the other; strings and buffers after their length in four bytes.
 * Source: ZooKeeper's BinaryOutputArchive.
 */
export class JuteWriter {
  #buffer = Buffer.allocUnsafe(256);
  /** The frame's own length goes first, once it is known. */
  #length = LENGTH_BYTES;

  int(value: number): this {
    this.#length = this.#room(4).writeInt32BE(value, this.#length);
    return this;
  }

  long(value: bigint): this {
    this.#length = this.#room(8).writeBigInt64BE(value, this.#length);
    return this;
  }

  bool(value: boolean): this {
    this.#length = this.#room(1).writeUInt8(value ? 1 : 0, this.#length);
    return this;
  }

  bytes(value: Uint8Array): this {
    this.int(value.length).#room(value.length).set(value, this.#length);
    this.#length += value.length;
    return this;
  }

  text(value: string): this {
    return this.bytes(Buffer.from(value));
  }

  /** All that was written, after its length: ready for the wire. The writer is used up. */
  frame(): Buffer {
    this.#buffer.writeInt32BE(this.#length - LENGTH_BYTES);
    return this.#buffer.subarray(0, this.#length);
  }

  #room(bytes: number): Buffer {
    if (this.#length + bytes > this.#buffer.length) {
      const larger = Buffer.allocUnsafe(Math.max(this.#buffer.length * 2, this.#length + bytes));
      this.#buffer.copy(larger, 0, 0, this.#length);
      this.#buffer = larger;
    }
    return this.#buffer;
  }
}

/** Reads what JuteWriter writes. Every length is checked against what is there. @throws ZooKeeperFailure `foreign` */
export class JuteReader {
  readonly #frame: Buffer;
  #at = 0;

  constructor(frame: Buffer) {
    this.#frame = frame;
  }

  int(): number {
    return this.#frame.readInt32BE(this.#take(4));
  }

  long(): bigint {
    return this.#frame.readBigInt64BE(this.#take(8));
  }

  bool(): boolean {
    return this.#frame.readUInt8(this.#take(1)) !== 0;
  }

  /** A copy, so that a kept value does not keep the whole frame. An absent buffer (length -1) is read as an empty one. */
  bytes(): Buffer {
    const length = this.int();
    if (length < -1) throw malformed(`a length of ${length}`);
    const start = this.#take(Math.max(0, length));
    return Buffer.from(this.#frame.subarray(start, this.#at));
  }

  text(): string {
    return this.bytes().toString();
  }

  list<T>(read: () => T): T[] {
    const count = this.int();
    // Nothing listed here is shorter than its four bytes of length.
    if (count < -1 || count * 4 > this.#frame.length - this.#at) throw malformed(`a list of ${count}`);
    return Array.from({ length: Math.max(0, count) }, read);
  }

  #take(bytes: number): number {
    const start = this.#at;
    if (start + bytes > this.#frame.length) throw malformed('an answer that ends within a field');
    this.#at += bytes;
    return start;
  }
}

function malformed(what: string): ZooKeeperFailure {
  return new ZooKeeperFailure('foreign', `${what}, which no ZooKeeper sends`);
}

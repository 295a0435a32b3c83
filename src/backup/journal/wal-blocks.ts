const blockBytesDefault = 256 * 1024;
/** As many are kept for what comes next. */
const freeMax = 32;

interface Block {
  readonly bytes: Uint8Array;
  start: number;
  end: number;
}

/**
 * Bytes in the order in which they came, in blocks that are used again. What is kept for a second is old to a collector of garbage: to let all of it
 * go each second, and make it anew, took more time than everything else that is done with it.
 */
export class WalBlocks {
  readonly #blocks: Block[] = [];
  #taken: Uint8Array[] = [];
  readonly #free: Uint8Array[] = [];
  readonly #blockBytes: number;

  constructor(blockBytes: number = blockBytesDefault) {
    this.#blockBytes = blockBytes;
  }

  /** Copies them. */
  append(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.byteLength;) {
      const last = this.#blocks.at(-1);
      if (last === undefined || last.end === this.#blockBytes) {
        this.#blocks.push({ bytes: this.#free.pop() ?? new Uint8Array(this.#blockBytes), start: 0, end: 0 });
        continue;
      }
      const part = bytes.subarray(at, at + this.#blockBytes - last.end);
      last.bytes.set(part, last.end);
      last.end += part.byteLength;
      at += part.byteLength;
    }
  }

  /** The first so many that were not taken yet, in pieces that stay as they are until they are released. */
  take(sizeBytes: number): Uint8Array[] {
    const pieces: Uint8Array[] = [];
    for (let left = sizeBytes; left > 0;) {
      const first = this.#blocks[0];
      if (first === undefined || first.start === first.end) throw new RangeError(`${left} of ${sizeBytes} bytes are not there`);
      const end = Math.min(first.end, first.start + left);
      pieces.push(first.bytes.subarray(first.start, end));
      left -= end - first.start;
      first.start = end;
      // Of one that is not full the rest is filled yet.
      if (end < this.#blockBytes) continue;
      this.#blocks.shift();
      this.#taken.push(first.bytes);
    }
    return pieces;
  }

  /** Nobody needs any more what was taken. */
  release(): void {
    for (const bytes of this.#taken) if (this.#free.length < freeMax) this.#free.push(bytes);
    this.#taken = [];
  }
}

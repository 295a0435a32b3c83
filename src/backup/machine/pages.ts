/** Less is left to the heap of the C library. */
const pagedBytesMin = 64 * 1024;

/**
 * Room for bytes that come bit by bit, are handed on, kept for a while, and given back in no order: where it is much, in pages of its own,
 * which are the system's again at once. In the heaps of the C library, one for each thread, such bytes leave holes: 40 MiB of a first
 * backup. What is soon given back is better off there: new pages cost a tenth of a check. A buffer that may grow is what V8 makes of pages
 * (mmap): those that it never grew to cost nothing.
 */
export class Pages {
  readonly #buffer: ArrayBuffer;
  #bytes = 0;

  /** @param bytesMax more than this is never taken of it */
  constructor(bytesMax: number) {
    this.#buffer = bytesMax < pagedBytesMin ? new ArrayBuffer(bytesMax) : new ArrayBuffer(0, { maxByteLength: bytesMax });
  }

  /** The next bytes of it, to be written to. */
  take(sizeBytes: number): Uint8Array<ArrayBuffer> {
    const from = this.#bytes;
    this.#bytes += sizeBytes;
    if (this.#buffer.resizable) this.#buffer.resize(this.#bytes);
    return new Uint8Array(this.#buffer, from, sizeBytes);
  }

  /** All that was taken, as one that owns its buffer; there is no more to be had. */
  end(): Uint8Array<ArrayBuffer> {
    const isSmall = this.#bytes < pagedBytesMin && (this.#buffer.resizable || this.#bytes < this.#buffer.byteLength);
    // Not as pages of their own: a process has some 65,000 of such pieces at most (vm.max_map_count).
    return new Uint8Array(isSmall ? this.#buffer.transferToFixedLength(this.#bytes) : this.#buffer, 0, this.#bytes);
  }
}

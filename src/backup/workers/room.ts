/** Room for bytes that are worked on at once: who needs more than is left waits in line. */
export class Room {
  readonly #bytesMax: number;
  #taken = 0;
  readonly #line: { readonly bytes: number; readonly settle: PromiseWithResolvers<void> }[] = [];

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  get takenBytes(): number {
    return this.#taken;
  }

  /** Resolves when there is room; what is larger than all of it gets it alone. @throws the signal's reason */
  async take(bytes: number, signal: AbortSignal): Promise<Disposable> {
    signal.throwIfAborted();
    const wanted = Math.min(bytes, this.#bytesMax);
    if (this.#line.length > 0 || this.#taken + wanted > this.#bytesMax) await this.#wait(wanted, signal);
    else this.#taken += wanted;
    let held = true;
    return {
      [Symbol.dispose]: () => {
        if (!held) return;
        held = false;
        this.#taken -= wanted;
        this.#admit();
      },
    };
  }

  async #wait(bytes: number, signal: AbortSignal): Promise<void> {
    const settle = Promise.withResolvers<void>();
    const waiting = { bytes, settle };
    const abort = (): void => {
      const index = this.#line.indexOf(waiting);
      if (index < 0) return;
      this.#line.splice(index, 1);
      settle.reject(signal.reason);
      this.#admit();
    };
    signal.addEventListener('abort', abort, { once: true });
    this.#line.push(waiting);
    try {
      await settle.promise;
    } finally {
      signal.removeEventListener('abort', abort);
    }
  }

  #admit(): void {
    for (let first = this.#line[0]; first && this.#taken + first.bytes <= this.#bytesMax; first = this.#line[0]) {
      this.#line.shift();
      this.#taken += first.bytes;
      first.settle.resolve();
    }
  }
}

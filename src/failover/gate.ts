/**
 * One engine command at a time. What is more urgent (a fence, a stop) interrupts what runs: its signal aborts, and the urgent one starts when it
 * has let go.
 */
export class Gate {
  #tail: Promise<void> = Promise.resolve();
  #current: AbortController | undefined;
  #waiting = 0;

  get busy(): boolean {
    return this.#waiting > 0;
  }

  /** @param urgent aborts the running command first */
  async run<T>(work: (signal: AbortSignal) => Promise<T>, urgent = false): Promise<T> {
    if (urgent) this.#current?.abort(new Error('interrupted by something more urgent'));
    this.#waiting++;
    const before = this.#tail;
    let release!: () => void;
    this.#tail = new Promise((resolve) => (release = resolve));
    await before;
    const controller = new AbortController();
    this.#current = controller;
    try {
      return await work(controller.signal);
    } finally {
      this.#current = undefined;
      this.#waiting--;
      release();
    }
  }

  interrupt(): void {
    this.#current?.abort(new Error('interrupted: this member stops'));
  }
}

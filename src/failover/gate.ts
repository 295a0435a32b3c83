const memberStops = 'interrupted: this member stops';

/**
 * One engine command at a time. What is more urgent (a fence, a stop) interrupts what runs and what waits: their signals abort, and the urgent
 * one starts when they have let go.
 */
export class Gate {
  #tail: Promise<void> = Promise.resolve();
  readonly #open = new Set<AbortController>();
  #closed = false;

  get busy(): boolean {
    return this.#open.size > 0;
  }

  /**
   * @param urgent aborts all that came before
   * @throws what `work` throws, or the reason of the interruption when that came before its turn, or once the gate is closed
   */
  async run<T>(work: (signal: AbortSignal) => Promise<T>, urgent = false): Promise<T> {
    if (urgent) this.#abort('interrupted by something more urgent');
    const controller = new AbortController();
    this.#open.add(controller);
    if (this.#closed) controller.abort(new Error(memberStops));
    const before = this.#tail;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#tail = promise;
    try {
      await before;
      controller.signal.throwIfAborted();
      return await work(controller.signal);
    } finally {
      this.#open.delete(controller);
      resolve();
    }
  }

  interrupt(): void {
    this.#abort(memberStops);
  }

  /** Interrupts all, and lets nothing through any more: once this resolves, no command is under way, and none will be. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#abort(memberStops);
    await this.#tail;
  }

  #abort(why: string): void {
    for (const controller of this.#open) controller.abort(new Error(why));
  }
}

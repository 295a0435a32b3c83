/**
 * One engine command at a time. What is more urgent (a fence, a stop) interrupts what runs and what waits: their signals abort, and the urgent
 * one starts when they have let go.
 */
export class Gate {
  #tail: Promise<void> = Promise.resolve();
  readonly #open = new Set<AbortController>();

  get busy(): boolean {
    return this.#open.size > 0;
  }

  /**
   * @param urgent aborts all that came before
   * @throws what `work` throws, or the reason of the interruption when that came before its turn
   */
  async run<T>(work: (signal: AbortSignal) => Promise<T>, urgent = false): Promise<T> {
    if (urgent) this.#abort('interrupted by something more urgent');
    const controller = new AbortController();
    this.#open.add(controller);
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
    this.#abort('interrupted: this member stops');
  }

  #abort(why: string): void {
    for (const controller of this.#open) controller.abort(new Error(why));
  }
}

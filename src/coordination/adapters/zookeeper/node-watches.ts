/** Who waits for news of which node. A watch in ZooKeeper fires once, so all its listeners are told, and look again. */
export class NodeWatches {
  readonly #listeners = new Map<string, Set<() => void>>();

  /** `heard` resolves with the first event of this node from now on. Disposing of it leaves nothing behind here; the server's watch ends with the node. */
  listen(path: string): { readonly heard: Promise<void> } & Disposable {
    const { promise: heard, resolve } = Promise.withResolvers<void>();
    const listeners = this.#listeners.get(path) ?? new Set();
    this.#listeners.set(path, listeners.add(resolve));
    const stop = (): void => {
      listeners.delete(resolve);
      if (listeners.size === 0 && this.#listeners.get(path) === listeners) this.#listeners.delete(path);
    };
    return { heard, [Symbol.dispose]: stop };
  }

  tell(path: string): void {
    for (const heard of this.#listeners.get(path) ?? []) heard();
  }
}

/** Keys that are remembered: about 10 MB. */
const keysMax = 65_536;

/** Sizes of objects that never change; those that were asked for longest ago are forgotten first. */
export class Sizes {
  readonly #known = new Map<string, number>();

  get(key: string): number | undefined {
    const sizeBytes = this.#known.get(key);
    if (sizeBytes !== undefined) this.set(key, sizeBytes);
    return sizeBytes;
  }

  set(key: string, sizeBytes: number): void {
    this.#known.delete(key);
    this.#known.set(key, sizeBytes);
    if (this.#known.size > keysMax) this.#known.delete(this.#known.keys().next().value!);
  }

  forget(key: string): void {
    this.#known.delete(key);
  }
}

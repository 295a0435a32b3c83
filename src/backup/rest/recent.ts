/** Keys that are remembered: about 10 MB. */
const keysMax = 65_536;

/** What is known of objects, by their keys; those that were asked for longest ago are forgotten first. */
export class Recent<T> {
  readonly #known = new Map<string, T>();

  get(key: string): T | undefined {
    const value = this.#known.get(key);
    if (value !== undefined) this.set(key, value);
    return value;
  }

  set(key: string, value: T): void {
    this.#known.delete(key);
    this.#known.set(key, value);
    if (this.#known.size > keysMax) this.#known.delete(this.#known.keys().next().value!);
  }

  forget(key: string): void {
    this.#known.delete(key);
  }
}

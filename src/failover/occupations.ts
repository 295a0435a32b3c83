import { HoldfastError } from '../core/errors.ts';

/** What is under way with one member, during which its loop decides nothing: one operation of an operator, and votes. */
export class Occupations {
  readonly #whose: { readonly node: string; readonly service: string };
  readonly #open = new Set<{ readonly as: string }>();

  constructor(whose: { readonly node: string; readonly service: string }) {
    this.#whose = whose;
  }

  get current(): string | undefined {
    return this.#open.values().next().value?.as;
  }

  /** @throws MEMBER_BUSY, and what `work` throws */
  async during<T>(as: string, work: () => Promise<T>): Promise<T> {
    if (this.current !== undefined && as !== 'voting') {
      throw new HoldfastError('MEMBER_BUSY', `${this.#whose.node} is ${this.current} ${this.#whose.service}`, {
        retryable: true,
        hint: 'Try again when that is done.',
      });
    }
    // Several votes can be under way at once, and end in any order.
    const occupation = { as };
    this.#open.add(occupation);
    try {
      return await work();
    } finally {
      this.#open.delete(occupation);
    }
  }
}

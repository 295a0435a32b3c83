/** Sums over places to whose ranges amounts are added: without subtraction, in logarithmic time. */
export class RangeSums {
  readonly #size: number;
  /** A binary tree of ranges, the places themselves from `size` on. */
  readonly #tree: Float64Array;

  constructor(size: number) {
    this.#size = size;
    this.#tree = new Float64Array(2 * Math.max(1, size));
  }

  /** Adds to the places `from` … `to` − 1. */
  add(from: number, to: number, amount: number): void {
    let left = from + this.#size;
    let right = to + this.#size;
    for (; left < right; left >>= 1, right >>= 1) {
      if ((left & 1) === 1) this.#tree[left++]! += amount;
      if ((right & 1) === 1) this.#tree[--right]! += amount;
    }
  }

  at(place: number): number {
    let sum = 0;
    for (let node = place + this.#size; node > 0; node >>= 1) sum += this.#tree[node]!;
    return sum;
  }
}

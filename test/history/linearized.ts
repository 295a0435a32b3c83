const wordBits = 32;

/** Which operations an attempted order contains: a bitset, with a short text that is equal for equal sets alone. */
export class Linearized {
  readonly #words: Uint32Array;
  /** Words before this one are full. */
  #full = 0;

  constructor(size: number) {
    this.#words = new Uint32Array(Math.ceil(size / wordBits));
  }

  add(index: number): void {
    const word = Math.floor(index / wordBits);
    this.#words[word]! |= 1 << (index % wordBits);
    while (this.#full < this.#words.length && this.#words[this.#full] === 0xffff_ffff) this.#full += 1;
  }

  delete(index: number): void {
    const word = Math.floor(index / wordBits);
    this.#words[word]! &= ~(1 << (index % wordBits));
    this.#full = Math.min(this.#full, word);
  }

  /** Only what is neither full nor empty is spelled out: histories are long, but what overlaps at one moment is little. */
  key(): string {
    let text = String.fromCharCode(this.#full & 0xffff, this.#full >>> 16);
    for (let word = this.#full; word < this.#words.length; word += 1) {
      const bits = this.#words[word]!;
      if (bits !== 0) text += String.fromCharCode(word & 0xffff, word >>> 16, bits & 0xffff, bits >>> 16);
    }
    return text;
  }
}

/**
 * Reduced ordered binary decision diagrams with complement edges, on typed arrays.
 *
 * An *edge* is `2·node`, plus 1 when it is complemented; node 0 is the constant false, so 0 is false and 1 is true. A node (level, low, high) is
 * `high` where the variable of its level is true, else `low`; smaller levels stand above greater ones. `low` is never complemented, which makes the
 * diagram of a function unique. Nothing recurses: diagrams may be as deep as there are variables.
 *
 * Sources: Bryant: Graph-based algorithms for Boolean function manipulation, IEEE Trans. Computers C-35 (1986); Brace, Rudell, Bryant: Efficient
 * implementation of a BDD package, DAC 1990.
 */
export class Bdd {
  #level: Int32Array;
  #low: Int32Array;
  #high: Int32Array;
  /** The next node in the same bucket; of a free node, the next free one. */
  #next: Int32Array;
  #buckets: Int32Array;
  /** Nodes ever made, up to here. */
  #end = 1;
  #free = 0;
  #freeCount = 0;
  readonly #nodesMax: number;
  /** Results of `and`, direct mapped: first operand, second, result. */
  #cache: Int32Array;
  /** Frames of `and` under way: first operand, second, the low side's result or PENDING. */
  #stack = new Int32Array(3 * 256);

  /** @param nodesMax more nodes than this at once throw `NodesExhausted` */
  constructor(nodesMax: number) {
    const capacity = 1024;
    this.#nodesMax = nodesMax;
    this.#level = new Int32Array(capacity);
    this.#low = new Int32Array(capacity);
    this.#high = new Int32Array(capacity);
    this.#next = new Int32Array(capacity);
    this.#buckets = new Int32Array(capacity);
    this.#cache = new Int32Array(3 * capacity);
    this.#level[0] = CONSTANT_LEVEL;
  }

  /** Nodes that exist now, used or not. */
  get size(): number {
    return this.#end - this.#freeCount;
  }

  levelOf(edge: number): number {
    return this.#level[edge >> 1]!;
  }

  lowOf(edge: number): number {
    return this.#low[edge >> 1]! ^ (edge & 1);
  }

  highOf(edge: number): number {
    return this.#high[edge >> 1]! ^ (edge & 1);
  }

  variable(level: number): number {
    return this.node(level, 0, 1);
  }

  or(f: number, g: number): number {
    return this.and(f ^ 1, g ^ 1) ^ 1;
  }

  xor(f: number, g: number): number {
    return this.or(this.and(f, g ^ 1), this.and(f ^ 1, g));
  }

  /** The edge of a node, made when there is none yet. Both children are of greater levels. */
  node(level: number, low: number, high: number): number {
    if (low === high) return low;
    const sign = low & 1;
    const l = low ^ sign;
    const h = high ^ sign;
    const bucket = hash(level, l, h) & (this.#buckets.length - 1);
    for (let at = this.#buckets[bucket]!; at !== 0; at = this.#next[at]!)
      if (this.#level[at] === level && this.#low[at] === l && this.#high[at] === h) return (at << 1) | sign;
    const at = this.#place();
    this.#level[at] = level;
    this.#low[at] = l;
    this.#high[at] = h;
    this.#link(at);
    return (at << 1) | sign;
  }

  and(left: number, right: number): number {
    let depth = 0;
    let f = left;
    let g = right;
    for (;;) {
      let result = this.#andKnown(f, g);
      if (result === PENDING) {
        if (3 * depth === this.#stack.length) this.#stack = grown(this.#stack);
        const frame = 3 * depth++;
        this.#stack[frame] = f;
        this.#stack[frame + 1] = g;
        this.#stack[frame + 2] = PENDING;
        const level = Math.min(this.levelOf(f), this.levelOf(g));
        if (this.levelOf(f) === level) f = this.lowOf(f);
        if (this.levelOf(g) === level) g = this.lowOf(g);
        continue;
      }
      // Hand the result up to a frame that has not seen its high side.
      for (; ; depth--) {
        if (depth === 0) return result;
        const frame = 3 * (depth - 1);
        f = this.#stack[frame]!;
        g = this.#stack[frame + 1]!;
        const low = this.#stack[frame + 2]!;
        const level = Math.min(this.levelOf(f), this.levelOf(g));
        if (low === PENDING) {
          this.#stack[frame + 2] = result;
          if (this.levelOf(f) === level) f = this.highOf(f);
          if (this.levelOf(g) === level) g = this.highOf(g);
          break;
        }
        result = this.node(level, low, result);
        this.#remember(f, g, result);
      }
    }
  }

  #andKnown(f: number, g: number): number {
    if (f === g || g === 1) return f;
    if (f === 1) return g;
    if (f === 0 || g === 0 || f === (g ^ 1)) return 0;
    const slot = this.#slot(f, g);
    const cache = this.#cache;
    // An empty slot holds 0 and 0, which is answered above.
    return cache[slot] === Math.min(f, g) && cache[slot + 1] === Math.max(f, g) ? cache[slot + 2]! : PENDING;
  }

  #remember(f: number, g: number, result: number): void {
    const slot = this.#slot(f, g);
    this.#cache[slot] = Math.min(f, g);
    this.#cache[slot + 1] = Math.max(f, g);
    this.#cache[slot + 2] = result;
  }

  #slot(f: number, g: number): number {
    return 3 * (hash(Math.min(f, g), Math.max(f, g), 0) & (this.#cache.length / 3 - 1));
  }

  /** Forgets all nodes but those that `roots` reach. */
  collect(roots: Iterable<number>): void {
    const kept = new Uint8Array(this.#end);
    const open: number[] = [];
    const keep = (edge: number): void => {
      if (edge <= 1 || kept[edge >> 1] === 1) return;
      kept[edge >> 1] = 1;
      open.push(edge >> 1);
    };
    for (const root of roots) keep(root);
    for (let at = open.pop(); at !== undefined; at = open.pop()) {
      keep(this.#low[at]!);
      keep(this.#high[at]!);
    }
    this.#free = 0;
    this.#freeCount = 0;
    this.#buckets.fill(0);
    this.#cache.fill(0);
    for (let at = 1; at < this.#end; at++) {
      if (kept[at] === 1) this.#link(at);
      else {
        this.#next[at] = this.#free;
        this.#free = at;
        this.#freeCount++;
      }
    }
  }

  /** A place for a node: a free one, or at the end. */
  #place(): number {
    if (this.#free !== 0) {
      const at = this.#free;
      this.#free = this.#next[at]!;
      this.#freeCount--;
      return at;
    }
    if (this.#end > this.#nodesMax) throw new NodesExhausted(this.#nodesMax);
    if (this.#end === this.#level.length) this.#grow();
    return this.#end++;
  }

  #grow(): void {
    this.#level = grown(this.#level);
    this.#low = grown(this.#low);
    this.#high = grown(this.#high);
    this.#next = grown(this.#next);
    this.#buckets = new Int32Array(this.#level.length);
    this.#cache = new Int32Array(3 * this.#level.length);
    // There are no free nodes, else nothing would have to grow.
    for (let at = 1; at < this.#end; at++) this.#link(at);
  }

  #link(at: number): void {
    const bucket = hash(this.#level[at]!, this.#low[at]!, this.#high[at]!) & (this.#buckets.length - 1);
    this.#next[at] = this.#buckets[bucket]!;
    this.#buckets[bucket] = at;
  }
}

/** Thrown inside, when a function needs more nodes than it may have. */
export class NodesExhausted extends Error {
  constructor(nodesMax: number) {
    super(`more than ${nodesMax} nodes`);
    this.name = 'NodesExhausted';
  }
}

/** Below all variables. */
const CONSTANT_LEVEL = 0x7fffffff;
const PENDING = -1;

function hash(a: number, b: number, c: number): number {
  let x = Math.imul(a, 0x9e3779b1) ^ Math.imul(b, 0x85ebca6b) ^ Math.imul(c, 0xc2b2ae35);
  x ^= x >>> 15;
  x = Math.imul(x, 0x2c1b3c6d);
  return x ^ (x >>> 13);
}

function grown(array: Int32Array): Int32Array<ArrayBuffer> {
  const larger = new Int32Array(2 * array.length);
  larger.set(array);
  return larger;
}

/**
 * Nodes of decision diagrams, each (level, low, high) once, in typed arrays. Node 0 is of the constants, below all levels; what edges mean is the
 * user's.
 */
export class NodeTable {
  #level: Int32Array;
  #low: Int32Array;
  #high: Int32Array;
  /** The next node in the same bucket; of a free place, the next free one. */
  #next: Int32Array;
  #buckets: Int32Array;
  /** Places in use or free, up to here. */
  #end: number;
  #free = 0;
  #freeCount = 0;
  readonly #first: number;
  readonly #nodesMax: number;

  /**
   * @param constants places at the beginning that are no nodes
   * @param nodesMax more nodes than this at once throw `NodesExhausted`
   */
  constructor(constants: number, nodesMax: number) {
    const capacity = 1024;
    this.#first = constants;
    this.#end = constants;
    this.#nodesMax = nodesMax;
    this.#level = new Int32Array(capacity);
    this.#low = new Int32Array(capacity);
    this.#high = new Int32Array(capacity);
    this.#next = new Int32Array(capacity);
    this.#buckets = new Int32Array(capacity);
    this.#level.fill(CONSTANT_LEVEL, 0, constants);
  }

  /** Nodes that exist now, needed or not. */
  get size(): number {
    return this.#end - this.#freeCount;
  }

  /** Places that the arrays have: a measure for what goes with them. */
  get capacity(): number {
    return this.#level.length;
  }

  level(at: number): number {
    return this.#level[at]!;
  }

  low(at: number): number {
    return this.#low[at]!;
  }

  high(at: number): number {
    return this.#high[at]!;
  }

  /** The place of a node, made when there is none yet. @throws NodesExhausted */
  node(level: number, low: number, high: number): number {
    const bucket = hash(level, low, high) & (this.#buckets.length - 1);
    for (let at = this.#buckets[bucket]!; at !== 0; at = this.#next[at]!)
      if (this.#level[at] === level && this.#low[at] === low && this.#high[at] === high) return at;
    const at = this.#place();
    this.#level[at] = level;
    this.#low[at] = low;
    this.#high[at] = high;
    this.#link(at);
    return at;
  }

  /** Forgets all nodes but those that `roots` reach. @param nodeOf the place that an edge leads to */
  collect(roots: Iterable<number>, nodeOf: (edge: number) => number): void {
    const kept = new Uint8Array(this.#end);
    const open: number[] = [];
    const keep = (edge: number): void => {
      const at = nodeOf(edge);
      if (at < this.#first || kept[at] === 1) return;
      kept[at] = 1;
      open.push(at);
    };
    for (const root of roots) keep(root);
    for (let at = open.pop(); at !== undefined; at = open.pop()) {
      keep(this.#low[at]!);
      keep(this.#high[at]!);
    }
    this.#free = 0;
    this.#freeCount = 0;
    this.#buckets.fill(0);
    for (let at = this.#first; at < this.#end; at++) {
      if (kept[at] === 1) this.#link(at);
      else {
        this.#next[at] = this.#free;
        this.#free = at;
        this.#freeCount++;
      }
    }
  }

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
    // There are no free places, else nothing would have to grow.
    for (let at = this.#first; at < this.#end; at++) this.#link(at);
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
export const CONSTANT_LEVEL = 0x7fffffff;

/** Results of an operation on two edges, the latest for each slot; `undefined` operands are never asked for. */
export class PairCache {
  /** First operand, second, result; 0 and 0 mark an empty slot. */
  #slots = new Int32Array(3 * 1024);

  get(f: number, g: number): number {
    const slot = this.#slot(f, g);
    return this.#slots[slot] === f && this.#slots[slot + 1] === g ? this.#slots[slot + 2]! : PENDING;
  }

  set(f: number, g: number, result: number): void {
    const slot = this.#slot(f, g);
    this.#slots[slot] = f;
    this.#slots[slot + 1] = g;
    this.#slots[slot + 2] = result;
  }

  /** Empties it, and makes room for what goes with so many nodes. @param nodes a power of two */
  clear(nodes: number): void {
    if (this.#slots.length === 3 * nodes) this.#slots.fill(0);
    else this.#slots = new Int32Array(3 * nodes);
  }

  #slot(f: number, g: number): number {
    return 3 * (hash(f, g, 0) & (this.#slots.length / 3 - 1));
  }
}

/** In the place of a result that is not known yet. */
export const PENDING = -1;

export function hash(a: number, b: number, c: number): number {
  let x = Math.imul(a, 0x9e3779b1) ^ Math.imul(b, 0x85ebca6b) ^ Math.imul(c, 0xc2b2ae35);
  x ^= x >>> 15;
  x = Math.imul(x, 0x2c1b3c6d);
  return x ^ (x >>> 13);
}

export function grown(array: Int32Array): Int32Array<ArrayBuffer> {
  const larger = new Int32Array(2 * array.length);
  larger.set(array);
  return larger;
}

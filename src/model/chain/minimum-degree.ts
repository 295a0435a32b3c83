/** Pattern of a symmetric matrix without its diagonal, row by row (CSR). */
export interface Pattern {
  readonly size: number;
  readonly rowStart: Int32Array;
  readonly column: Int32Array;
}

/** Rows with more neighbours than this times √n are put last: hubs would make every step slow and change no one's place. */
const DENSE_FACTOR = 10;
const DENSE_MIN = 16;

/**
 * An order of elimination that creates little fill: minimum degree on the quotient graph with approximate external degrees, element
 * absorption, mass elimination and indistinguishable variables (Amestoy, Davis, Duff: "An approximate minimum degree ordering algorithm",
 * SIAM J. Matrix Anal. Appl. 17, 1996).
 *
 * @param fillMax gives up (undefined) when the elimination would store more off-diagonal entries per triangle,
 * @param operationsMax or do more multiplications
 * @returns states in the order in which to eliminate them
 */
export function minimumDegreeOrder(pattern: Pattern, fillMax: number, operationsMax: number): Int32Array | undefined {
  const graph = new QuotientGraph(pattern);
  const denseMin = Math.max(DENSE_MIN, DENSE_FACTOR * Math.sqrt(pattern.size));
  const dense: number[] = [];
  for (let variable = 0; variable < pattern.size; variable++) {
    if (graph.degree[variable]! > denseMin) {
      dense.push(variable);
      graph.remove(variable);
    }
  }
  for (let variable = 0; variable < pattern.size; variable++) if (graph.weight[variable]! > 0) graph.enqueue(variable);
  let fill = (dense.length * (dense.length - 1)) / 2;
  let operations = 0;
  const order = new Int32Array(pattern.size);
  let placed = 0;
  while (placed < pattern.size - dense.length) {
    const pivot = graph.dequeueLeast();
    const before = placed;
    const outside = graph.eliminate(pivot);
    for (const member of graph.membersOf(pivot)) order[placed++] = member;
    const together = placed - before;
    fill += together * (outside + dense.length) + (together * (together - 1)) / 2;
    operations += together * (outside + dense.length) ** 2;
    if (fill > fillMax || operations > operationsMax) return undefined;
  }
  for (const variable of dense) order[placed++] = variable;
  return order;
}

/** What is left to eliminate: variables, and elements, which are the cliques that eliminated variables left behind. */
class QuotientGraph {
  /** How many variables a supervariable stands for; 0 once it is eliminated or part of another. */
  readonly weight: Int32Array;
  /** Approximate external degree. */
  readonly degree: Int32Array;
  /** Neighbours of a variable: first elements, then variables; a row only ever shrinks. */
  private readonly neighbour: Int32Array;
  private readonly rowStart: Int32Array;
  private readonly elements: Int32Array;
  private readonly variables: Int32Array;
  /** Variables of an element; undefined when it is absorbed. */
  private readonly element: (Int32Array | undefined)[];
  private readonly elementDegree: Int32Array;
  /** Stamps instead of sets. */
  private readonly seen: Int32Array;
  private readonly outside: Int32Array;
  private stamp = 1;
  private left: number;
  /** Buckets by degree, as doubly linked lists. */
  private readonly head: Int32Array;
  private readonly next: Int32Array;
  private readonly previous: Int32Array;
  private least = 0;
  /** Members of a supervariable as a linked list behind it. */
  private readonly follower: Int32Array;
  private readonly lastMember: Int32Array;

  constructor({ size, rowStart, column }: Pattern) {
    this.left = size;
    this.weight = new Int32Array(size).fill(1);
    this.rowStart = rowStart;
    this.neighbour = column.slice();
    this.elements = new Int32Array(size);
    this.variables = Int32Array.from({ length: size }, (_, at) => rowStart[at + 1]! - rowStart[at]!);
    this.degree = this.variables.slice();
    this.element = Array.from<Int32Array | undefined>({ length: size }).fill(undefined);
    this.elementDegree = new Int32Array(size);
    this.seen = new Int32Array(size);
    this.outside = new Int32Array(size);
    this.head = new Int32Array(size + 1).fill(-1);
    this.next = new Int32Array(size).fill(-1);
    this.previous = new Int32Array(size).fill(-1);
    this.follower = new Int32Array(size).fill(-1);
    this.lastMember = Int32Array.from({ length: size }, (_, at) => at);
  }

  /** Takes a variable out, as if it were not there. */
  remove(variable: number): void {
    this.weight[variable] = 0;
    this.left--;
  }

  enqueue(variable: number): void {
    const degree = this.degree[variable]!;
    const first = this.head[degree]!;
    this.next[variable] = first;
    this.previous[variable] = -1;
    if (first !== -1) this.previous[first] = variable;
    this.head[degree] = variable;
    if (degree < this.least) this.least = degree;
  }

  private unlink(variable: number): void {
    const [before, after] = [this.previous[variable]!, this.next[variable]!];
    if (after !== -1) this.previous[after] = before;
    if (before === -1) this.head[this.degree[variable]!] = after;
    else this.next[before] = after;
  }

  dequeueLeast(): number {
    while (this.head[this.least] === -1) this.least++;
    const variable = this.head[this.least]!;
    this.unlink(variable);
    return variable;
  }

  *membersOf(variable: number): Generator<number> {
    for (let member = variable; member !== -1; member = this.follower[member]!) yield member;
  }

  /** Makes an element of a variable. @returns how many variables are left around it */
  eliminate(pivot: number): number {
    const around = this.neighboursOf(pivot);
    this.left -= this.weight[pivot]!;
    this.weight[pivot] = 0;
    let size = 0;
    for (const variable of around) {
      size += this.weight[variable]!;
      this.unlink(variable);
    }
    this.measureElements(around);
    for (const variable of around) this.update(variable, pivot, size);
    this.mergeAlike(around);
    return this.finish(pivot, around);
  }

  /** Variables around a variable, marked as seen with the present stamp; the elements it was in are absorbed. */
  private neighboursOf(pivot: number): number[] {
    const found: number[] = [];
    this.stamp++;
    this.seen[pivot] = this.stamp;
    const add = (variable: number): void => {
      if (this.weight[variable] === 0 || this.seen[variable] === this.stamp) return;
      this.seen[variable] = this.stamp;
      found.push(variable);
    };
    const start = this.rowStart[pivot]!;
    const middle = start + this.elements[pivot]!;
    for (let at = start; at < middle; at++) {
      const element = this.neighbour[at]!;
      for (const variable of this.element[element] ?? []) add(variable);
      this.element[element] = undefined;
    }
    for (let at = middle; at < middle + this.variables[pivot]!; at++) add(this.neighbour[at]!);
    return found;
  }

  /** |Lₑ \ Lₚ| of each element near the pivot, into `outside`; `seen` of an element is its own stamp (elements and variables never share a number). */
  private measureElements(around: readonly number[]): void {
    for (const variable of around) {
      const start = this.rowStart[variable]!;
      for (let at = start; at < start + this.elements[variable]!; at++) {
        const element = this.neighbour[at]!;
        if (this.element[element] === undefined) continue;
        if (this.seen[element] !== this.stamp) {
          this.seen[element] = this.stamp;
          this.outside[element] = this.elementDegree[element]!;
        }
        this.outside[element]! -= this.weight[variable]!;
      }
    }
  }

  /** Puts the new element into a variable's row, drops what it covers, and estimates the degree anew. */
  private update(variable: number, pivot: number, size: number): void {
    const { neighbour } = this;
    const start = this.rowStart[variable]!;
    const middle = start + this.elements[variable]!;
    const end = middle + this.variables[variable]!;
    let degree = 0;
    const keptElements: number[] = [pivot];
    for (let at = start; at < middle; at++) {
      const element = neighbour[at]!;
      if (this.element[element] === undefined) continue;
      if (this.outside[element] === 0) this.element[element] = undefined;
      else {
        degree += this.outside[element]!;
        keptElements.push(element);
      }
    }
    const keptVariables: number[] = [];
    for (let at = middle; at < end; at++) {
      const other = neighbour[at]!;
      if (this.weight[other] === 0 || this.seen[other] === this.stamp) continue;
      degree += this.weight[other]!;
      keptVariables.push(other);
    }
    let place = start;
    for (const element of keptElements) neighbour[place++] = element;
    for (const other of keptVariables) neighbour[place++] = other;
    this.elements[variable] = keptElements.length;
    this.variables[variable] = keptVariables.length;
    const rest = size - this.weight[variable]!;
    this.degree[variable] = Math.min(this.left - this.weight[variable]!, this.degree[variable]! + rest, degree + rest);
  }

  /** Joins variables of the new element that have the same neighbours: they can be eliminated together without more fill. */
  private mergeAlike(around: readonly number[]): void {
    const byHash = new Map<number, number[]>();
    for (const variable of around) {
      const start = this.rowStart[variable]!;
      let hash = this.elements[variable]! * 31 + this.variables[variable]!;
      for (let at = start; at < start + this.elements[variable]! + this.variables[variable]!; at++)
        hash = (hash + this.neighbour[at]! * 0x9e37) | 0;
      const alike = byHash.get(hash);
      if (alike === undefined) byHash.set(hash, [variable]);
      else alike.push(variable);
    }
    for (const alike of byHash.values()) {
      for (let first = 0; first < alike.length; first++) {
        if (this.weight[alike[first]!] === 0) continue;
        for (let second = first + 1; second < alike.length; second++) {
          if (this.weight[alike[second]!]! > 0 && this.areAlike(alike[first]!, alike[second]!)) this.merge(alike[first]!, alike[second]!);
        }
      }
    }
  }

  private areAlike(one: number, other: number): boolean {
    const count = this.elements[one]! + this.variables[one]!;
    if (this.elements[one] !== this.elements[other] || count !== this.elements[other]! + this.variables[other]!) return false;
    this.stamp++;
    const start = this.rowStart[one]!;
    for (let at = start; at < start + count; at++) this.seen[this.neighbour[at]!] = this.stamp;
    const otherStart = this.rowStart[other]!;
    for (let at = otherStart; at < otherStart + count; at++) if (this.seen[this.neighbour[at]!] !== this.stamp) return false;
    return true;
  }

  private merge(into: number, variable: number): void {
    this.degree[into]! -= this.weight[variable]!;
    this.weight[into]! += this.weight[variable]!;
    this.weight[variable] = 0;
    this.follower[this.lastMember[into]!] = variable;
    this.lastMember[into] = this.lastMember[variable]!;
  }

  /** Eliminates with the pivot what has no other neighbours (mass elimination), and stores the rest as the element. */
  private finish(pivot: number, around: readonly number[]): number {
    const kept: number[] = [];
    let size = 0;
    for (const variable of around) {
      const weight = this.weight[variable]!;
      if (weight === 0) continue;
      if (this.elements[variable] === 1 && this.variables[variable] === 0) {
        this.left -= weight;
        this.weight[variable] = 0;
        this.follower[this.lastMember[pivot]!] = variable;
        this.lastMember[pivot] = this.lastMember[variable]!;
      } else {
        kept.push(variable);
        size += weight;
      }
    }
    for (const variable of kept) {
      this.degree[variable] = Math.max(0, Math.min(this.degree[variable]!, this.left - this.weight[variable]!));
      this.enqueue(variable);
    }
    this.element[pivot] = Int32Array.from(kept);
    this.elementDegree[pivot] = size;
    return size;
  }
}

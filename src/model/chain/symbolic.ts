import { minimumDegreeOrder, type Pattern } from './minimum-degree.ts';

/** Neighbouring pivots that are eliminated in one dense front: the same rows stay after each of them. */
export interface Front {
  /** Position of the first pivot; the others follow it. */
  readonly first: number;
  readonly pivots: number;
  /** Positions of the rows that stay, all behind the pivots. */
  readonly rest: Int32Array;
}

/** In which order to eliminate, and which entries that makes. Positions are places in this order. */
export interface Symbolic {
  /** State at each position. */
  readonly order: Int32Array;
  readonly positionOf: Int32Array;
  /** Children before parents, and each child's update is used by the next front that has room for it: a stack suffices. */
  readonly fronts: readonly Front[];
  /** How many fronts hand their update directly to each front. */
  readonly children: Int32Array;
  /** Off-diagonal entries in one triangle. */
  readonly fill: number;
  /** Multiplications of the elimination. */
  readonly operations: number;
}

/** What an elimination may cost before it is not begun. */
export interface EliminationBudget {
  /** Stored entries per triangle: 16 bytes each. Default 2·10⁷. */
  readonly fillMax?: number;
  /** Multiplications. Default 10¹⁰, about ten seconds. */
  readonly operationsMax?: number;
}

/**
 * Plans the elimination of a matrix with this symmetric pattern: order, elimination tree (Liu, SIAM J. Matrix Anal. Appl. 11, 1990), fronts.
 * @returns undefined when it would cost more than the budget
 */
export function planElimination(pattern: Pattern, budget: EliminationBudget = {}): Symbolic | undefined {
  const { fillMax = 2e7, operationsMax = 1e10 } = budget;
  const first = minimumDegreeOrder(pattern, fillMax, operationsMax);
  if (first === undefined) return undefined;
  const parent = eliminationTree(pattern, first);
  const after = postorder(parent);
  const order = after.map((position) => first[position]!);
  const newPosition = inverse(after);
  const parents = after.map((position) => (parent[position] === -1 ? -1 : newPosition[parent[position]!]!));
  return frontsOf(pattern, order, parents, fillMax, operationsMax);
}

function inverse(order: Int32Array): Int32Array {
  const positionOf = new Int32Array(order.length);
  for (let position = 0; position < order.length; position++) positionOf[order[position]!] = position;
  return positionOf;
}

/** Parent of each position: the first later one that its elimination touches; −1 for roots. */
function eliminationTree({ rowStart, column }: Pattern, order: Int32Array): Int32Array {
  const positionOf = inverse(order);
  const parent = new Int32Array(order.length).fill(-1);
  const ancestor = new Int32Array(order.length).fill(-1);
  for (let position = 0; position < order.length; position++) {
    const state = order[position]!;
    for (let at = rowStart[state]!; at < rowStart[state + 1]!; at++) {
      let below = positionOf[column[at]!]!;
      while (below !== -1 && below < position) {
        const next = ancestor[below]!;
        ancestor[below] = position;
        if (next === -1) parent[below] = position;
        below = next;
      }
    }
  }
  return parent;
}

/** Positions, children directly before their parents. */
function postorder(parent: Int32Array): Int32Array {
  const size = parent.length;
  const firstChild = new Int32Array(size).fill(-1);
  const sibling = new Int32Array(size).fill(-1);
  const stack: number[] = [];
  for (let position = size - 1; position >= 0; position--) {
    const above = parent[position]!;
    if (above === -1) stack.push(position);
    else {
      sibling[position] = firstChild[above]!;
      firstChild[above] = position;
    }
  }
  stack.reverse();
  const order = new Int32Array(size);
  let placed = 0;
  while (stack.length > 0) {
    const position = stack[stack.length - 1]!;
    const child = firstChild[position]!;
    if (child === -1) {
      stack.pop();
      order[placed++] = position;
    } else {
      firstChild[position] = sibling[child]!;
      stack.push(child);
    }
  }
  return order;
}

function frontsOf(pattern: Pattern, order: Int32Array, parent: Int32Array, fillMax: number, operationsMax: number): Symbolic | undefined {
  const size = order.length;
  const positionOf = inverse(order);
  const { rowsOf, fill, operations } = columnsOf(pattern, order, positionOf, parent, { fillMax, operationsMax });
  if (rowsOf === undefined) return undefined;
  const fronts: Front[] = [];
  const frontOf = new Int32Array(size);
  for (let position = 0; position < size;) {
    let pivots = 1;
    // A chain of parents whose columns are the same but for the pivots themselves.
    while (parent[position + pivots - 1] === position + pivots && rowsOf[position + pivots] === undefined) pivots++;
    frontOf.fill(fronts.length, position, position + pivots);
    const rest = rowsOf[position]!.filter((row) => row >= position + pivots);
    fronts.push({ first: position, pivots, rest });
    position += pivots;
  }
  const children = new Int32Array(fronts.length);
  for (const { first, pivots } of fronts) {
    const above = parent[first + pivots - 1]!;
    if (above !== -1) children[frontOf[above]!]! += 1;
  }
  return { order, positionOf, fronts, children, fill, operations };
}

/**
 * Rows below the diagonal of each column of the eliminated matrix; undefined for a column that is its only child's without the child itself.
 */
function columnsOf(
  { rowStart, column }: Pattern,
  order: Int32Array,
  positionOf: Int32Array,
  parent: Int32Array,
  { fillMax, operationsMax }: Required<EliminationBudget>,
): { rowsOf?: (Int32Array | undefined)[]; fill: number; operations: number } {
  const size = order.length;
  const rowsOf = Array.from<Int32Array | undefined>({ length: size }).fill(undefined);
  const counts = new Int32Array(size);
  const childrenOf = childLists(parent);
  const seen = new Int32Array(size).fill(-1);
  const found = new Int32Array(size);
  /** The column whose list stands for this one's. */
  const shared = new Int32Array(size);
  let fill = 0;
  let operations = 0;
  for (let position = 0; position < size; position++) {
    let count = 0;
    const add = (row: number): void => {
      if (row <= position || seen[row] === position) return;
      seen[row] = position;
      found[count++] = row;
    };
    const state = order[position]!;
    for (let at = rowStart[state]!; at < rowStart[state + 1]!; at++) add(positionOf[column[at]!]!);
    const kids = childrenOf(position);
    for (const child of kids) for (const row of rowsOf[shared[child]!]!) add(row);
    counts[position] = count;
    fill += count;
    operations += count * count;
    if (fill > fillMax || operations > operationsMax) return { fill, operations };
    const only = kids.length === 1 ? kids[0]! : -1;
    if (only === position - 1 && counts[only] === count + 1) shared[position] = shared[only]!;
    else {
      shared[position] = position;
      rowsOf[position] = found.slice(0, count);
    }
  }
  return { rowsOf, fill, operations };
}

function childLists(parent: Int32Array): (position: number) => readonly number[] {
  const none: readonly number[] = [];
  const lists = new Map<number, number[]>();
  parent.forEach((above, position) => {
    if (above === -1) return;
    const list = lists.get(above);
    if (list === undefined) lists.set(above, [position]);
    else list.push(position);
  });
  return (position) => lists.get(position) ?? none;
}

import { type EliminationBudget, planElimination, type Front, type Symbolic } from './symbolic.ts';
import type { Pattern } from './minimum-degree.ts';
import { transposed } from './vectors.ts';

/** Square matrix of rates above 0 without a diagonal (CSR), and what leaves each row besides, never to come back. */
export interface OpenRates {
  readonly size: number;
  readonly rowStart: Int32Array;
  readonly target: Int32Array;
  readonly rate: Float64Array;
  /** Rates out of the matrix, 0 or more. All 0: the chain is closed. */
  readonly leave: Float64Array;
}

/**
 * An eliminated matrix −Q_TT = diag(exit + leave) − A, ready to be solved with. Nothing was subtracted on the way, so every result has
 * small relative error in each entry, however tiny (O'Cinneide, Numer. Math. 65, 1993).
 */
export interface Elimination {
  /** x with x·(−Q_TT) = w: time spent in each state when w begins (or flows) in. `w` must not be negative. */
  visits(w: Float64Array): Float64Array;
  /** y with (−Q_TT)·y = c: what c per unit of time costs from each state on. `c` must not be negative. */
  costs(c: Float64Array): Float64Array;
  /** Of a closed matrix that hangs together: π with π·Q = 0, not scaled to anything. */
  stationary(): Float64Array;
  readonly fill: number;
  readonly operations: number;
}

/** The factors: for each pivot its total rate to what is left, and the row and column of the moment when it was eliminated. */
interface Factors {
  readonly plan: Symbolic;
  readonly total: Float64Array;
  /** Where each pivot's entries begin in `row` and `col`; the order is that of its front: later pivots, then the rest. */
  readonly start: Float64Array;
  readonly row: Float64Array;
  readonly col: Float64Array;
}

/**
 * GTH elimination (Grassmann, Taksar, Heyman: "Regenerative analysis and steady state distributions for Markov chains", Oper. Res. 33,
 * 1985) of a sparse matrix, multifrontally (Duff, Reid: "The multifrontal solution of indefinite sparse symmetric linear systems", ACM
 * TOMS 9, 1983): the diagonal is never formed; a pivot is the sum of its rates to what is left.
 *
 * @returns undefined when it would cost more than the budget
 */
export function eliminate(rates: OpenRates, budget?: EliminationBudget): Elimination | undefined {
  const plan = planElimination(symmetricPattern(rates), budget);
  if (plan === undefined) return undefined;
  const factors = factorize(rates, plan);
  return {
    visits: (w) => visits(factors, w),
    costs: (c) => costs(factors, c),
    stationary: () => stationary(factors),
    fill: plan.fill,
    operations: plan.operations,
  };
}

/** Where the matrix or its transpose has an entry. */
export function symmetricPattern({ size, rowStart, target }: Omit<OpenRates, 'rate' | 'leave'>): Pattern {
  const count = new Int32Array(size + 1);
  for (let row = 0; row < size; row++) count[row + 1]! += rowStart[row + 1]! - rowStart[row]!;
  for (const to of target) count[to + 1]! += 1;
  for (let row = 0; row < size; row++) count[row + 1]! += count[row]!;
  const column = new Int32Array(count[size]!);
  const next = count.slice(0, size);
  for (let row = 0; row < size; row++) {
    for (let at = rowStart[row]!; at < rowStart[row + 1]!; at++) {
      column[next[row]!++] = target[at]!;
      column[next[target[at]!]!++] = row;
    }
  }
  return withoutDuplicates(size, count, column);
}

function withoutDuplicates(size: number, start: Int32Array, column: Int32Array): Pattern {
  const seen = new Int32Array(size).fill(-1);
  const rowStart = new Int32Array(size + 1);
  let used = 0;
  for (let row = 0; row < size; row++) {
    rowStart[row] = used;
    for (let at = start[row]!; at < start[row + 1]!; at++) {
      const other = column[at]!;
      if (seen[other] === row) continue;
      seen[other] = row;
      column[used++] = other;
    }
  }
  rowStart[size] = used;
  return { size, rowStart, column: column.slice(0, used) };
}

function factorize(rates: OpenRates, plan: Symbolic): Factors {
  const { size } = rates;
  const start = new Float64Array(size + 1);
  for (const { first, pivots, rest } of plan.fronts) {
    for (let pivot = 0; pivot < pivots; pivot++) start[first + pivot + 1] = start[first + pivot]! + pivots - 1 - pivot + rest.length;
  }
  const factors = { plan, total: new Float64Array(size), start, row: new Float64Array(start[size]!), col: new Float64Array(start[size]!) };
  const leave = Float64Array.from(plan.order, (state) => rates.leave[state]!);
  const place = new Int32Array(size);
  const back = transposed(rates);
  /** Updates that wait for their parent's front. */
  const waiting: Update[] = [];
  plan.fronts.forEach((front, index) => {
    const width = front.pivots + front.rest.length;
    const positions = new Int32Array(width);
    for (let pivot = 0; pivot < front.pivots; pivot++) positions[pivot] = front.first + pivot;
    positions.set(front.rest, front.pivots);
    for (let at = 0; at < width; at++) place[positions[at]!] = at;
    const dense = new Float64Array(width * width);
    addEntries(rates, back, plan, front, place, dense);
    for (let child = 0; child < plan.children[index]!; child++) addUpdate(waiting.pop()!, place, dense, width);
    eliminatePivots(dense, positions, front.pivots, leave, factors);
    if (front.rest.length > 0) waiting.push({ rest: front.rest, values: dense, width, from: front.pivots });
  });
  return factors;
}

/** What a front leaves behind for its parent: the lower right part of its dense matrix. */
interface Update {
  readonly rest: Int32Array;
  readonly values: Float64Array;
  readonly width: number;
  readonly from: number;
}

/** Adds the matrix's own entries whose earlier end is a pivot of the front. */
function addEntries(
  rates: OpenRates,
  back: Pick<OpenRates, 'rowStart' | 'target' | 'rate'>,
  { order, positionOf }: Symbolic,
  { first, pivots, rest }: Front,
  place: Int32Array,
  dense: Float64Array,
): void {
  const width = pivots + rest.length;
  for (let pivot = 0; pivot < pivots; pivot++) {
    const state = order[first + pivot]!;
    for (let at = rates.rowStart[state]!; at < rates.rowStart[state + 1]!; at++) {
      const position = positionOf[rates.target[at]!]!;
      if (position >= first) dense[pivot * width + place[position]!]! += rates.rate[at]!;
    }
    for (let at = back.rowStart[state]!; at < back.rowStart[state + 1]!; at++) {
      const position = positionOf[back.target[at]!]!;
      // Entries between two pivots were met in their rows.
      if (position >= first + pivots) dense[place[position]! * width + pivot]! += back.rate[at]!;
    }
  }
}

function addUpdate({ rest, values, width: from, from: skip }: Update, place: Int32Array, dense: Float64Array, width: number): void {
  const count = rest.length;
  for (let i = 0; i < count; i++) {
    const read = (skip + i) * from + skip;
    const write = place[rest[i]!]! * width;
    for (let j = 0; j < count; j++) dense[write + place[rest[j]!]!]! += values[read + j]!;
  }
}

/** Eliminates the first rows of a dense front one after the other, and keeps each as it was at that moment. */
function eliminatePivots(dense: Float64Array, positions: Int32Array, pivots: number, leave: Float64Array, factors: Factors): void {
  const width = positions.length;
  for (let pivot = 0; pivot < pivots; pivot++) {
    const position = positions[pivot]!;
    const own = pivot * width;
    let write = factors.start[position]!;
    let total = leave[position]!;
    for (let other = pivot + 1; other < width; other++, write++) {
      total += dense[own + other]!;
      factors.row[write] = dense[own + other]!;
      factors.col[write] = dense[other * width + pivot]!;
    }
    factors.total[position] = total;
    for (let other = pivot + 1; other < width; other++) {
      const into = other * width;
      if (dense[into + pivot] === 0) continue;
      const share = dense[into + pivot]! / total;
      leave[positions[other]!]! += share * leave[position]!;
      // The diagonal takes its part too, but is never read.
      for (let at = pivot + 1; at < width; at++) dense[into + at]! += share * dense[own + at]!;
    }
  }
}

/** Walks all pivots; `visit` gets a pivot's position, where its entries begin, and the positions that they belong to. */
function walk(
  plan: Symbolic,
  start: Float64Array,
  backwards: boolean,
  visit: (position: number, entries: number, behind: Int32Array) => void,
): void {
  const { fronts } = plan;
  for (let step = 0; step < fronts.length; step++) {
    const { first, pivots, rest } = fronts[backwards ? fronts.length - 1 - step : step]!;
    const behind = new Int32Array(pivots - 1 + rest.length);
    for (let pivot = 1; pivot < pivots; pivot++) behind[pivot - 1] = first + pivot;
    behind.set(rest, pivots - 1);
    for (let turn = 0; turn < pivots; turn++) {
      const pivot = backwards ? pivots - 1 - turn : turn;
      visit(first + pivot, start[first + pivot]!, pivot === 0 ? behind : behind.subarray(pivot));
    }
  }
}

function visits({ plan, total, start, row, col }: Factors, w: Float64Array): Float64Array {
  const x = Float64Array.from(plan.order, (state) => w[state]!);
  walk(plan, start, false, (position, entries, behind) => {
    const share = x[position]! / total[position]!;
    if (share > 0) for (let at = 0; at < behind.length; at++) x[behind[at]!]! += share * row[entries + at]!;
  });
  walk(plan, start, true, (position, entries, behind) => {
    let sum = x[position]!;
    for (let at = 0; at < behind.length; at++) sum += x[behind[at]!]! * col[entries + at]!;
    x[position] = sum / total[position]!;
  });
  return Float64Array.from(plan.positionOf, (position) => x[position]!);
}

function costs({ plan, total, start, row, col }: Factors, c: Float64Array): Float64Array {
  const y = Float64Array.from(plan.order, (state) => c[state]!);
  walk(plan, start, false, (position, entries, behind) => {
    const share = y[position]! / total[position]!;
    if (share > 0) for (let at = 0; at < behind.length; at++) y[behind[at]!]! += share * col[entries + at]!;
  });
  walk(plan, start, true, (position, entries, behind) => {
    let sum = y[position]!;
    for (let at = 0; at < behind.length; at++) sum += y[behind[at]!]! * row[entries + at]!;
    y[position] = sum / total[position]!;
  });
  return Float64Array.from(plan.positionOf, (position) => y[position]!);
}

/** Values are mantissa · 2^(256·exponent): along 10⁵ states probabilities span far more than a double's range. */
const BLOCK = 2 ** 256;
const HALF_BLOCK = 2 ** 128;

function stationary({ plan, total, start, col }: Factors): Float64Array {
  const size = plan.order.length;
  const mantissa = new Float64Array(size);
  const exponent = new Int32Array(size);
  walk(plan, start, true, (position, entries, behind) => {
    if (position === size - 1) {
      mantissa[position] = 1;
      return;
    }
    let most = -Infinity;
    for (let at = 0; at < behind.length; at++) if (col[entries + at]! > 0) most = Math.max(most, exponent[behind[at]!]!);
    let sum = 0;
    for (let at = 0; at < behind.length; at++) {
      const value = col[entries + at]! * mantissa[behind[at]!]!;
      const below = most - exponent[behind[at]!]!;
      if (value > 0) sum += below === 0 ? value : value * BLOCK ** -below;
    }
    sum /= total[position]!;
    for (; sum >= HALF_BLOCK; most++) sum /= BLOCK;
    for (; sum > 0 && sum < 1 / HALF_BLOCK; most--) sum *= BLOCK;
    mantissa[position] = sum;
    exponent[position] = most;
  });
  const top = exponent.reduce((most, value) => Math.max(most, value), -Infinity);
  return Float64Array.from(plan.positionOf, (position) => mantissa[position]! * BLOCK ** (exponent[position]! - top));
}

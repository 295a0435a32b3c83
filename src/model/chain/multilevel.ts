import { eliminate } from './elimination.ts';
import { exitRates, normalize, transposed } from './vectors.ts';

/** A closed matrix of rates, as far as iterating needs it. */
interface Rates {
  readonly size: number;
  readonly rowStart: Int32Array;
  readonly target: Int32Array;
  readonly rate: Float64Array;
}

/** A level: its rates seen from where they lead, and how its states are put together on the next, coarser one. */
interface Level extends Rates {
  readonly back: Omit<Rates, 'size'>;
  readonly exit: Float64Array;
}

export interface MultilevelAnswer {
  readonly probabilities: Float64Array;
  /** Greatest relative change of any state's probability in the last cycle. */
  readonly change: number;
  /** Estimate of the greatest relative error of any state's probability: the changes still to come, if they shrink as they did. */
  readonly errorEstimate: number;
  readonly cycles: number;
}

/** Cycles after which no convergence is to be hoped for. */
const CYCLES_MAX = 500;
/** Cycles by which the speed of convergence is judged. */
const CYCLES_JUDGED = 3;
/** Relative change per cycle that rounding alone makes. */
const ROUNDING = 2e-14;
/** So few states are solved exactly. */
const COARSEST = 400;
/** A step that leaves more than this share of the states is not worth its cycle. */
const COARSENING_MIN = 0.9;
const SWEEPS = 2;

/**
 * Steady state by the multi-level method of Horton and Leutenegger ("A multi-level solution algorithm for steady-state Markov chains",
 * SIGMETRICS 1994): Gauss–Seidel sweeps on each level, strongly coupled states put together in pairs, GTH on the coarsest; its two-level
 * form is iterative aggregation–disaggregation (Koury, McAllister, Stewart 1984). Nothing is subtracted.
 *
 * @param accuracy stops when the estimated relative error of every probability is below
 */
export function multilevel(rates: Rates, accuracy: number): MultilevelAnswer {
  const level = levelOf(rates);
  let values: Float64Array = new Float64Array(rates.size).fill(1 / rates.size);
  /** Of each cycle. */
  const changes: number[] = [];
  let errorEstimate = Infinity;
  while (changes.length < CYCLES_MAX && errorEstimate > accuracy) {
    const next = cycle(level, values);
    changes.push(relativeChange(values, next));
    values = next;
    errorEstimate = estimate(changes);
  }
  return { probabilities: values, change: changes.at(-1) ?? Infinity, errorEstimate, cycles: changes.length };
}

/** What changes of a geometric series are still to come, if they shrink no slower than in the last cycles. */
function estimate(changes: readonly number[]): number {
  if (changes.length <= CYCLES_JUDGED) return Infinity;
  const change = changes.at(-1)!;
  if (change <= ROUNDING) return ROUNDING;
  const recent = changes.slice(-CYCLES_JUDGED - 1);
  const shrink = Math.max(...recent.slice(1).map((value, at) => value / recent[at]!));
  return shrink < 1 ? change / (1 - shrink) : Infinity;
}

function levelOf(rates: Rates): Level {
  return { ...rates, back: transposed(rates), exit: exitRates(rates) };
}

function relativeChange(before: Float64Array, after: Float64Array): number {
  let most = 0;
  for (let state = 0; state < after.length; state++) {
    if (after[state]! > 0) most = Math.max(most, Math.abs(after[state]! - before[state]!) / after[state]!);
  }
  return most;
}

/** One V-cycle: better values for the level's stationary vector. */
function cycle(level: Level, start: Float64Array): Float64Array {
  if (level.size <= COARSEST) return exact(level);
  const values = start.slice();
  sweep(level, values);
  const groupOf = pairUp(level, values);
  const groups = 1 + groupOf.reduce((most, group) => Math.max(most, group), 0);
  if (groups > COARSENING_MIN * level.size) return exact(level);
  const weight = new Float64Array(groups);
  for (let state = 0; state < level.size; state++) weight[groupOf[state]!]! += values[state]!;
  const coarse = cycle(levelOf(coarsen(level, values, groupOf, weight)), weight);
  for (let state = 0; state < level.size; state++) values[state]! *= coarse[groupOf[state]!]! / weight[groupOf[state]!]!;
  sweep(level, values);
  return normalize(values);
}

function exact(level: Level): Float64Array {
  const solved = eliminate({ ...level, leave: new Float64Array(level.size) }, { fillMax: Infinity, operationsMax: Infinity })!;
  return normalize(solved.stationary());
}

/** Gauss–Seidel, forwards and backwards: every state gets what balances its in- and outflow. */
function sweep({ size, back, exit }: Level, values: Float64Array): void {
  for (let turn = 0; turn < SWEEPS * 2; turn++) {
    const backwards = turn % 2 === 1;
    for (let step = 0; step < size; step++) {
      const state = backwards ? size - 1 - step : step;
      let inflow = 0;
      for (let at = back.rowStart[state]!; at < back.rowStart[state + 1]!; at++) inflow += values[back.target[at]!]! * back.rate[at]!;
      values[state] = inflow / exit[state]!;
    }
    normalize(values);
  }
}

/** Puts every state together with the free neighbour that most flows to and from. */
function pairUp({ size, rowStart, target, rate, back }: Level, values: Float64Array): Int32Array {
  const groupOf = new Int32Array(size).fill(-1);
  let groups = 0;
  for (let state = 0; state < size; state++) {
    if (groupOf[state] !== -1) continue;
    let partner = -1;
    let strongest = 0;
    const consider = (other: number, flow: number): void => {
      if (groupOf[other] === -1 && other !== state && flow > strongest) [partner, strongest] = [other, flow];
    };
    for (let at = rowStart[state]!; at < rowStart[state + 1]!; at++) consider(target[at]!, rate[at]! * values[state]!);
    for (let at = back.rowStart[state]!; at < back.rowStart[state + 1]!; at++)
      consider(back.target[at]!, back.rate[at]! * values[back.target[at]!]!);
    if (partner !== -1) groupOf[partner] = groups;
    groupOf[state] = groups++;
  }
  return groupOf;
}

/** Rates between groups, as seen from inside when each group's states have the proportions of `values`. */
function coarsen({ rowStart, target, rate }: Level, values: Float64Array, groupOf: Int32Array, weight: Float64Array): Rates {
  const groups = weight.length;
  const members = membersOf(groups, groupOf);
  const slot = new Int32Array(groups).fill(-1);
  const starts = new Int32Array(groups + 1);
  const targets = new Int32Array(target.length);
  const flows = new Float64Array(target.length);
  let used = 0;
  for (let group = 0; group < groups; group++) {
    const start = used;
    starts[group] = start;
    for (let index = members.start[group]!; index < members.start[group + 1]!; index++) {
      const state = members.list[index]!;
      for (let at = rowStart[state]!; at < rowStart[state + 1]!; at++) {
        const to = groupOf[target[at]!]!;
        if (to === group) continue;
        if (slot[to]! < start) {
          slot[to] = used;
          targets[used++] = to;
        }
        flows[slot[to]!]! += (values[state]! / weight[group]!) * rate[at]!;
      }
    }
    // Slots of earlier groups lie before this one's start, so nothing needs clearing.
  }
  starts[groups] = used;
  return { size: groups, rowStart: starts, target: targets.slice(0, used), rate: flows.slice(0, used) };
}

function membersOf(groups: number, groupOf: Int32Array): { start: Int32Array; list: Int32Array } {
  const start = new Int32Array(groups + 1);
  for (const group of groupOf) start[group + 1]! += 1;
  for (let group = 0; group < groups; group++) start[group + 1]! += start[group]!;
  const next = start.slice(0, groups);
  const list = new Int32Array(groupOf.length);
  groupOf.forEach((group, state) => (list[next[group]!++] = state));
  return { start, list };
}

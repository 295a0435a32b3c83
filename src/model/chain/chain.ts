import { HoldfastError } from '../../core/errors.ts';
import { nearest } from '../../core/nearest.ts';
import { exitRates, sumOf } from './vectors.ts';

/**
 * A continuous-time Markov chain with finitely many states, numbered from 0. The rates are one sparse matrix, row by row (CSR): the
 * transitions of state `s` are the entries `rowStart[s]` to `rowStart[s + 1] − 1` of `target` and `rate`, ascending by target, without the
 * diagonal. The unit of time is the caller's; rates are per that unit.
 */
export interface Chain {
  readonly size: number;
  /** `size + 1` entries. */
  readonly rowStart: Int32Array;
  readonly target: Int32Array;
  /** Above 0, finite. */
  readonly rate: Float64Array;
  /** Sum of the rates of each row: how fast the state is left. */
  readonly exit: Float64Array;
  readonly nameOf: (state: number) => string;
}

/** A state as people write it. */
export interface ChainState {
  readonly name: string;
  /** Whether the service is up in it. Default true. */
  readonly up?: boolean;
  /** Earned per unit of time in this state, 0 or more. Default 1 where up, 0 where down. */
  readonly reward?: number;
  /** Probability of beginning here. Without any, the chain begins in the state that is named first. */
  readonly initial?: number;
}

export interface ChainTransition {
  readonly from: string;
  readonly to: string;
  /** Per unit of time, above 0. Transitions between the same two states add up. */
  readonly rate: number;
}

/** A chain as people write it. */
export interface ChainDescription {
  readonly states: readonly ChainState[];
  readonly transitions: readonly ChainTransition[];
}

/** A chain that was described: with what its states mean. */
export interface DescribedChain extends Chain {
  readonly up: Uint8Array;
  readonly rewards: Float64Array;
  /** Probabilities at time 0. */
  readonly initial: Float64Array;
  /** @throws MODEL_CHAIN_INVALID for a name that no state has */
  readonly indexOf: (name: string) => number;
}

/** One thing that is wrong with a description. */
export interface Problem {
  /** Where, as keys from the description's root. */
  readonly path: readonly (string | number)[];
  readonly message: string;
}

/** Sums of probabilities may miss 1 by so much: people round. */
const SUM_TOLERANCE = 1e-9;

/** Everything that keeps a description from being a chain; empty where nothing does. */
export function chainProblems(description: ChainDescription): Problem[] {
  const problems: Problem[] = [];
  const { states, transitions } = description;
  if (states.length === 0) problems.push({ path: ['states'], message: 'a chain needs at least one state' });
  const names = new Set<string>();
  states.forEach((state, index) => {
    const wrong = (key: string, message: string): void => void problems.push({ path: ['states', index, key], message });
    if (names.has(state.name)) wrong('name', `there are two states named '${state.name}'`);
    names.add(state.name);
    if (!(state.reward === undefined || (state.reward >= 0 && state.reward < Infinity)))
      wrong('reward', `the reward of '${state.name}' must be a finite number of 0 or more, but is ${state.reward}`);
    if (!(state.initial === undefined || (state.initial >= 0 && state.initial <= 1)))
      wrong('initial', `the initial probability of '${state.name}' must be from 0 to 1, but is ${state.initial}`);
  });
  const initial = states.reduce((sum, state) => sum + (state.initial ?? 0), 0);
  if (states.some((state) => state.initial !== undefined) && !(Math.abs(initial - 1) <= SUM_TOLERANCE))
    problems.push({ path: ['states'], message: `the initial probabilities must add up to 1, but make ${initial}` });
  transitions.forEach((transition, index) => {
    for (const end of ['from', 'to'] as const) {
      if (!names.has(transition[end]))
        problems.push({ path: ['transitions', index, end], message: unknownState(transition[end], [...names]) });
    }
    problems.push(...rateProblems(transition, index));
  });
  return problems;
}

function rateProblems({ from, to, rate }: ChainTransition, index: number): Problem[] {
  const problems: Problem[] = [];
  if (from === to) problems.push({ path: ['transitions', index, 'to'], message: `a transition leads from '${from}' to itself` });
  if (!(rate > 0 && rate < Infinity)) {
    const message = `the rate of ${from} → ${to} must be a finite number above 0, but is ${rate}`;
    problems.push({ path: ['transitions', index, 'rate'], message });
  }
  return problems;
}

function unknownState(name: string, names: readonly string[]): string {
  const guess = nearest(name, names);
  return `no state is named '${name}'${guess === undefined ? '' : `; did you mean '${guess}'?`}`;
}

/**
 * The chain of a description.
 * @throws MODEL_CHAIN_INVALID with everything that {@link chainProblems} finds
 */
export function describedChain(description: ChainDescription): DescribedChain {
  const problems = chainProblems(description);
  if (problems.length > 0) {
    const lines = problems.map(({ path, message }) => `${path.join('.')}: ${message}`);
    throw new HoldfastError('MODEL_CHAIN_INVALID', `the chain is wrong: ${lines.join('; ')}`, {
      hint: 'Correct the states and transitions named.',
    });
  }
  const { states, transitions } = description;
  const index = new Map(states.map((state, at) => [state.name, at]));
  const chain = chainOfEdges(
    states.length,
    transitions.map(({ from }) => index.get(from)!),
    transitions.map(({ to }) => index.get(to)!),
    transitions.map(({ rate }) => rate),
    (state) => states[state]!.name,
  );
  const given = states.some((state) => state.initial !== undefined);
  return {
    ...chain,
    up: Uint8Array.from(states, (state) => ((state.up ?? true) ? 1 : 0)),
    rewards: Float64Array.from(states, (state) => state.reward ?? ((state.up ?? true) ? 1 : 0)),
    initial: given ? Float64Array.from(states, (state) => state.initial ?? 0) : pointMass(states.length, 0),
    indexOf: (name) => {
      const at = index.get(name);
      if (at === undefined) throw new HoldfastError('MODEL_CHAIN_INVALID', unknownState(name, [...index.keys()]));
      return at;
    },
  };
}

/**
 * The chain with the transitions `from[e] → to[e]` at `rate[e]`; equal pairs add up. What people did not write is not checked but asserted:
 * ends within `size` and different, rates above 0 and finite.
 */
export function chainOfEdges(
  size: number,
  from: ArrayLike<number>,
  to: ArrayLike<number>,
  rate: ArrayLike<number>,
  nameOf: (state: number) => string = (state) => `state ${state}`,
): Chain {
  const count = from.length;
  for (let edge = 0; edge < count; edge++) {
    const valid = from[edge]! < size && to[edge]! < size && from[edge] !== to[edge] && rate[edge]! > 0 && rate[edge]! < Infinity;
    if (!valid) throw new RangeError(`edge ${edge} (${from[edge]} → ${to[edge]} at ${rate[edge]}) fits no chain of ${size} states`);
  }
  // Sorting by target, then stably by source, leaves every row ascending.
  const byTarget = countingSort(size, to, undefined);
  const order = countingSort(size, from, byTarget);
  const rowStart = new Int32Array(size + 1);
  const target = new Int32Array(count);
  const merged = new Float64Array(count);
  let used = 0;
  for (let at = 0, row = 0; row < size; row++) {
    rowStart[row] = used;
    for (; at < count && from[order[at]!] === row; at++) {
      const edge = order[at]!;
      if (used > rowStart[row]! && target[used - 1] === to[edge]) merged[used - 1]! += rate[edge]!;
      else {
        target[used] = to[edge]!;
        merged[used++] = rate[edge]!;
      }
    }
  }
  rowStart[size] = used;
  const matrix = { size, rowStart, target: target.slice(0, used), rate: merged.slice(0, used), nameOf };
  return { ...matrix, exit: exitRates(matrix) };
}

/** Indexes (in the order `before`, if given) sorted stably by key. */
function countingSort(keys: number, keyOf: ArrayLike<number>, before: Int32Array | undefined): Int32Array {
  const start = new Int32Array(keys + 1);
  for (let at = 0; at < keyOf.length; at++) start[keyOf[at]! + 1]! += 1;
  for (let key = 0; key < keys; key++) start[key + 1]! += start[key]!;
  const order = new Int32Array(keyOf.length);
  for (let at = 0; at < keyOf.length; at++) {
    const index = before === undefined ? at : before[at]!;
    order[start[keyOf[index]!]!++] = index;
  }
  return order;
}

/** All probability on one state. */
export function pointMass(size: number, state: number): Float64Array {
  const vector = new Float64Array(size);
  vector[state] = 1;
  return vector;
}

/**
 * Asserts that `initial` gives each state of the chain a probability, all adding up to 1.
 * @throws MODEL_CHAIN_INVALID
 */
export function assertInitial(chain: Chain, initial: Float64Array): void {
  const sum = sumOf(initial);
  const fits = initial.length === chain.size && initial.every((p) => p >= 0) && Math.abs(sum - 1) <= SUM_TOLERANCE;
  if (fits) return;
  const text = `${initial.length} numbers that add up to ${sum} are no probabilities of beginning in ${chain.size} states`;
  throw new HoldfastError('MODEL_CHAIN_INVALID', text, { hint: 'Give every state a probability of 0 or more, all adding up to 1.' });
}

/** The same chain, but what `keep` refuses is never left again. */
export function withoutExits(chain: Chain, keep: (state: number) => boolean): Chain {
  const rowStart = new Int32Array(chain.size + 1);
  const target = new Int32Array(chain.target.length);
  const rate = new Float64Array(chain.rate.length);
  let used = 0;
  for (let state = 0; state < chain.size; state++) {
    rowStart[state] = used;
    if (!keep(state)) continue;
    for (let at = chain.rowStart[state]!; at < chain.rowStart[state + 1]!; at++) {
      target[used] = chain.target[at]!;
      rate[used++] = chain.rate[at]!;
    }
  }
  rowStart[chain.size] = used;
  const matrix = { size: chain.size, rowStart, target: target.slice(0, used), rate: rate.slice(0, used), nameOf: chain.nameOf };
  return { ...matrix, exit: exitRates(matrix) };
}

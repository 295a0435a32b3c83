import { HoldfastError } from '../../core/errors.ts';
import { assertInitial, chainOfEdges, type Chain } from './chain.ts';
import { classesOf, listed, statesWhere } from './classes.ts';
import { eliminate } from './elimination.ts';
import { steadyState } from './steady-state.ts';
import { dot, sumOf } from './vectors.ts';

export interface Absorption {
  /** Mean time until the chain is absorbed. */
  readonly meanTime: number;
  /** Probability of ending in each state; 0 for those that are left again. */
  readonly probabilities: Float64Array;
  /** Mean time spent in each state before; 0 for absorbing ones. */
  readonly occupancy: Float64Array;
}

/**
 * Where and when the chain ends that begins with the probabilities `initial`: mean time to absorption x·1 and probabilities x·R with
 * x·(−Q_TT) = initial (Kemeny, Snell: Finite Markov Chains, 1960), by subtraction-free elimination.
 *
 * @param absorbing states at which to stop; without it, those that have no way out
 * @throws MODEL_CHAIN_INVALID where `initial` is none
 * @throws MODEL_CHAIN_NOT_ABSORBED where the chain may stay for ever in states that do not absorb
 */
export function absorption(
  chain: Chain,
  initial: Float64Array,
  absorbing: (state: number) => boolean = (state) => chain.exit[state] === 0,
): Absorption {
  assertInitial(chain, initial);
  const sub = transientPart(chain, initial, absorbing);
  const time = sub.states.length === 0 ? new Float64Array(0) : timesIn(sub);
  const occupancy = new Float64Array(chain.size);
  const probabilities = new Float64Array(chain.size);
  sub.states.forEach((state, at) => {
    occupancy[state] = time[at]!;
    for (let edge = chain.rowStart[state]!; edge < chain.rowStart[state + 1]!; edge++) {
      const to = chain.target[edge]!;
      if (absorbing(to)) probabilities[to]! += time[at]! * chain.rate[edge]!;
    }
  });
  for (let state = 0; state < chain.size; state++) if (absorbing(state)) probabilities[state]! += initial[state]!;
  return { meanTime: sumOf(time), probabilities, occupancy };
}

/**
 * Mean time to absorption from every state; 0 for absorbing ones.
 * @throws MODEL_CHAIN_NOT_ABSORBED see {@link absorption}
 */
export function meanTimesToAbsorption(
  chain: Chain,
  absorbing: (state: number) => boolean = (state) => chain.exit[state] === 0,
): Float64Array {
  const everywhere = new Float64Array(chain.size).fill(1 / chain.size);
  const sub = transientPart(chain, everywhere, absorbing);
  const times = new Float64Array(chain.size);
  if (sub.states.length === 0) return times;
  const solved = eliminate(sub.rates, { fillMax: 5e7, operationsMax: 1e11 });
  if (solved === undefined) throw tooMuch(sub.states.length);
  const costs = solved.costs(new Float64Array(sub.states.length).fill(1));
  sub.states.forEach((state, at) => (times[state] = costs[at]!));
  return times;
}

/** The states that are met before absorption, renumbered. */
interface TransientPart {
  readonly states: readonly number[];
  readonly rates: Chain & { leave: Float64Array };
  readonly initial: Float64Array;
}

function transientPart(chain: Chain, initial: Float64Array, absorbing: (state: number) => boolean): TransientPart {
  const stop = Uint8Array.from({ length: chain.size }, (_, state) => (absorbing(state) ? 1 : 0));
  const states = reachedBefore(chain, initial, stop);
  const place = new Int32Array(chain.size).fill(-1);
  states.forEach((state, at) => (place[state] = at));
  const from: number[] = [];
  const to: number[] = [];
  const rate: number[] = [];
  const leave = new Float64Array(states.length);
  states.forEach((state, at) => {
    for (let edge = chain.rowStart[state]!; edge < chain.rowStart[state + 1]!; edge++) {
      const next = chain.target[edge]!;
      if (stop[next] === 1) leave[at]! += chain.rate[edge]!;
      else {
        from.push(at);
        to.push(place[next]!);
        rate.push(chain.rate[edge]!);
      }
    }
  });
  const part = chainOfEdges(states.length, from, to, rate, (at) => chain.nameOf(states[at]!));
  assertAbsorbed(part, leave);
  return { states, rates: { ...part, leave }, initial: Float64Array.from(states, (state) => initial[state]!) };
}

/** States that can be met from the beginning before any that stops. */
function reachedBefore(chain: Chain, initial: Float64Array, stop: Uint8Array): number[] {
  const reached = new Uint8Array(chain.size);
  const waiting = statesWhere(chain, (state) => initial[state]! > 0 && stop[state] === 0);
  for (const state of waiting) reached[state] = 1;
  for (let state = waiting.pop(); state !== undefined; state = waiting.pop()) {
    for (let edge = chain.rowStart[state]!; edge < chain.rowStart[state + 1]!; edge++) {
      const next = chain.target[edge]!;
      if (stop[next] === 1 || reached[next] === 1) continue;
      reached[next] = 1;
      waiting.push(next);
    }
  }
  return statesWhere(chain, (state) => reached[state] === 1);
}

/** Every closed class of what is left must have a way out. */
function assertAbsorbed(part: Chain, leave: Float64Array): void {
  const { classOf, closed, count } = classesOf(part);
  const exits = new Uint8Array(count);
  leave.forEach((rate, state) => {
    if (rate > 0) exits[classOf[state]!] = 1;
  });
  for (let kind = 0; kind < count; kind++) {
    if (closed[kind] === 0 || exits[kind] === 1) continue;
    const stuck = statesWhere(part, (state) => classOf[state] === kind);
    throw new HoldfastError(
      'MODEL_CHAIN_NOT_ABSORBED',
      `the chain can stay in ${listed(part, stuck)} for ever, so the mean time is infinite`,
      {
        hint: 'Add the failures that lead on from there, or count these states among those at which to stop.',
      },
    );
  }
}

function timesIn({ rates, initial, states }: TransientPart): Float64Array {
  const solved = eliminate(rates, { fillMax: 2e7, operationsMax: 6e9 });
  if (solved !== undefined) return solved.visits(initial);
  return timesByRegeneration(rates, initial, states.length);
}

/**
 * Where elimination would cost too much: a chain that begins anew whenever it is absorbed spends its time in the same proportions, and is
 * absorbed at the rate 1 / mean time (renewal reward).
 */
function timesByRegeneration(rates: Chain & { leave: Float64Array }, initial: Float64Array, size: number): Float64Array {
  const starts = [...initial.keys()].filter((state) => initial[state]! > 0);
  const from: number[] = [];
  const to: number[] = [];
  const rate: number[] = [];
  const edge = (a: number, b: number, value: number): void => void (from.push(a), to.push(b), rate.push(value));
  for (let state = 0; state < size; state++) {
    for (let at = rates.rowStart[state]!; at < rates.rowStart[state + 1]!; at++) edge(state, rates.target[at]!, rates.rate[at]!);
    if (!(rates.leave[state]! > 0)) continue;
    for (const start of starts) if (start !== state) edge(state, start, rates.leave[state]! * initial[start]!);
  }
  const { probabilities } = steadyState(chainOfEdges(size, from, to, rate, rates.nameOf));
  const begun = sumOf(initial);
  const flow = dot(probabilities, rates.leave);
  return probabilities.map((value) => (value / flow) * begun);
}

function tooMuch(size: number): HoldfastError {
  return new HoldfastError('MODEL_STATES_TOO_MANY', `${size} states hang together too closely for their mean times to be eliminated`, {
    hint: 'Ask for the mean time from one beginning only, or put alike components together.',
  });
}

import { HoldfastError } from '../../core/errors.ts';
import { chainOfEdges, pointMass, type Chain } from '../chain/chain.ts';
import { Moves } from './moves.ts';
import { planOf } from './plan.ts';
import { ratesOfPlan } from './stages.ts';
import { StateSpace } from './state.ts';
import type { SystemDescription } from './system.ts';

export interface SystemChain extends Chain {
  /** 1 where the system is up. */
  readonly up: Uint8Array;
  /** Everything new: state 0. */
  readonly initial: Float64Array;
  /** What was assumed to make a chain of it. */
  readonly assumptions: readonly string[];
}

export interface SystemChainOptions {
  /** Gives up beyond. Default 300,000. */
  readonly statesMax?: number;
}

/**
 * A system as a Markov chain, units that are alike counted instead of named (exact lumping: Kemeny, Snell: Finite Markov Chains, 1960,
 * ch. 6). Only states that can be reached from the beginning are made.
 *
 * @throws MODEL_SYSTEM_INVALID, MODEL_DISTRIBUTION_INVALID
 * @throws MODEL_NOT_MARKOV where a time is neither exponential nor a row of exponential stages
 * @throws MODEL_STATES_TOO_MANY
 */
export function systemChain(description: SystemDescription, options: SystemChainOptions = {}): SystemChain {
  const { statesMax = 300_000 } = options;
  const plan = planOf(description);
  const space = new StateSpace(plan, ratesOfPlan(plan));
  const moves = new Moves(space);
  const numbers = new Map<string, number>();
  const keys: string[] = [];
  const numberOf = (state: readonly number[]): number => {
    const key = String.fromCharCode(...state);
    const known = numbers.get(key);
    if (known !== undefined) return known;
    if (keys.length >= statesMax) throw tooMany(statesMax, description);
    numbers.set(key, keys.length);
    keys.push(key);
    return keys.length - 1;
  };
  const from: number[] = [];
  const to: number[] = [];
  const rates: number[] = [];
  const up: number[] = [];
  numberOf(space.initial());
  for (let number = 0; number < keys.length; number++) {
    const state = stateOf(keys[number]!);
    up.push(moves.isUp(state) ? 1 : 0);
    moves.from(state, (next, rate) => {
      const target = numberOf(next);
      // What changes nothing that can be seen is no move.
      if (target === number || rate === 0) return;
      from.push(number);
      to.push(target);
      rates.push(rate);
    });
  }
  const chain = chainOfEdges(keys.length, from, to, rates, (number) => space.describe(stateOf(keys[number]!)));
  return { ...chain, up: Uint8Array.from(up), initial: pointMass(keys.length, 0), assumptions: assumptionsOf(description) };
}

function stateOf(key: string): number[] {
  return Array.from({ length: key.length }, (_, at) => key.charCodeAt(at));
}

function tooMany(statesMax: number, { groups }: SystemDescription): HoldfastError {
  const units = groups.reduce((sum, { count }) => sum + count, 0);
  return new HoldfastError('MODEL_STATES_TOO_MANY', `${units} units in ${groups.length} groups make more than ${statesMax} states`, {
    hint: 'Put units that are alike into one group, mend them in any order of crews rather than as they failed, solve independent parts by themselves, or simulate.',
  });
}

function assumptionsOf({ groups, crews = [], sites = [], whenDown }: SystemDescription): string[] {
  const inspected = groups.filter(({ inspection }) => inspection !== undefined).map(({ name }) => `'${name}'`);
  const own = groups.filter(({ name, repair }) => repair !== undefined && !crews.some((crew) => crew.groups.includes(name)));
  return [
    'all times are exponential, or rows of exponential stages, and independent',
    'what is mended is as good as new',
    ...(own.length > 0 ? [`units of ${own.map(({ name }) => `'${name}'`).join(', ')} never wait for a repair crew`] : []),
    ...(inspected.length > 0
      ? [
          `inspections of ${inspected.join(', ')} come at random with half the interval as mean, not on a schedule (the delay of a failure's discovery has the right mean)`,
        ]
      : []),
    ...(groups.some(({ maintenance }) => maintenance) ? ['maintenance begins at random with its interval as mean'] : []),
    ...(sites.length > 0 ? ['units at a site that is down age and are mended as ever'] : []),
    whenDown === 'rests' ? 'nothing more fails while the system is down' : 'units fail on while the system is down',
  ];
}

import { HoldfastError } from '../../core/errors.ts';
import { chainOfEdges, type Chain } from '../chain/chain.ts';
import { Moves } from './moves.ts';
import type { SystemPlan } from './plan.ts';
import type { Rates } from './stages.ts';
import { StateSpace } from './state.ts';

/** All states that can be reached from everything new, which is state 0. */
export interface Explored {
  readonly chain: Chain;
  readonly up: Uint8Array;
  /** For each state, where inspections at that moment lead: itself where they find nothing. */
  readonly inspected: Int32Array;
}

/**
 * @param scheduled follows inspections of all inspected groups together, too, as something that happens at no rate
 * @throws MODEL_STATES_TOO_MANY
 */
export function exploreStates(plan: SystemPlan, rates: Rates, statesMax: number, scheduled = false): Explored {
  const space = new StateSpace(plan, rates);
  const moves = new Moves(space);
  const numbers = new Map<string, number>();
  const keys: string[] = [];
  const numberOf = (state: readonly number[]): number => {
    const key = String.fromCharCode(...state);
    const known = numbers.get(key);
    if (known !== undefined) return known;
    if (keys.length >= statesMax) throw tooMany(statesMax, plan);
    numbers.set(key, keys.length);
    keys.push(key);
    return keys.length - 1;
  };
  const from: number[] = [];
  const to: number[] = [];
  const rate: number[] = [];
  const up: number[] = [];
  const inspected: number[] = [];
  numberOf(space.initial());
  for (let number = 0; number < keys.length; number++) {
    const state = stateOf(keys[number]!);
    up.push(moves.isUp(state) ? 1 : 0);
    moves.from(state, (next, speed) => {
      const target = numberOf(next);
      // What changes nothing that can be seen is no move.
      if (target === number || speed === 0) return;
      from.push(number);
      to.push(target);
      rate.push(speed);
    });
    inspected.push(scheduled ? numberOf(moves.inspected(state)) : number);
  }
  const chain = chainOfEdges(keys.length, from, to, rate, (number) => space.describe(stateOf(keys[number]!)));
  return { chain, up: Uint8Array.from(up), inspected: Int32Array.from(inspected) };
}

function stateOf(key: string): number[] {
  return Array.from({ length: key.length }, (_, at) => key.charCodeAt(at));
}

function tooMany(statesMax: number, { groups }: SystemPlan): HoldfastError {
  const units = groups.reduce((sum, { count }) => sum + count, 0);
  return new HoldfastError('MODEL_STATES_TOO_MANY', `${units} units in ${groups.length} groups make more than ${statesMax} states`, {
    hint: 'Put units that are alike into one group, mend them in any order of crews rather than as they failed, solve independent parts by themselves, or simulate.',
  });
}

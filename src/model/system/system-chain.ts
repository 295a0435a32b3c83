import { pointMass, type Chain } from '../chain/chain.ts';
import { exploreStates } from './explore.ts';
import { planOf } from './plan.ts';
import { ratesOfPlan } from './stages.ts';
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
  const { chain, up } = exploreStates(plan, ratesOfPlan(plan), statesMax);
  return { ...chain, up, initial: pointMass(chain.size, 0), assumptions: assumptionsOf(description) };
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

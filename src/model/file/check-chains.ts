import { nearest } from '../../core/nearest.ts';
import type { Chain, ChainDescription } from '../chain/chain.ts';
import { describedChain } from '../chain/chain.ts';
import { classesOf } from '../chain/classes.ts';
import type { ModelProblem } from './check.ts';
import type { Model } from './schema.ts';

type ChainInput = NonNullable<Model['chains']>[string];

/** Probabilities of the beginning may miss 1 by so much: people round. */
const sumTolerance = 1e-9;

/** The two states of `from -> to`. */
export function statesOfTransition(text: string): readonly [from: string, to: string] {
  const [from = '', to = ''] = text.split('->').map((part) => part.trim());
  return [from, to];
}

/** A chain as the solver reads it. */
export function describeChain({ states, transitions }: ChainInput): ChainDescription {
  return {
    states: Object.entries(states).map(([name, state]) => {
      const { up, reward, initial } = typeof state === 'string' ? { up: state === 'up' } : state;
      return {
        name,
        ...(up === undefined ? {} : { up }),
        ...(reward === undefined ? {} : { reward }),
        ...(initial === undefined ? {} : { initial }),
      };
    }),
    transitions: Object.entries(transitions).map(([text, rate]) => {
      const [from, to] = statesOfTransition(text);
      return { from, to, rate };
    }),
  };
}

/** Names, sums, and states that keep a chain from the steady state that was asked for. */
export function checkChains({ chains = {} }: Model): ModelProblem[] {
  return Object.entries(chains).flatMap(([name, chain]) => {
    const path = ['chains', name];
    const problems = [...checkTransitions(chain, path), ...checkBeginning(chain, path)];
    if (problems.length > 0 || !chain.compute?.includes('steady-state')) return problems;
    const lacking = withoutSteadyState(describedChain(describeChain(chain)));
    if (lacking === undefined) return [];
    return [
      { path: [...path, 'compute', chain.compute.indexOf('steady-state')], message: `there is no steady state to ask for: ${lacking}` },
    ];
  });
}

function checkTransitions({ states, transitions }: ChainInput, path: ModelProblem['path']): ModelProblem[] {
  const names = Object.keys(states);
  if (names.length === 0) return [{ path: [...path, 'states'], message: 'must name at least one state' }];
  return Object.keys(transitions).flatMap((text) => {
    const ends = statesOfTransition(text);
    const at = [...path, 'transitions', text];
    if (ends[0] === ends[1]) return [{ path: at, atKey: true, message: 'leads back to itself, which changes nothing' }];
    return ends
      .filter((end) => !names.includes(end))
      .map((end) => {
        const meant = nearest(end, names);
        return {
          path: at,
          atKey: true,
          message: `there is no state '${end}'${meant === undefined ? `; there are: ${names.join(', ')}` : `; did you mean '${meant}'?`}`,
        };
      });
  });
}

function checkBeginning({ states }: ChainInput, path: ModelProblem['path']): ModelProblem[] {
  const given = Object.values(states).flatMap((state) => (typeof state === 'string' ? [] : (state.initial ?? [])));
  const sum = given.reduce((total, each) => total + each, 0);
  if (given.length === 0 || Math.abs(sum - 1) <= sumTolerance) return [];
  return [{ path: [...path, 'states'], message: `the probabilities to begin in them (initial) must sum to 1, not ${sum}` }];
}

/** Why a chain has no single steady state in which every state has its share; undefined when it has one. */
export function withoutSteadyState(chain: Chain): string | undefined {
  const { count, classOf, closed } = classesOf(chain);
  if (count === 1) return undefined;
  const states = Array.from({ length: chain.size }, (_, state) => state);
  const absorbing = states.filter((state) => chain.exit[state] === 0);
  const told = (list: readonly number[]) =>
    list
      .slice(0, 5)
      .map((state) => `'${chain.nameOf(state)}'`)
      .join(', ') + (list.length > 5 ? ` and ${list.length - 5} more` : '');
  if (absorbing.length > 0)
    return `${told(absorbing)} ${absorbing.length === 1 ? 'is' : 'are'} never left; add what leads out, or ask for absorption or survival`;
  const left = states.filter((state) => closed[classOf[state]!] === 0);
  return `${told(left)} ${left.length === 1 ? 'is' : 'are'} left for good, or never reached, as the others do not lead back`;
}

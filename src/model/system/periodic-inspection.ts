import { HoldfastError } from '../../core/errors.ts';
import { chainOfEdges, pointMass } from '../chain/chain.ts';
import { steadyState } from '../chain/steady-state.ts';
import { transient } from '../chain/transient.ts';
import { failureRates } from '../chain/up-down.ts';
import { dot, sumOf } from '../chain/vectors.ts';
import { exploreStates, type Explored } from './explore.ts';
import { planOf, type SystemPlan } from './plan.ts';
import { ratesOfPlan } from './stages.ts';
import type { SystemDescription } from './system.ts';

/** A system in the long run whose hidden failures are looked for on schedule. */
export interface InspectedSystem {
  /** Means over the time between two inspections. */
  readonly availability: number;
  readonly unavailability: number;
  /** Just before an inspection: the worst moment, where failures only accumulate. */
  readonly unavailabilityBefore: number;
  readonly failureFrequency: number;
  readonly interval: number;
  readonly states: number;
}

/** Every state is followed over an interval. */
const STATES_MAX = 400;

/**
 * The exact counterpart of `systemChain` for inspections on schedule: all inspected groups together, every `interval`. Between inspections
 * the system is a Markov chain, at them it jumps; what it is in just after them is a chain of its own, whose steady state is found by GTH
 * (multi-phase Markov: Rausand, Høyland: System Reliability Theory, 2nd ed., 2004, 10.4; Bukowski: "Modeling and analyzing the effects of
 * periodic inspection on the performance of safety-critical systems", IEEE Trans. Reliability 50, 2001).
 *
 * @throws MODEL_SYSTEM_INVALID, MODEL_NOT_MARKOV (also for unlike intervals), MODEL_STATES_TOO_MANY (more than 400)
 * @throws MODEL_CHAIN_REDUCIBLE where there is no long run
 */
export function inspectedSystem(description: SystemDescription): InspectedSystem {
  const plan = planOf(description);
  const interval = intervalOf(plan);
  const explored = exploreStates(plan, { ...ratesOfPlan(plan), inspection: plan.groups.map(() => 0) }, STATES_MAX, true);
  const { chain, up } = explored;
  const { after, between, before } = overInterval(explored, interval);
  const start = stationaryOf(after, explored);
  const mean = (rows: readonly Float64Array[], is: (state: number) => boolean): number =>
    sumOf([...start].map((p, from) => (p === 0 ? 0 : p * sumOf(rows[from]!.filter((_, state) => is(state))))));
  const rates = failureRates(chain, (state) => up[state] === 1);
  const frequency = sumOf([...start].map((p, from) => p * dot(between[from]!, rates))) / interval;
  return {
    availability: mean(between, (state) => up[state] === 1) / interval,
    unavailability: mean(between, (state) => up[state] === 0) / interval,
    unavailabilityBefore: mean(before, (state) => up[state] === 0),
    failureFrequency: frequency,
    interval,
    states: chain.size,
  };
}

function intervalOf({ groups }: SystemPlan): number {
  const intervals = [...new Set(groups.flatMap(({ inspection }) => (inspection === undefined ? [] : [inspection.interval])))];
  const [only] = intervals;
  if (only !== undefined && intervals.length === 1) return only;
  const found = only === undefined ? 'nothing is inspected' : `there are intervals of ${intervals.join(', ')}`;
  throw new HoldfastError('MODEL_NOT_MARKOV', `inspections on schedule are solved for one interval that all share, but ${found}`, {
    hint: 'Simulate this system, or take inspections at random with the same mean delay: systemChain.',
  });
}

/** From each state just after an inspection: where the interval ends, before and after the next inspection, and the time spent in between. */
function overInterval({ chain, inspected }: Explored, interval: number): Record<'after' | 'between' | 'before', Float64Array[]> {
  const [after, between, before]: [Float64Array[], Float64Array[], Float64Array[]] = [[], [], []];
  for (let from = 0; from < chain.size; from++) {
    const { probabilities, occupancy } = transient(chain, pointMass(chain.size, from), [interval], { occupancy: true }).points[0]!;
    const jumped = new Float64Array(chain.size);
    probabilities.forEach((p, state) => (jumped[inspected[state]!]! += p));
    before.push(probabilities);
    between.push(occupancy!);
    after.push(jumped);
  }
  return { after, between, before };
}

/** Steady state just after inspections, over the states that are met there when everything was new once. */
function stationaryOf(after: readonly Float64Array[], { chain }: Explored): Float64Array {
  const met = new Set([0]);
  for (const from of met) after[from]!.forEach((p, to) => p > 0 && met.add(to));
  const states = [...met];
  const place = new Map(states.map((state, at) => [state, at]));
  const edges = states.flatMap((from) =>
    states.filter((to) => to !== from && after[from]![to]! > 0).map((to) => ({ from, to, rate: after[from]![to]! })),
  );
  const embedded = chainOfEdges(
    states.length,
    edges.map(({ from }) => place.get(from)!),
    edges.map(({ to }) => place.get(to)!),
    edges.map(({ rate }) => rate),
    (at) => chain.nameOf(states[at]!),
  );
  const start = new Float64Array(chain.size);
  steadyState(embedded).probabilities.forEach((p, at) => (start[states[at]!] = p));
  return start;
}

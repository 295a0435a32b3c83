import { HoldfastError } from '../../core/errors.ts';
import { assertPositive, assertWhole } from '../special/domain.ts';

/** What arrives, waits for one of several alike servers, and is served in any order that does not look at how long that takes. */
export interface Queue {
  /** Per unit of time; where there is a `population`, of each of its members while it is not here: the failure rate of a machine. */
  readonly arrivalRate: number;
  /** Of each server: 1 / mean time. */
  readonly serviceRate: number;
  readonly servers: number;
  /** How many may be here, served and waiting; more are turned away. Default: any number. */
  readonly capacity?: number;
  /** How many there are in all, here and elsewhere. Default: any number. */
  readonly population?: number;
}

export interface QueueMeasures {
  /** That so many are here, from 0 on; of an unlimited queue up to the number of servers. */
  readonly probabilities: readonly number[];
  /** Means of how many are here, and of how many of them wait. */
  readonly inSystem: number;
  readonly waiting: number;
  /** Mean times of those who were let in, until they leave and until they are served. */
  readonly timeInSystem: number;
  readonly timeWaiting: number;
  /** That who is let in has to wait: Erlang's C where nothing is limited. */
  readonly waits: number;
  /** That who comes is turned away: Erlang's B where the capacity is the number of servers. */
  readonly lost: number;
  /** Of those let in, per unit of time. */
  readonly throughput: number;
  /** Share of the servers at work. */
  readonly utilization: number;
}

/** States that are added up one by one. */
const statesMax = 1_000_000;

/**
 * The long run of M/M/c, M/M/c/K and M/M/c/K/N (Kendall's notation: exponential times, c servers, capacity K, population N), as the birth and death
 * process that it is: p(n+1)/p(n) = λ(n)/μ(n+1). Source: Gross, Shortle, Thompson, Harris: Fundamentals of Queueing Theory, 4th ed., 2.3 to 2.7.
 *
 * @throws MODEL_DOMAIN; and where nothing is limited and more comes than the servers can serve
 */
export function queueMeasures({ arrivalRate, serviceRate, servers, capacity = Infinity, population = Infinity }: Queue): QueueMeasures {
  assertPositive('arrivalRate', arrivalRate);
  assertPositive('serviceRate', serviceRate);
  assertWhole('servers', servers, 1, statesMax);
  if (capacity !== Infinity) assertWhole('capacity', capacity, servers, statesMax);
  if (population !== Infinity) assertWhole('population', population, 1, statesMax);
  const most = Math.min(capacity, population);
  const load = arrivalRate / (servers * serviceRate);
  if (most === Infinity && load >= 1) throw overloaded(load);
  const last = most === Infinity ? servers : most;
  const arrivals = (n: number) => (population === Infinity ? arrivalRate : (population - n) * arrivalRate);
  const weights = weightsOf(last, (n) => arrivals(n) / (Math.min(n + 1, servers) * serviceRate));
  // Beyond the servers an unlimited queue is geometric: Σ ρ^j = 1/(1−ρ), Σ jρ^j = ρ/(1−ρ)².
  const tail =
    most === Infinity
      ? { mass: (weights[last]! * load) / (1 - load), waiting: (weights[last]! * load) / (1 - load) ** 2 }
      : { mass: 0, waiting: 0 };
  const total = weights.reduceRight((sum, weight) => sum + weight, tail.mass);
  const over = (value: (n: number) => number) => weights.reduceRight((sum, weight, n) => sum + weight * value(n), 0) / total;
  const here = tail.mass / total;
  const entering = over((n) => (n < most ? arrivals(n) : 0)) + here * arrivalRate;
  const turnedAway = over((n) => (n < most ? 0 : arrivals(n)));
  const waiting = over((n) => Math.max(0, n - servers)) + tail.waiting / total;
  const inSystem = waiting + over((n) => Math.min(n, servers)) + here * servers;
  return {
    probabilities: weights.map((weight) => weight / total),
    inSystem,
    waiting,
    timeInSystem: inSystem / entering,
    timeWaiting: waiting / entering,
    waits: (over((n) => (n >= servers && n < most ? arrivals(n) : 0)) + here * arrivalRate) / entering,
    lost: turnedAway / (entering + turnedAway),
    throughput: entering,
    utilization: (inSystem - waiting) / servers,
  };
}

function overloaded(load: number): HoldfastError {
  return new HoldfastError(
    'MODEL_DOMAIN',
    `a queue without limit never comes to rest with ${load} times the work that its servers can do`,
    {
      hint: 'Give it a capacity or a population, or more servers.',
    },
  );
}

/** Up to a common factor. What would grow beyond all numbers is scaled down, all of it. */
function weightsOf(last: number, ratio: (n: number) => number): number[] {
  const weights = [1];
  for (let n = 0; n < last; n++) {
    weights.push(weights[n]! * ratio(n));
    if (weights[n + 1]! > 1e200) for (let below = 0; below <= n + 1; below++) weights[below]! *= 1e-200;
  }
  return weights;
}

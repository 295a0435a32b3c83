import type { BasicEvent } from './event.ts';
import { failureFrequency } from './failures.ts';
import { evaluate, type SolvedStructure } from './solve.ts';
import type { Structure } from './structure.ts';

/** What happens to a system in a period that begins with everything new. In the structure's unit of time. */
export interface Period {
  readonly from: number;
  readonly to: number;
}

/** Relative error at which a stretch is not divided further. */
const RELATIVE_ERROR = 1e-11;
/** Times at which a system is looked at, at most. */
const TIMES_MAX = 100_000;

/**
 * Mean unavailability over a period, the average probability of failure on demand of functional safety where parts are tested: of the system itself,
 * not of the means of its parts, which for redundant tested parts gives too little (1-out-of-2: (λτ)²/4 instead of (λτ)²/3).
 * Integrated between the moments at which tests begin and end, where it jumps.
 * Source: IEC 61508-6:2010, annex B; Rausand, Høyland: System Reliability Theory, 2nd ed. (2004), ch. 10.
 */
export function meanUnavailability(structure: Structure, solved: SolvedStructure, period: Period): number {
  return integral((time) => evaluate(solved, time).top.q, structure, period) / (period.to - period.from);
}

/**
 * Expected failures of the system in a period: ∫ w(t) dt. That parts are taken out of service for a test is none.
 * @throws MODEL_NO_FREQUENCY
 */
export function expectedFailures(structure: Structure, solved: SolvedStructure, period: Period): number {
  return integral((time) => failureFrequency(solved, time).frequency, structure, period);
}

function integral(f: (time: number) => number, structure: Structure, { from, to }: Period): number {
  if (!(from >= 0 && to > from && to < Infinity))
    throw new RangeError(`a period is from 0 or later to after that, not from ${from} to ${to}`);
  const places = [from, ...jumps(structure, from, to), to];
  const times = { left: TIMES_MAX };
  let sum = 0;
  for (let place = 1; place < places.length; place++) sum += adaptive(f, places[place - 1]!, places[place]!, times);
  return sum;
}

/** Jumps that are looked for; of a longer period the rest is smoothed over. */
const JUMPS_MAX = 10_000;

/** When tests begin and end, sorted; and when delayed lives begin. */
function jumps({ events }: Structure, from: number, to: number): number[] {
  const times = new Set<number>();
  const add = (time: number): void => {
    if (time > from && time < to && times.size < JUMPS_MAX) times.add(time);
  };
  for (const event of Object.values(events)) for (const time of jumpsOf(event, from, to)) add(time);
  return [...times].toSorted((a, b) => a - b);
}

function* jumpsOf(event: BasicEvent, from: number, to: number): Generator<number> {
  if (event.kind === 'weibull') yield event.delay ?? 0;
  if (event.kind !== 'tested') return;
  const { interval, testTime = 0, first = interval } = event;
  const begin = Math.max(0, Math.floor((from - first) / interval));
  for (let test = begin; test < begin + JUMPS_MAX && first + test * interval < to; test++) {
    yield first + test * interval;
    yield first + test * interval + testTime;
  }
}

/**
 * Gauss–Legendre with five points, on both halves where these tell otherwise than the whole. The points lie inside, so that what holds at the very
 * moment of a test does not count.
 * Source of the nodes: Abramowitz, Stegun, table 25.4.
 */
function adaptive(f: (time: number) => number, from: number, to: number, times: { left: number }): number {
  let sum = 0;
  const open = [{ from, to, whole: fivePoints(f, from, to) }];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const middle = (next.from + next.to) / 2;
    const halves = [fivePoints(f, next.from, middle), fivePoints(f, middle, next.to)] as const;
    times.left -= 10;
    if (Math.abs(halves[0] + halves[1] - next.whole) <= RELATIVE_ERROR * Math.abs(next.whole) || times.left <= 0)
      sum += halves[0] + halves[1];
    else open.push({ from: next.from, to: middle, whole: halves[0] }, { from: middle, to: next.to, whole: halves[1] });
  }
  return sum;
}

const nodes = [
  [0, 0.5688888888888889],
  [0.5384693101056831, 0.47862867049936647],
  [0.906179845938664, 0.23692688505618908],
] as const;

function fivePoints(f: (time: number) => number, from: number, to: number): number {
  const middle = (from + to) / 2;
  const half = (to - from) / 2;
  return half * nodes.reduce((sum, [x, weight]) => sum + weight * (x === 0 ? f(middle) : f(middle - half * x) + f(middle + half * x)), 0);
}

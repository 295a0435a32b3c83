import { hazard, type Probability } from './probability.ts';

/**
 * A part whose failure shows only when it is tested: a standby pump, a backup that nobody restores.
 *
 * It fails at `rate` and stays failed until the next test. Tests begin at `first`, `first + interval`, …; a test takes the part out of service for
 * `testTime`. What it finds failed is repaired from the test's end on, for an exponentially distributed time of mean `repairTime`; a part that is
 * still under repair is not tested.
 * Source: the built-in `periodic-test` of the Open-PSA Model Exchange Format 2.0d (θ, τ, π, μ, λ of its parameters; full coverage, tests do no harm).
 */
export interface PeriodicTest {
  /** λ: failures per unit of time. */
  readonly rate: number;
  /** τ: from the beginning of a test to that of the next. */
  readonly interval: number;
  /** π: how long a test takes; less than `interval`. 0 by default. */
  readonly testTime?: number;
  /** 1/μ: mean time of a repair. 0 by default. */
  readonly repairTime?: number;
  /** θ: when the first test begins; `interval` by default. Tests of redundant parts are staggered by it. Without influence on the long-run mean. */
  readonly first?: number;
}

/** Tests that are followed one by one; the part's state at a test has settled long before. */
const TESTS_MAX = 100_000;

/** Where the part is; the three sum to 1. */
interface Spread {
  readonly works: number;
  readonly failed: number;
  readonly inRepair: number;
}

const fresh: Spread = { works: 1, failed: 0, inRepair: 0 };

/**
 * Mean unavailability over the test intervals, in the long run; exact for the model above.
 *
 * With neither test nor repair time it is Q = 1 − (1 − e^(−λτ))/(λτ), whose usual approximation is `testedRoughly`.
 * Source: Rausand, Høyland: System Reliability Theory, 2nd ed. (2004), eq. 10.8; with them, the mean over one interval from the stationary state at tests.
 */
export function testedOnAverage(part: PeriodicTest): Probability {
  const { rate, interval, testTime = 0, repairTime = 0 } = part;
  const atTest = settled(
    nextTest(part, fresh),
    nextTest(part, { works: 0, failed: 1, inRepair: 0 }),
    nextTest(part, { works: 0, failed: 0, inRepair: 1 }),
  );
  const rest = interval - testTime;
  const survives = Math.exp(-rate * testTime);
  const up = (repairing: number): number => timeRepaired(rate, repairTime, repairing);
  // ∫ e^(−λu) du and ∫ (1 − e^(−λu)) du over the interval without its test.
  const upWorking = survives * rest * meanExponential(rate * rest);
  const downWorking = rest * (1 - survives + survives * meanFailed(rate * rest));
  const down =
    atTest.works * (testTime + downWorking) + atTest.failed * (testTime + rest - up(rest)) + atTest.inRepair * (interval - up(interval));
  return { q: down / interval, a: (atTest.works * upWorking + atTest.failed * up(rest) + atTest.inRepair * up(interval)) / interval };
}

/** Unavailability at a time, the part being new at 0. At the very moment of a test: as it finds the part. */
export function testedAt(part: PeriodicTest, time: number): Probability {
  const { rate, interval, testTime = 0, repairTime = 0, first = interval } = part;
  if (time <= first) return hazard(rate * time);
  const tests = Math.ceil((time - first) / interval) - 1;
  let state = afterWork(rate, first);
  for (let test = 0; test < Math.min(tests, TESTS_MAX); test++) {
    const next = nextTest(part, state);
    if (next.works === state.works && next.failed === state.failed) break;
    state = next;
  }
  const since = time - first - tests * interval;
  const working = since > testTime ? afterWork(rate, since) : { works: 0, failed: 1, inRepair: 0 };
  const found = since > testTime ? afterRepair(rate, repairTime, since - testTime) : { works: 0, failed: 1, inRepair: 0 };
  const under = afterRepair(rate, repairTime, since);
  return {
    q: state.works * unavailable(working) + state.failed * unavailable(found) + state.inRepair * unavailable(under),
    a: state.works * working.works + state.failed * found.works + state.inRepair * under.works,
  };
}

/**
 * The usual approximation Q ≈ λτ/2 + π/τ + λ/μ, for λτ much less than 1; without test and repair time it is too great by about (λτ)²/6.
 * Source: NUREG-0492 (1981), ch. XI; IEC 61508-6:2010, annex B, for one channel.
 */
export function testedRoughly(part: PeriodicTest): number {
  const { rate, interval, testTime = 0, repairTime = 0 } = part;
  return (rate * interval) / 2 + testTime / interval + rate * repairTime;
}

function unavailable({ failed, inRepair }: Spread): number {
  return failed + inRepair;
}

/** From what one test finds to what the next finds. */
function nextTest({ rate, interval, testTime = 0, repairTime = 0 }: PeriodicTest, state: Spread): Spread {
  const working = afterWork(rate, interval);
  const found = afterRepair(rate, repairTime, interval - testTime);
  const under = afterRepair(rate, repairTime, interval);
  const sum = (key: keyof Spread): number => state.works * working[key] + state.failed * found[key] + state.inRepair * under[key];
  return { works: sum('works'), failed: sum('failed'), inRepair: sum('inRepair') };
}

function afterWork(rate: number, time: number): Spread {
  const { q, a } = hazard(rate * time);
  return { works: a, failed: q, inRepair: 0 };
}

/** Of a part whose repair began `time` ago: repaired (and perhaps failed again), or not. */
function afterRepair(rate: number, repairTime: number, time: number): Spread {
  if (repairTime === 0) return afterWork(rate, time);
  const mu = 1 / repairTime;
  const { q: done, a: inRepair } = hazard(mu * time);
  // μ (e^(−λt) − e^(−μt)) / (μ − λ), for λ = μ too.
  const works = mu * time * Math.exp(-Math.min(mu, rate) * time) * meanExponential(Math.abs(mu - rate) * time);
  return { works, failed: Math.max(0, done - works), inRepair };
}

/** Expected time in which such a part works, of the first `time`. */
function timeRepaired(rate: number, repairTime: number, time: number): number {
  if (repairTime === 0) return time * meanExponential(rate * time);
  const mu = 1 / repairTime;
  // While λ is near μ the two terms below cancel; dF/dt = λ·A tells the same.
  if (Math.abs(mu - rate) * time < 0.1) return afterRepair(rate, repairTime, time).failed / rate;
  return (mu / (mu - rate)) * time * (meanExponential(rate * time) - meanExponential(mu * time));
}

/** (1 − e^(−x))/x: the mean of e^(−u) over 0 … x. */
function meanExponential(x: number): number {
  return x === 0 ? 1 : -Math.expm1(-x) / x;
}

/** 1 − (1 − e^(−x))/x, which is x/2 − x²/6 + x³/24 − … for small x. */
function meanFailed(x: number): number {
  if (x > 0.5) return 1 - meanExponential(x);
  let term = x / 2;
  let sum = term;
  for (let n = 3; Math.abs(term) > sum * Number.EPSILON; n++) {
    term *= -x / n;
    sum += term;
  }
  return sum;
}

/**
 * The stationary distribution of a chain of three states by its rows, without subtraction.
 * Source: Grassmann, Taksar, Heyman: Regenerative analysis and steady state distributions for Markov chains, Operations Research 33 (1985).
 */
function settled(fromWorks: Spread, fromFailed: Spread, fromRepair: Spread): Spread {
  const leaves = fromRepair.works + fromRepair.failed;
  const toFailed = fromWorks.failed + (fromWorks.inRepair * fromRepair.failed) / leaves;
  const toWorks = fromFailed.works + (fromFailed.inRepair * fromRepair.works) / leaves;
  const failed = toFailed / toWorks;
  const inRepair = (fromWorks.inRepair + failed * fromFailed.inRepair) / leaves;
  const total = 1 + failed + inRepair;
  return { works: 1 / total, failed: failed / total, inRepair: inRepair / total };
}

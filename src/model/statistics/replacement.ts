import { HoldfastError } from '../../core/errors.ts';
import { assertPositive } from '../special/domain.ts';
import { logGamma } from '../special/gamma.ts';
import { gammaP } from '../special/incomplete-gamma.ts';
import { solveIncreasing } from '../special/solve.ts';

/** A Weibull life: R(t) = exp(−(t/scale)^shape). */
export interface WeibullLife {
  readonly shape: number;
  readonly scale: number;
}

/** What a replacement costs before a failure, and because of one. */
export interface ReplacementCosts {
  readonly planned: number;
  readonly failure: number;
}

export interface ReplacementPolicy {
  /** Replace at this age (or every so often); infinite: only after a failure. */
  readonly interval: number;
  /** Expected cost per unit of time in the long run. */
  readonly costRate: number;
  /** The same when nothing is replaced before it fails. */
  readonly costRateUntilFailure: number;
}

/** Mean life: scale · Γ(1 + 1/shape). */
export function weibullMean({ shape, scale }: WeibullLife): number {
  return scale * Math.exp(logGamma(1 + 1 / shape));
}

/**
 * Cost rate when replaced at age t or after a failure, whichever is first: (c_f F(t) + c_p R(t)) / ∫₀ᵗ R
 * (Barlow and Proschan, Mathematical Theory of Reliability, 1965, chapter 4.2.1).
 */
export function ageCostRate(age: number, life: WeibullLife, { planned, failure }: ReplacementCosts): number {
  if (age === Infinity) return failure / weibullMean(life);
  const failed = -Math.expm1(-((age / life.scale) ** life.shape));
  return (failure * failed + planned * (1 - failed)) / restrictedMean(age, life);
}

/**
 * The age at which to replace so that the cost rate is least: where h(t)·∫₀ᵗR − F(t) = c_p / (c_f − c_p) (Barlow and Proschan). Worth it only
 * when a failure costs more than a planned replacement and things wear out (shape above 1).
 */
export function bestAge(life: WeibullLife, costs: ReplacementCosts): ReplacementPolicy {
  check(life, costs);
  const untilFailure = ageCostRate(Infinity, life, costs);
  const { shape, scale } = life;
  if (shape <= 1 || costs.failure <= costs.planned)
    return { interval: Infinity, costRate: untilFailure, costRateUntilFailure: untilFailure };
  const target = costs.planned / (costs.failure - costs.planned);
  const f = (logAge: number) => {
    const age = Math.exp(logAge);
    const hazard = (shape / scale) * (age / scale) ** (shape - 1);
    const mean = restrictedMean(age, life);
    // The derivative of h·∫R − F is h'·∫R.
    return { value: hazard * mean + Math.expm1(-((age / scale) ** shape)) - target, slope: (shape - 1) * hazard * mean };
  };
  const middle = Math.log(scale);
  const interval = Math.exp(solveIncreasing(f, middle - 200, middle + 200 / (shape - 1), middle));
  return { interval, costRate: ageCostRate(interval, life, costs), costRateUntilFailure: untilFailure };
}

/**
 * Replace every so often, and mend failures between without making anything younger (minimal repair; Barlow and Hunter 1960):
 * cost rate (c_p + c_r (t/scale)^shape) / t, least at scale · (c_p / (c_r (shape − 1)))^(1/shape). Here `failure` is the cost of one repair.
 */
export function bestPeriodWithRepairs(life: WeibullLife, costs: ReplacementCosts): Omit<ReplacementPolicy, 'costRateUntilFailure'> {
  check(life, costs);
  const { shape, scale } = life;
  if (shape <= 1)
    throw new HoldfastError('MODEL_DOMAIN', `with a shape of ${shape} things do not wear out: no replacement is worth its cost`);
  const interval = scale * (costs.planned / (costs.failure * (shape - 1))) ** (1 / shape);
  return { interval, costRate: (costs.planned + costs.failure * (interval / scale) ** shape) / interval };
}

/** Replace all every so often, and each failed one at its failure (block replacement): (c_p + c_f M(t)) / t, M the renewal function. */
export function blockCostRate(period: number, life: WeibullLife, { planned, failure }: ReplacementCosts): number {
  return (planned + failure * expectedRenewals(period, life)) / period;
}

/** The block period of the least cost rate, searched over a grid and then by golden section; infinite when none beats waiting for failures. */
export function bestBlock(life: WeibullLife, costs: ReplacementCosts): ReplacementPolicy {
  check(life, costs);
  const untilFailure = ageCostRate(Infinity, life, costs);
  const mean = weibullMean(life);
  const grid = Array.from({ length: 60 }, (_, index) => mean * 10 ** (-2 + index / 20));
  const rates = grid.map((period) => blockCostRate(period, life, costs));
  const best = rates.indexOf(Math.min(...rates));
  const interval = goldenSection(
    (period) => blockCostRate(period, life, costs),
    grid[Math.max(0, best - 1)]!,
    grid[Math.min(59, best + 1)]!,
  );
  const costRate = blockCostRate(interval, life, costs);
  // The rate goes to that of waiting as the period grows: a minimum in the last places is none.
  return costRate < untilFailure * (1 - 1e-9) && best < 59
    ? { interval, costRate, costRateUntilFailure: untilFailure }
    : { interval: Infinity, costRate: untilFailure, costRateUntilFailure: untilFailure };
}

/** Steps of the integral equation; its error is of the second order in their length. */
const renewalSteps = 400;

/** M(t), the expected number of renewals in t: M = F + ∫M(t−x)dF(x), by the Riemann–Stieltjes method of Xie (1989). */
export function expectedRenewals(time: number, { shape, scale }: WeibullLife): number {
  const step = time / renewalSteps;
  const cumulative = (t: number) => -Math.expm1(-((t / scale) ** shape));
  const atMiddles = Float64Array.from({ length: renewalSteps + 1 }, (_, index) => (index === 0 ? 0 : cumulative((index - 0.5) * step)));
  const renewals = new Float64Array(renewalSteps + 1);
  for (let i = 1; i <= renewalSteps; i++) {
    let sum = cumulative(i * step) - atMiddles[1]! * renewals[i - 1]!;
    for (let j = 1; j < i; j++) sum += atMiddles[i - j + 1]! * (renewals[j]! - renewals[j - 1]!);
    renewals[i] = sum / (1 - atMiddles[1]!);
  }
  return renewals[renewalSteps]!;
}

/** ∫₀ᵗ R: the mean life up to an age. scale · Γ(1 + 1/shape) · P(1/shape, (t/scale)^shape). */
function restrictedMean(age: number, life: WeibullLife): number {
  return weibullMean(life) * gammaP(1 / life.shape, (age / life.scale) ** life.shape);
}

function check({ shape, scale }: WeibullLife, { planned, failure }: ReplacementCosts): void {
  assertPositive('the shape of a Weibull life', shape);
  assertPositive('the scale of a Weibull life', scale);
  assertPositive('the cost of a planned replacement', planned);
  assertPositive('the cost of a failure', failure);
}

/** Halvings of the bracket of a minimum. */
const sectionsMax = 60;

function goldenSection(f: (x: number) => number, low: number, high: number): number {
  const ratio = (Math.sqrt(5) - 1) / 2;
  let [a, b] = [low, high];
  for (let count = 0; count < sectionsMax && b - a > 1e-9 * b; count++) {
    const left = b - ratio * (b - a);
    const right = a + ratio * (b - a);
    if (f(left) < f(right)) b = right;
    else a = left;
  }
  return (a + b) / 2;
}

import { HoldfastError } from '../../core/errors.ts';
import type { Random } from '../../core/random.ts';

/**
 * The distribution of a time of 0 or more, as data: it can be written down, compared and sent to a worker thread. Times are in the
 * caller's unit, rates per that unit.
 *
 * | kind | parameters |
 * |---|---|
 * | exponential | `rate` λ: mean 1/λ, no memory |
 * | weibull | `shape` β, `scale` η: F = 1 − e^(−(t/η)^β); below β = 1 it gets better with age, above worse (Weibull 1951; IEC 61649) |
 * | lognormal | `mu`, `sigma` of the logarithm: median e^μ, mean e^(μ + σ²/2) |
 * | gamma | `shape` k, `scale` θ: mean kθ; with whole k the sum of k exponential times (Erlang) |
 * | uniform | from `low` to `high` |
 * | triangular | from `least` to `most`, likeliest at `likeliest` |
 * | deterministic | always `value` |
 * | empirical | each of `values` equally likely |
 * | stages | one after the other: detection, travel, repair, test … |
 */
export type Distribution =
  | { readonly kind: 'exponential'; readonly rate: number }
  | { readonly kind: 'weibull'; readonly shape: number; readonly scale: number }
  | { readonly kind: 'lognormal'; readonly mu: number; readonly sigma: number }
  | { readonly kind: 'gamma'; readonly shape: number; readonly scale: number }
  | { readonly kind: 'uniform'; readonly low: number; readonly high: number }
  | { readonly kind: 'triangular'; readonly least: number; readonly likeliest: number; readonly most: number }
  | { readonly kind: 'deterministic'; readonly value: number }
  | { readonly kind: 'empirical'; readonly values: readonly number[] }
  | { readonly kind: 'stages'; readonly stages: readonly Distribution[] };

/** Exponential with this mean. */
export function exponential(mean: number): Distribution {
  return { kind: 'exponential', rate: 1 / mean };
}

/** Lognormal with this median and error factor (the 95th percentile is the median times it), as reliability handbooks state it. */
export function lognormalOf(median: number, errorFactor: number): Distribution {
  return { kind: 'lognormal', mu: Math.log(median), sigma: Math.log(errorFactor) / NORMAL_95 };
}

/** 95th percentile of the standard normal distribution. */
const NORMAL_95 = 1.644_853_626_951_472_2;

/**
 * Asserts that the parameters make a distribution of times.
 * @param what whose time it is, for the message
 * @throws MODEL_DISTRIBUTION_INVALID
 */
export function assertDistribution(distribution: Distribution, what = 'a time'): void {
  const positive = (name: string, value: number): void => {
    if (!(value > 0 && value < Infinity))
      throw invalid(what, `the ${name} of ${distribution.kind} must be a finite number above 0, but is ${value}`);
  };
  const time = (name: string, value: number): void => {
    if (!(value >= 0 && value < Infinity))
      throw invalid(what, `the ${name} of ${distribution.kind} must be a finite time of 0 or more, but is ${value}`);
  };
  switch (distribution.kind) {
    case 'exponential':
      return positive('rate', distribution.rate);
    case 'weibull':
    case 'gamma':
      positive('shape', distribution.shape);
      return positive('scale', distribution.scale);
    case 'lognormal':
      if (!Number.isFinite(distribution.mu)) throw invalid(what, `mu must be a finite number, but is ${distribution.mu}`);
      return positive('sigma', distribution.sigma);
    case 'uniform':
      time('lower end', distribution.low);
      time('upper end', distribution.high);
      if (!(distribution.low < distribution.high)) throw invalid(what, `the upper end must be above the lower one, ${distribution.low}`);
      return;
    case 'triangular': {
      const { least, likeliest, most } = distribution;
      time('least', least);
      time('greatest', most);
      if (!(least <= likeliest && likeliest <= most && least < most))
        throw invalid(what, `least, likeliest and most must be in order, not ${least}, ${likeliest}, ${most}`);
      return;
    }
    case 'deterministic':
      return time('value', distribution.value);
    case 'empirical':
      if (distribution.values.length === 0) throw invalid(what, 'an empirical distribution needs at least one value');
      return distribution.values.forEach((value) => time('value', value));
    case 'stages':
      if (distribution.stages.length === 0) throw invalid(what, 'there must be at least one stage');
      return distribution.stages.forEach((stage) => assertDistribution(stage, what));
  }
}

/**
 * One random time.
 * @param random uniform numbers; as many are drawn as the kind needs
 */
export function sample(distribution: Distribution, random: Random): number {
  switch (distribution.kind) {
    case 'exponential':
      return standardExponential(random) / distribution.rate;
    case 'weibull':
      return distribution.scale * standardExponential(random) ** (1 / distribution.shape);
    case 'lognormal':
      return Math.exp(distribution.mu + distribution.sigma * standardNormal(random));
    case 'gamma':
      return distribution.scale * standardGamma(distribution.shape, random);
    case 'uniform':
      return distribution.low + (distribution.high - distribution.low) * random.next();
    case 'triangular':
      return triangularQuantile(distribution, random.next());
    case 'deterministic':
      return distribution.value;
    case 'empirical':
      return distribution.values[Math.floor(random.next() * distribution.values.length)]!;
    case 'stages': {
      let sum = 0;
      for (const stage of distribution.stages) sum += sample(stage, random);
      return sum;
    }
  }
}

/** Mean 1. 1 − u is never 0, so the logarithm is finite. */
export function standardExponential(random: Random): number {
  return -Math.log(1 - random.next());
}

/** Mean 0, deviation 1, by the polar method (Marsaglia, Bray: SIAM Review 6, 1964), of which the second number is let go. */
export function standardNormal(random: Random): number {
  for (;;) {
    const x = 2 * random.next() - 1;
    const y = 2 * random.next() - 1;
    const square = x * x + y * y;
    if (square > 0 && square < 1) return x * Math.sqrt((-2 * Math.log(square)) / square);
  }
}

/** Scale 1 (Marsaglia, Tsang: "A simple method for generating gamma variables", ACM TOMS 26, 2000). */
export function standardGamma(shape: number, random: Random): number {
  if (shape < 1) return standardGamma(shape + 1, random) * (1 - random.next()) ** (1 / shape);
  const d = shape - 1 / 3;
  const c = 1 / Math.sqrt(9 * d);
  for (;;) {
    const x = standardNormal(random);
    const v = (1 + c * x) ** 3;
    if (v > 0 && Math.log(1 - random.next()) < (x * x) / 2 + d - d * v + d * Math.log(v)) return d * v;
  }
}

/** The time that a part `p` of all triangular times does not exceed. */
export function triangularQuantile({ least, likeliest, most }: Extract<Distribution, { kind: 'triangular' }>, p: number): number {
  const split = (likeliest - least) / (most - least);
  if (p <= split) return least + Math.sqrt(p * (most - least) * (likeliest - least));
  return most - Math.sqrt((1 - p) * (most - least) * (most - likeliest));
}

function invalid(what: string, message: string): HoldfastError {
  return new HoldfastError('MODEL_DISTRIBUTION_INVALID', `${what}: ${message}`, { hint: 'Correct the parameters of the distribution.' });
}

import { gamma } from '../special/gamma.ts';
import { gammaP, gammaQ, inverseGammaP } from '../special/incomplete-gamma.ts';
import { normalCdf, normalQuantile } from '../special/normal.ts';
import { triangularQuantile, type Distribution } from './distribution.ts';

/** E[T]. Formulas: Johnson, Kotz, Balakrishnan: Continuous Univariate Distributions, vol. 1, 1994. */
export function mean(distribution: Distribution): number {
  switch (distribution.kind) {
    case 'exponential':
      return 1 / distribution.rate;
    case 'weibull':
      return distribution.scale * gamma(1 + 1 / distribution.shape);
    case 'lognormal':
      return Math.exp(distribution.mu + distribution.sigma ** 2 / 2);
    case 'gamma':
      return distribution.shape * distribution.scale;
    case 'uniform':
      return (distribution.low + distribution.high) / 2;
    case 'triangular':
      return (distribution.least + distribution.likeliest + distribution.most) / 3;
    case 'deterministic':
      return distribution.value;
    case 'empirical':
      return distribution.values.reduce((sum, value) => sum + value, 0) / distribution.values.length;
    case 'stages':
      return distribution.stages.reduce((sum, stage) => sum + mean(stage), 0);
  }
}

/** E[(T − E[T])²]; of `empirical` that of the values themselves (divisor n). */
export function variance(distribution: Distribution): number {
  switch (distribution.kind) {
    case 'exponential':
      return 1 / distribution.rate ** 2;
    case 'weibull':
      return distribution.scale ** 2 * (gamma(1 + 2 / distribution.shape) - gamma(1 + 1 / distribution.shape) ** 2);
    case 'lognormal':
      return Math.expm1(distribution.sigma ** 2) * mean(distribution) ** 2;
    case 'gamma':
      return distribution.shape * distribution.scale ** 2;
    case 'uniform':
      return (distribution.high - distribution.low) ** 2 / 12;
    case 'triangular': {
      const { least, likeliest, most } = distribution;
      return ((most - least) ** 2 - (likeliest - least) * (most - likeliest)) / 18;
    }
    case 'deterministic':
      return 0;
    case 'empirical': {
      const middle = mean(distribution);
      return distribution.values.reduce((sum, value) => sum + (value - middle) ** 2, 0) / distribution.values.length;
    }
    case 'stages':
      return distribution.stages.reduce((sum, stage) => sum + variance(stage), 0);
  }
}

/** What has a closed form: all but sums of stages that are not alike. */
export type Closed = Exclude<Distribution, { kind: 'stages' }>;

/** F(t) = P(T ≤ t). */
export function cdf(distribution: Closed, time: number): number {
  if (time < 0) return 0;
  switch (distribution.kind) {
    case 'exponential':
      return -Math.expm1(-distribution.rate * time);
    case 'weibull':
      return -Math.expm1(-((time / distribution.scale) ** distribution.shape));
    case 'lognormal':
      return normalCdf((Math.log(time) - distribution.mu) / distribution.sigma);
    case 'gamma':
      return gammaP(distribution.shape, time / distribution.scale);
    case 'uniform':
      return Math.min(1, Math.max(0, (time - distribution.low) / (distribution.high - distribution.low)));
    case 'triangular':
      return triangularTails(distribution, time).below;
    case 'deterministic':
      return time >= distribution.value ? 1 : 0;
    case 'empirical':
      return distribution.values.filter((value) => value <= time).length / distribution.values.length;
  }
}

/** 1 − F(t), with its own digits. */
export function survival(distribution: Closed, time: number): number {
  if (time < 0) return 1;
  switch (distribution.kind) {
    case 'exponential':
      return Math.exp(-distribution.rate * time);
    case 'weibull':
      return Math.exp(-((time / distribution.scale) ** distribution.shape));
    case 'lognormal':
      return normalCdf((distribution.mu - Math.log(time)) / distribution.sigma);
    case 'gamma':
      return gammaQ(distribution.shape, time / distribution.scale);
    case 'uniform':
      return Math.min(1, Math.max(0, (distribution.high - time) / (distribution.high - distribution.low)));
    case 'triangular':
      return triangularTails(distribution, time).above;
    case 'deterministic':
      return time >= distribution.value ? 0 : 1;
    case 'empirical':
      return distribution.values.filter((value) => value > time).length / distribution.values.length;
  }
}

/** The least time t with F(t) ≥ p, for p from 0 to 1. */
export function quantile(distribution: Closed, p: number): number {
  if (!(p >= 0 && p <= 1)) throw new RangeError(`a probability must be from 0 to 1, but is ${p}`);
  switch (distribution.kind) {
    case 'exponential':
      return p === 0 ? 0 : -Math.log1p(-p) / distribution.rate;
    case 'weibull':
      return p === 0 ? 0 : distribution.scale * (-Math.log1p(-p)) ** (1 / distribution.shape);
    case 'lognormal':
      if (p === 0 || p === 1) return p === 0 ? 0 : Infinity;
      return Math.exp(distribution.mu + distribution.sigma * normalQuantile(p));
    case 'gamma':
      if (p === 0 || p === 1) return p === 0 ? 0 : Infinity;
      return distribution.scale * inverseGammaP(distribution.shape, p);
    case 'uniform':
      return distribution.low + p * (distribution.high - distribution.low);
    case 'triangular':
      return triangularQuantile(distribution, p);
    case 'deterministic':
      return distribution.value;
    case 'empirical': {
      const sorted = distribution.values.toSorted((a, b) => a - b);
      return sorted[Math.max(0, Math.ceil(p * sorted.length) - 1)]!;
    }
  }
}

/** F(t) and 1 − F(t); the smaller one has its own digits. */
function triangularTails(distribution: Extract<Distribution, { kind: 'triangular' }>, time: number): { below: number; above: number } {
  const { least, likeliest, most } = distribution;
  if (time <= least) return { below: 0, above: 1 };
  if (time >= most) return { below: 1, above: 0 };
  if (time <= likeliest) {
    const below = (time - least) ** 2 / ((most - least) * (likeliest - least));
    return { below, above: 1 - below };
  }
  const above = (most - time) ** 2 / ((most - least) * (most - likeliest));
  return { below: 1 - above, above };
}

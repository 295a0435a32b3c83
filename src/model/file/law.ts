import { z } from 'zod';
import type { Closed } from '../distribution/moments.ts';
import { cdf, mean, quantile } from '../distribution/moments.ts';
import type { StepLaw } from '../recovery-time/total-time.ts';
import { normalQuantile } from '../special/normal.ts';
import { delay, duration, factor } from './quantities.ts';

/** Laws of a time, each under its own name. */
const laws = {
  fixed: delay().optional(),
  exponential: duration().optional().describe('its mean'),
  uniform: z.tuple([delay(), duration()]).optional().describe('from, to'),
  triangular: z.tuple([delay(), duration(), duration()]).optional().describe('least, likeliest, most'),
  weibull: z.strictObject({ shape: factor(), scale: duration() }).optional(),
  lognormal: z
    .strictObject({
      median: duration(),
      sigma: factor().optional().describe('standard deviation of the logarithm'),
      p95: duration().optional(),
    })
    .optional()
    .describe('median, and either sigma or the 95th percentile'),
  empirical: z.array(delay()).min(1).max(100_000).optional().describe('times that were measured, each as likely'),
} as const;

const names = Object.keys(laws);

/** Either a plain duration, or a mapping with one law. */
export const lawSchema = z.union([
  delay(),
  z.strictObject(laws).superRefine((law, context) => {
    const given = Object.keys(law).filter((key) => law[key as keyof typeof law] !== undefined);
    if (given.length !== 1) {
      context.addIssue({
        code: 'custom',
        message: `must name one law: ${names.join(', ')}${given.length > 1 ? `; it names ${given.join(' and ')}` : ''}`,
      });
      return;
    }
    const { uniform, triangular, lognormal } = law;
    if (uniform && !(uniform[0] < uniform[1]))
      context.addIssue({ code: 'custom', path: ['uniform'], message: 'must be two times, the first below the second' });
    if (triangular && !(triangular[0] <= triangular[1] && triangular[1] <= triangular[2] && triangular[0] < triangular[2])) {
      context.addIssue({ code: 'custom', path: ['triangular'], message: 'must be three times in order: least, likeliest, most' });
    }
    if (lognormal && (lognormal.sigma === undefined) === (lognormal.p95 === undefined)) {
      context.addIssue({ code: 'custom', path: ['lognormal'], message: 'must have a median and either sigma or p95' });
    }
    if (lognormal?.p95 !== undefined && lognormal.p95 <= lognormal.median) {
      context.addIssue({ code: 'custom', path: ['lognormal', 'p95'], message: 'must be above the median' });
    }
  }),
]);

/** A time as a file gives it, in hours: a plain one, or a law with its parameters. */
export type LawInput = z.output<typeof lawSchema>;

/** z of the 95th percentile of the normal distribution. */
const z95 = normalQuantile(0.95);

/** A law as the solvers take it. A plain duration is the mean of an exponential time, or the time itself. */
export function distributionOf(law: LawInput, plain: 'exponential' | 'deterministic'): Closed {
  if (typeof law === 'number')
    return plain === 'exponential' ? { kind: 'exponential', rate: 1 / law } : { kind: 'deterministic', value: law };
  const { fixed, exponential: average, uniform, triangular, weibull, lognormal, empirical } = law;
  if (fixed !== undefined) return { kind: 'deterministic', value: fixed };
  if (average !== undefined) return { kind: 'exponential', rate: 1 / average };
  if (uniform) return { kind: 'uniform', low: uniform[0], high: uniform[1] };
  if (triangular) return { kind: 'triangular', least: triangular[0], likeliest: triangular[1], most: triangular[2] };
  if (weibull) return { kind: 'weibull', ...weibull };
  if (lognormal)
    return {
      kind: 'lognormal',
      mu: Math.log(lognormal.median),
      sigma: lognormal.sigma ?? Math.log(lognormal.p95! / lognormal.median) / z95,
    };
  return { kind: 'empirical', values: empirical! };
}

/** Mean of a law, in hours. */
export function meanOf(law: LawInput): number {
  return mean(distributionOf(law, 'deterministic'));
}

/** Whether its logarithm of survival is a straight line, so that Markov chains can have it as it is. */
export function isExponential(law: LawInput): boolean {
  return typeof law === 'number' || law.exponential !== undefined;
}

/** A step of a recovery that follows a law, `scale` times as long. */
export function stepLawOf(law: LawInput, scale = 1): StepLaw {
  const distribution = distributionOf(law, 'deterministic');
  return {
    mean: mean(distribution) * scale,
    cdf: (time) => cdf(distribution, time / scale),
    quantile: (p) => quantile(distribution, p) * scale,
  };
}

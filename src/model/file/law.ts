import { z } from 'zod';
import { sumOf } from '../special/logarithms.ts';
import { normalQuantile } from '../special/normal.ts';
import { weibullMean } from '../statistics/replacement.ts';
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

/** Mean of a law, in hours. */
export function meanOf(law: LawInput): number {
  if (typeof law === 'number') return law;
  const { fixed, exponential, uniform, triangular, weibull, lognormal, empirical } = law;
  if (fixed !== undefined) return fixed;
  if (exponential !== undefined) return exponential;
  if (uniform) return (uniform[0] + uniform[1]) / 2;
  if (triangular) return (triangular[0] + triangular[1] + triangular[2]) / 3;
  if (weibull) return weibullMean(weibull);
  if (lognormal) return lognormal.median * Math.exp(sigmaOf(lognormal) ** 2 / 2);
  return sumOf(empirical!) / empirical!.length;
}

/** z of the 95th percentile of the normal distribution. */
const z95 = normalQuantile(0.95);

/** Standard deviation of the logarithm, given as such or by the 95th percentile. */
export function sigmaOf({
  median,
  sigma,
  p95,
}: {
  readonly median: number;
  readonly sigma?: number | undefined;
  readonly p95?: number | undefined;
}): number {
  return sigma ?? Math.log(p95! / median) / z95;
}

/** Whether its logarithm of survival is a straight line, so that Markov chains can have it as it is. */
export function isExponential(law: LawInput): boolean {
  return typeof law === 'number' || law.exponential !== undefined;
}

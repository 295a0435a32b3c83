import { HoldfastError } from '../../core/errors.ts';
import { assertPositive, assertProbability } from '../special/domain.ts';

const dayMs = 86_400_000;

/** The periods that downtime is told for. A year has 365 days and a month 30: say so wherever one of these numbers stands. */
export const periodsMs = { day: dayMs, week: 7 * dayMs, month30: 30 * dayMs, year365: 365 * dayMs } as const;

export type Downtime = Readonly<Record<keyof typeof periodsMs, number>>;

/**
 * '99.95%' or '0.9995' → the double nearest to 0.0005. The subtraction is done in the text: 1 − 0.9995 has only twelve digits.
 * @throws MODEL_DOMAIN
 */
export function unavailabilityOf(availability: string): number {
  const [, whole, digits = '', percent] = /^(\d{1,3})(?:\.(\d{1,40}))?(%?)$/.exec(availability.trim()) ?? [];
  const scaled = whole === undefined ? undefined : BigInt(whole + digits);
  const one = 10n ** BigInt(digits.length + (percent === '%' ? 2 : 0));
  if (scaled === undefined || scaled > one) {
    throw new HoldfastError(
      'MODEL_DOMAIN',
      `an availability is a percentage such as 99.95% or a fraction such as 0.9995, not '${availability.slice(0, 60)}'`,
    );
  }
  return Number(`${one - scaled}e-${one.toString().length - 1}`);
}

/** Milliseconds of downtime that an unavailability allows in each period, exact to the last digit of a double. */
export function downtimeOf(unavailability: number): Downtime {
  assertProbability('an unavailability', unavailability);
  const { day, week, month30, year365 } = periodsMs;
  return { day: unavailability * day, week: unavailability * week, month30: unavailability * month30, year365: unavailability * year365 };
}

/** The unavailability that a downtime in a period makes; both in the same unit. */
export function unavailabilityFrom(downtime: number, period: number): number {
  assertPositive('the period', period);
  assertProbability('downtime over period', downtime / period);
  return downtime / period;
}

/** "Number of nines" of an unavailability: −lg U. Three nines are 3, 99.95 % are 3.30. */
export function ninesOf(unavailability: number): number {
  assertProbability('an unavailability', unavailability);
  return -Math.log10(unavailability);
}

/** The unavailability of so many nines: 10⁻ⁿ. */
export function unavailabilityOfNines(nines: number): number {
  if (!(nines >= 0)) throw new HoldfastError('MODEL_DOMAIN', `a number of nines is at least 0, not ${nines}`);
  return 10 ** -nines;
}

/**
 * What the tables that circulate take for a year and a month, so that a number from one can be told from an error. They differ by up to 1.5 %,
 * and many also cut digits off instead of rounding them.
 */
export const circulatingPeriodsMs = {
  /** The year of the Julian calendar and its twelfth: 99.9 % are then 8.766 h and 43.83 min, often cut to 8.76 h and 43.8 min. */
  year36525: 365.25 * dayMs,
  month36525: (365.25 / 12) * dayMs,
  /** A year of 365.2425 days (Gregorian), as in calculators on the web: 99.9 % are 8 h 45 min 56.95 s. */
  year3652425: 365.2425 * dayMs,
  month3652425: (365.2425 / 12) * dayMs,
  /** A twelfth of 365 days: 99.9 % are 43.8 min, where 30 days have 43.2. */
  month365: (365 / 12) * dayMs,
} as const;

/** Which of the circulating periods, or of the exact ones, a published downtime fits, within `relative` of it. For judging a table. */
export function periodsThatFit(downtimeMs: number, unavailability: number, relative = 1e-3): string[] {
  const all = { ...periodsMs, ...circulatingPeriodsMs };
  return Object.entries(all).flatMap(([name, periodMs]) =>
    Math.abs(downtimeMs / (unavailability * periodMs) - 1) <= relative ? [name] : [],
  );
}

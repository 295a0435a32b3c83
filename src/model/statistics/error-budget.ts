import { assertConfidence, assertNonNegative, assertPositive } from '../special/domain.ts';

// Error budgets and burn rates as in Google's Site Reliability Workbook, chapter 5, "Alerting on SLOs".

const hourMs = 3_600_000;
const dayMs = 24 * hourMs;

/** An objective over a rolling period, say 99.9 % of 30 days. */
export interface Objective {
  /** What may fail: 1 − SLO, above 0 and below 1. */
  readonly budget: number;
  readonly periodMs: number;
}

/** One pair of windows: it fires while both burn faster than `burnRate`. */
export interface BurnAlert {
  readonly burnRate: number;
  readonly longMs: number;
  /** A twelfth of the long one, so that the alert ends soon after the errors do. */
  readonly shortMs: number;
  readonly severity: 'page' | 'ticket';
}

/** The workbook's table 5-8, for a period of 30 days: 2 % of the budget in 1 h, 5 % in 6 h, 10 % in 3 days. */
export const workbookAlerts: readonly BurnAlert[] = [
  { burnRate: 14.4, longMs: hourMs, shortMs: hourMs / 12, severity: 'page' },
  { burnRate: 6, longMs: 6 * hourMs, shortMs: hourMs / 2, severity: 'page' },
  { burnRate: 1, longMs: 3 * dayMs, shortMs: 6 * hourMs, severity: 'ticket' },
];

/** How many times faster than evenly a ratio of errors uses up the budget: 1 leaves nothing over exactly at the end of the period. */
export function burnRate(errorRatio: number, { budget }: Objective): number {
  assertNonNegative('an error ratio', errorRatio);
  assertConfidence('an error budget', budget);
  return errorRatio / budget;
}

/** When a full budget is used up at this burn rate: period / rate. At 14.4 a 30-day budget lasts 50 hours, not 2. */
export function exhaustionMs(rate: number, { periodMs }: Objective): number {
  assertNonNegative('a burn rate', rate);
  return periodMs / rate;
}

/** The share of the budget that is used up by burning at a rate for so long. */
export function budgetShare(rate: number, durationMs: number, { periodMs }: Objective): number {
  return (rate * durationMs) / periodMs;
}

/** The burn rate that uses up a share of the budget within so long: share × period / window. 2 % in 1 h of 30 days: 14.4. */
export function burnRateFor(share: number, windowMs: number, { periodMs }: Objective): number {
  assertPositive('the window', windowMs);
  return (share * periodMs) / windowMs;
}

/** The share of the budget that is left after so much failed (or was down) of so much: below 0 when it is overdrawn. */
export function budgetLeft(failed: number, total: number, { budget }: Objective): number {
  assertPositive('the total', total);
  assertConfidence('an error budget', budget);
  return 1 - failed / total / budget;
}

/** Until an alert notices errors that begin suddenly and stay: (budget / ratio) × window × rate. Infinite when they burn too slowly. */
export function detectionMs(errorRatio: number, { burnRate: rate, longMs }: BurnAlert, objective: Objective): number {
  const burning = burnRate(errorRatio, objective);
  return burning < rate ? Infinity : (longMs * rate) / burning;
}

/** Until an alert that fires on a total outage ends after it: the short window forgets it at the burn rate's share. */
export function resetMs(errorRatio: number, { burnRate: rate, shortMs }: BurnAlert, objective: Objective): number {
  const burning = burnRate(errorRatio, objective);
  return burning < rate ? 0 : shortMs * (1 - rate / burning);
}

/** Which alerts fire, given the ratio of errors over a window of any length that ends now. */
export function firing(
  errorRatioOver: (windowMs: number) => number,
  objective: Objective,
  alerts: readonly BurnAlert[] = workbookAlerts,
): BurnAlert[] {
  return alerts.filter(({ burnRate: rate, longMs, shortMs }) =>
    [longMs, shortMs].every((windowMs) => burnRate(errorRatioOver(windowMs), objective) > rate),
  );
}

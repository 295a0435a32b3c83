import { assertConfidence } from '../special/domain.ts';
import { HoldfastError } from '../../core/errors.ts';
import type { Incident } from './incidents.ts';
import type { Interval, Truncation } from './intervals.ts';
import { mtbfBounds, mttrBounds, unavailabilityBounds } from './intervals.ts';

/** A stretch of time without gaps. */
export interface Outage {
  readonly startMs: number;
  readonly endMs: number;
  /** Still lasts at the end of what was observed. */
  readonly open: boolean;
}

export interface ObserveOptions {
  /** What was watched: from, until (milliseconds since 1970). */
  readonly window: { readonly fromMs: number; readonly untilMs: number };
  /** Announced maintenance counts as time that was not watched at all. Default false: it is downtime. */
  readonly withoutPlanned?: boolean;
  /** What ended the window. Default 'time'. */
  readonly truncation?: Truncation;
  /** Law of repair times, for the bounds of their mean. Default 'exponential'. */
  readonly repair?: 'exponential' | 'lognormal';
  /** Default 0.9. */
  readonly confidence?: number;
}

/** What a list of incidents says. All times in milliseconds. Means and bounds are absent where there is nothing to take them from. */
export interface Observed {
  readonly watchedMs: number;
  readonly uptimeMs: number;
  readonly downtimeMs: number;
  readonly availability: number;
  /** downtime / watched, without the rounding of 1 − availability. */
  readonly unavailability: number;
  readonly failures: number;
  readonly outages: readonly Outage[];
  /** Mean uptime between failures: uptime / failures, so that availability = MTBF / (MTBF + MTTR). */
  readonly mtbfMs?: number;
  readonly mtbfBoundsMs?: Interval;
  /** Mean of the outages that have ended and began in the window. An open one counts in `downtimeMs` alone: its length is not known. */
  readonly mttrMs?: number;
  readonly mttrBoundsMs?: Interval;
  readonly unavailabilityBounds?: Interval;
  readonly confidence: number;
  /** What these numbers take for granted. */
  readonly assumptions: readonly string[];
}

/**
 * Availability, MTBF and MTTR of what was watched. Incidents that overlap or touch are one outage; what lies outside the window is cut off.
 * @throws MODEL_WINDOW
 */
export function observe(incidents: readonly Incident[], options: ObserveOptions): Observed {
  const { window, withoutPlanned = false, truncation = 'time', repair = 'exponential', confidence = 0.9 } = options;
  assertConfidence('the confidence', confidence);
  if (!(window.untilMs > window.fromMs)) throw new HoldfastError('MODEL_WINDOW', 'what was watched must end after it began');
  const unplanned = merge(
    incidents.filter(({ planned }) => !planned || !withoutPlanned),
    window,
  );
  const excluded = withoutPlanned
    ? merge(
        incidents.filter(({ planned }) => planned),
        window,
      )
    : [];
  // Down during announced maintenance: neither up nor down.
  const downtimeMs = total(unplanned) - overlap(unplanned, excluded);
  const watchedMs = window.untilMs - window.fromMs - total(excluded);
  if (watchedMs <= 0) throw new HoldfastError('MODEL_WINDOW', 'nothing is left of the time watched: all of it is planned maintenance');
  const uptimeMs = watchedMs - downtimeMs;
  // What was down already at the beginning failed before.
  const failures = unplanned.filter(({ startMs }) => startMs > window.fromMs).length;
  const repairs = unplanned.filter(({ startMs, open }) => startMs > window.fromMs && !open).map(({ startMs, endMs }) => endMs - startMs);
  const mean = repairs.length > 0 ? repairs.reduce((sum, length) => sum + length, 0) / repairs.length : undefined;
  const mtbf = failures > 0 ? uptimeMs / failures : undefined;
  const law = repair === 'lognormal' && repairs.length >= 2 && repairs.every((length) => length > 0) ? 'lognormal' : 'exponential';
  return {
    watchedMs,
    uptimeMs,
    downtimeMs,
    availability: uptimeMs / watchedMs,
    unavailability: downtimeMs / watchedMs,
    failures,
    outages: unplanned,
    ...(mtbf === undefined ? {} : { mtbfMs: mtbf }),
    ...(uptimeMs > 0 && (failures > 0 || truncation === 'time')
      ? { mtbfBoundsMs: mtbfBounds(uptimeMs, failures, { confidence, truncation }) }
      : {}),
    ...(mean === undefined ? {} : { mttrMs: mean, mttrBoundsMs: mttrBounds(repairs, { confidence, law }) }),
    ...(mean === undefined || mtbf === undefined || mtbf === 0
      ? {}
      : { unavailabilityBounds: unavailabilityBounds(mtbf, mean, repairs.length, confidence) }),
    confidence,
    assumptions: [
      'times between failures are exponential and independent: the rate did not change over the window',
      `repair times are ${law}`,
      ...(law === repair ? [] : ['lognormal bounds need two repairs that took some time; the exponential ones are given']),
      `the window was ended by ${truncation === 'time' ? 'the calendar' : 'the last failure'}`,
      withoutPlanned ? 'planned maintenance is left out of the time watched' : 'planned maintenance counts as downtime',
    ],
  };
}

/** In order of time, cut to the window, what overlaps or touches as one. */
function merge(incidents: readonly Incident[], { fromMs, untilMs }: ObserveOptions['window']): Outage[] {
  const cut = incidents
    .map(({ startMs, endMs }) => ({
      startMs: Math.max(startMs, fromMs),
      endMs: Math.min(endMs ?? untilMs, untilMs),
      open: endMs === undefined || endMs > untilMs,
    }))
    .filter(({ startMs, endMs }) => endMs > fromMs && startMs < untilMs && endMs >= startMs)
    .toSorted((a, b) => a.startMs - b.startMs);
  const merged: Outage[] = [];
  for (const next of cut) {
    const last = merged.at(-1);
    if (last === undefined || next.startMs > last.endMs) merged.push(next);
    else merged[merged.length - 1] = { startMs: last.startMs, endMs: Math.max(last.endMs, next.endMs), open: last.open || next.open };
  }
  return merged;
}

function total(outages: readonly Outage[]): number {
  return outages.reduce((sum, { startMs, endMs }) => sum + (endMs - startMs), 0);
}

/** The time in which both are; each list is in order and without overlaps. */
function overlap(a: readonly Outage[], b: readonly Outage[]): number {
  let sum = 0;
  for (let i = 0, j = 0; i < a.length && j < b.length;) {
    sum += Math.max(0, Math.min(a[i]!.endMs, b[j]!.endMs) - Math.max(a[i]!.startMs, b[j]!.startMs));
    if (a[i]!.endMs < b[j]!.endMs) i += 1;
    else j += 1;
  }
  return sum;
}

import type { WalRange } from '../../backup/index.ts';
import { formatLsn } from '../../core/lsn.ts';
import { formatDurationMs } from '../../core/units.ts';

/** What is known of a service's copies by who cares for them. */
export interface CopiesObservation {
  /** As people call it: `base backup`. */
  readonly what: string;
  /** For how long it has cared for them. */
  readonly caredMs: number;
  /** When the last good one was made; undefined when there is none, or it is not known yet. */
  readonly lastMs: number | undefined;
  /** Whether two times of the schedule have passed since then. */
  readonly isOverdue: boolean;
  readonly journalLagMs: number;
  /** More is an alarm. */
  readonly journalLagMsMax: number;
  readonly gap: WalRange | undefined;
  /** The location of the copies and what it is made of. */
  readonly parts: readonly { readonly name: string; readonly state: string; readonly message: string; readonly behindObjects: number }[];
  /** Why something could not be done at the last attempt; empty where it could. */
  readonly failures: { readonly copies: string; readonly base: string; readonly folding: string; readonly retaining: string };
}

export interface Alarm {
  /** What it is about: it lasts as long as there is one of this name. */
  readonly name: string;
  /** A sentence for people. */
  readonly text: string;
}

/** A first base backup may take as long before somebody is told that there is none. */
const firstBaseMs = 10 * 60_000;

/** What somebody should look at. Pure. */
export function decideAlarms(seen: CopiesObservation): Alarm[] {
  const { failures, gap } = seen;
  const alarms: Alarm[] = [];
  const add = (name: string, text: string): void => void alarms.push({ name, text });
  if (failures.copies !== '') add('copies', `Copies can not be made: ${failures.copies}`);
  const why = failures.base === '' ? '' : `: ${failures.base}`;
  if (seen.isOverdue && seen.lastMs !== undefined) {
    add('base', `The last ${seen.what} is of ${new Date(seen.lastMs).toISOString()}, and two were due since${why}`);
  } else if (seen.lastMs === undefined && (failures.base !== '' || seen.caredMs > firstBaseMs))
    add('base', `There is no ${seen.what} yet${why}`);
  else if (failures.base !== '') add('base', `The last attempt at a ${seen.what} failed${why}`);
  if (seen.journalLagMs > seen.journalLagMsMax)
    add('journal', `The journal is ${formatDurationMs(Math.round(seen.journalLagMs / 1000) * 1000)} behind.`);
  if (gap !== undefined) {
    const range = `from ${formatLsn(gap.start)} to ${formatLsn(gap.end)}, timeline ${gap.timeline}`;
    add('gap', `WAL ${range}, is stored nowhere: points in time behind it can be reached after the next base backup only.`);
  }
  if (failures.folding !== '') add('folding', `The journal can not be folded: ${failures.folding}`);
  if (failures.retaining !== '') add('retention', `Old copies can not be removed: ${failures.retaining}`);
  for (const { name, state, message, behindObjects } of seen.parts) {
    if (state === 'ok') continue;
    const behind = behindObjects === 0 ? '' : `, ${behindObjects} objects behind`;
    add(`location ${name}`, `Location ${name} is ${state}${behind}${message === '' ? '.' : `: ${message}`}`);
  }
  return alarms;
}

import { HoldfastError } from '../../core/errors.ts';
import type { Snapshot } from '../repository.ts';
import { timeFromMs } from '../tree/time.ts';

/** Clocks of several machines may differ by so much. */
const aheadMsMax = 10 * 60_000;

/**
 * Refuses to go on when a snapshot is from later than now: what is made now would come before it, and rules that count by time, or look for the
 * latest, would take the wrong ones.
 * @throws BACKUP_CLOCK_BACKWARDS
 */
export function assertClock(latest: Snapshot | undefined, nowMs: number): void {
  if (latest === undefined || latest.timeMs <= nowMs + aheadMsMax) return;
  throw new HoldfastError(
    'BACKUP_CLOCK_BACKWARDS',
    `the clock of this machine says ${timeFromMs(nowMs)}, but snapshot ${latest.id.slice(0, 8)} of ${latest.hostname} was made at ${latest.time}`,
    {
      hint: 'Nothing has been written. Set the clock (timedatectl, chronyc makestep); if that snapshot is the one that is wrong, remove it with holdfast forget.',
    },
  );
}

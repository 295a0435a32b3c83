import { createHash } from 'node:crypto';
import { Cron } from 'croner';
import { HoldfastError, messageOf } from '../../core/errors.ts';

/** Five fields as in crontab(5), in the machine's own time zone. */
export class Schedule {
  readonly text: string;
  readonly #cron: Cron;
  readonly #delayMs: number;

  /** @param delayMs by so much everything is put off @throws BACKUP_SCHEDULE_INVALID */
  constructor(text: string, delayMs = 0) {
    this.text = text;
    this.#delayMs = delayMs;
    try {
      // Paused: it only answers, and runs nothing.
      this.#cron = new Cron(text, { paused: true, mode: '5-part' });
    } catch (error) {
      throw new HoldfastError('BACKUP_SCHEDULE_INVALID', `'${text}' is no schedule: ${messageOf(error)}`, {
        hint: "Write five fields as in crontab: minute, hour, day of month, month, day of week, such as '0 3 * * *'.",
      });
    }
  }

  /** The next time after `ms`, both in ms since 1970; undefined when there is none any more. */
  next(ms: number): number | undefined {
    const next = this.#cron.nextRun(new Date(ms - this.#delayMs))?.getTime();
    return next === undefined ? undefined : next + this.#delayMs;
  }

  /** Whether two times of the schedule have passed since `lastMs`: nobody has made up for the first one either. */
  isOverdue(lastMs: number, nowMs: number): boolean {
    const first = this.next(lastMs);
    const second = first === undefined ? undefined : this.next(first);
    return second !== undefined && second <= nowMs;
  }

  /** Whether a time of the schedule has passed since `lastMs`, and by when: a run that was missed is due at once. Always, when there was none. */
  isDue(lastMs: number | undefined, nowMs: number): boolean {
    // A clock that went back must not put the next run off by as much.
    if (lastMs === undefined || lastMs > nowMs) return true;
    const next = this.next(lastMs);
    return next !== undefined && next <= nowMs;
  }
}

/** A part of `jitterMs` that is always the same for one name: so those who share a schedule do not all begin at once. In whole ms. */
export function jitterOf(name: string, jitterMs: number): number {
  const share = createHash('sha256').update(name).digest().readUInt32BE() / 2 ** 32;
  return Math.floor(share * jitterMs);
}

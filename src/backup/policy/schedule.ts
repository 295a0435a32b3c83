import { Cron } from 'croner';
import { HoldfastError, messageOf } from '../../core/errors.ts';

/** Five fields as in crontab(5), in the machine's own time zone. */
export class Schedule {
  readonly text: string;
  readonly #cron: Cron;

  /** @throws BACKUP_SCHEDULE_INVALID */
  constructor(text: string) {
    this.text = text;
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
    return this.#cron.nextRun(new Date(ms))?.getTime();
  }

  /** Whether a time of the schedule has passed since `lastMs`, and by when: a run that was missed is due at once. Always, when there was none. */
  isDue(lastMs: number | undefined, nowMs: number): boolean {
    // A clock that went back must not put the next run off by as much.
    if (lastMs === undefined || lastMs > nowMs) return true;
    const next = this.next(lastMs);
    return next !== undefined && next <= nowMs;
  }
}

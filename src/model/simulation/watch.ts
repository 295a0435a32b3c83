import { HoldfastError } from '../../core/errors.ts';

/** What looks on while a replication runs, and says when to stop. */
export interface Watch {
  /** Time before which there is nothing to look at. */
  nextLook: number;
  /** @param up at time 0 */
  begin(up: boolean): void;
  /** The next event is at `time`. @returns whether enough was seen */
  look(time: number): boolean;
  /** The system went up or down. @returns whether enough was seen */
  turned(up: boolean, time: number): boolean;
}

/** Sums over replications at one time, in this order. */
export const FIELDS = 7;
export const FIELD = { up: 0, survived: 1, down: 2, downSquared: 3, failures: 4, failuresSquared: 5, everDown: 6 } as const;

/** Sums, over replications, of what was seen by each of some times. */
export class HorizonWatch implements Watch {
  nextLook = 0;
  /** FIELDS numbers for each time. */
  readonly sums: Float64Array;
  private readonly times: Float64Array;
  private readonly warmUp: number;
  private index = 0;
  private warm = false;
  private up = true;
  private everDown = false;
  private since = 0;
  private down = 0;
  private failures = 0;

  /** @param times ascending, above `warmUp`, before which nothing counts */
  constructor(times: readonly number[], warmUp: number) {
    this.times = Float64Array.from(times);
    this.warmUp = warmUp;
    this.sums = new Float64Array(times.length * FIELDS);
  }

  begin(up: boolean): void {
    this.index = 0;
    this.warm = this.warmUp === 0;
    this.nextLook = this.warm ? this.times[0]! : this.warmUp;
    this.up = up;
    this.everDown = !up;
    this.since = 0;
    this.down = 0;
    this.failures = 0;
  }

  look(time: number): boolean {
    if (!this.warm) {
      this.warm = true;
      this.everDown = !this.up;
      this.since = this.warmUp;
      this.down = 0;
      this.failures = 0;
    }
    while (this.index < this.times.length && this.times[this.index]! <= time) this.record(this.index++);
    this.nextLook = this.index < this.times.length ? this.times[this.index]! : Infinity;
    return this.index === this.times.length;
  }

  private record(index: number): void {
    const { sums } = this;
    const at = index * FIELDS;
    const down = this.down + (this.up ? 0 : this.times[index]! - this.since);
    if (this.up) sums[at + FIELD.up]! += 1;
    if (this.everDown) sums[at + FIELD.everDown]! += 1;
    else sums[at + FIELD.survived]! += 1;
    sums[at + FIELD.down]! += down;
    sums[at + FIELD.downSquared]! += down * down;
    sums[at + FIELD.failures]! += this.failures;
    sums[at + FIELD.failuresSquared]! += this.failures * this.failures;
  }

  turned(up: boolean, time: number): boolean {
    if (up) this.down += time - this.since;
    else {
      this.since = time;
      this.failures += 1;
      this.everDown = true;
    }
    this.up = up;
    return false;
  }
}

/** Sums of the times of the first failure. */
export class FailureWatch implements Watch {
  nextLook = Infinity;
  /** Sum and sum of squares. */
  readonly sums: Float64Array = new Float64Array(2);

  begin(up: boolean): void {
    if (!up) throw neverFails('is down from the beginning');
  }

  look(): boolean {
    // The next event never comes: nothing is left that could fail.
    throw neverFails('can come to rest without ever failing');
  }

  turned(_up: boolean, time: number): boolean {
    this.sums[0]! += time;
    this.sums[1]! += time * time;
    return true;
  }
}

function neverFails(why: string): HoldfastError {
  return new HoldfastError('MODEL_SIMULATION_ENDLESS', `the system ${why}: there is no time of a first failure`, {
    hint: 'Ask for probabilities at times instead.',
  });
}

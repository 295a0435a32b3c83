import { sample } from '../distribution/distribution.ts';
import type { SystemPlan } from '../system/plan.ts';
import type { Clocks } from './clocks.ts';
import type { Stream } from './stream.ts';

/** What a unit is doing. */
export const UNIT = { present: 0, hidden: 1, queued: 2, mending: 3, away: 4 } as const;

/** All units, those of a group side by side. */
export class Units {
  readonly groupOf: Int32Array;
  /** First unit of each group, and their number at the end. */
  readonly first: Int32Array;
  readonly state: Uint8Array;
  /** Units of each group that are neither failed nor away. */
  readonly present: Int32Array;
  /** Set that a unit works in; −1 while it waits, or is in none. */
  readonly setOf: Int32Array;
  /** How fast a present unit uses up its life. */
  readonly speed: Float64Array;
  /** Life, or repair, that is left while a clock stands still. */
  readonly left: Float64Array;
  readonly due: Float64Array;
  private readonly plan: SystemPlan;

  constructor(plan: SystemPlan, { due }: Clocks) {
    this.plan = plan;
    this.due = due;
    this.groupOf = Int32Array.from(plan.groups.flatMap(({ count }, group) => Array.from({ length: count }, () => group)));
    this.first = new Int32Array(plan.groups.length + 1);
    plan.groups.forEach(({ count }, group) => (this.first[group + 1] = this.first[group]! + count));
    this.state = new Uint8Array(this.groupOf.length);
    this.present = new Int32Array(plan.groups.length);
    this.setOf = new Int32Array(this.groupOf.length);
    this.speed = new Float64Array(this.groupOf.length);
    this.left = new Float64Array(this.groupOf.length);
  }

  begin(stream: Stream): void {
    this.present.fill(0);
    this.setOf.fill(-1);
    for (let unit = 0; unit < this.groupOf.length; unit++) this.renew(unit, 0, stream, this.plan.groups[this.groupOf[unit]!]!.dormancy);
  }

  /** A unit comes (back) as good as new; in a set it waits at first. */
  renew(unit: number, now: number, stream: Stream, speed: number): void {
    const group = this.groupOf[unit]!;
    const { failure } = this.plan.groups[group]!;
    const life = failure.kind === 'exponential' ? stream.exponential() / failure.rate : sample(failure, stream);
    this.state[unit] = UNIT.present;
    this.present[group]! += 1;
    this.setOf[unit] = -1;
    this.speed[unit] = speed;
    this.left[unit] = life;
    this.due[unit] = speed > 0 ? now + life / speed : Infinity;
  }

  /** A present unit is present no more. */
  takeOut(unit: number, state: number): void {
    this.state[unit] = state;
    this.present[this.groupOf[unit]!]! -= 1;
    this.setOf[unit] = -1;
    this.due[unit] = Infinity;
  }

  /** A present unit goes on at another speed. */
  changeSpeed(unit: number, now: number, speed: number): void {
    const before = this.speed[unit]!;
    if (before === speed) return;
    if (before > 0) this.left[unit] = (this.due[unit]! - now) * before;
    this.speed[unit] = speed;
    this.due[unit] = speed > 0 ? now + this.left[unit]! / speed : Infinity;
  }
}

import type { SystemPlan } from './plan.ts';

/**
 * Who works, by what is available: a function of the present alone, for chain and simulation alike. Sets choose in their order, each among
 * its groups in their order; what is left waits.
 */
export class Assignment {
  /** Units of each group that work, those at sites that are down or in groups that have stopped not counted. */
  readonly groupWorking: Int32Array;
  /** Units that work in each set. */
  readonly setWorking: Int32Array;
  /** Units that each set has, working or just taking over. */
  readonly setTaken: Int32Array;
  /** Units of each group that wait in standby. */
  readonly waiting: Int32Array;
  /** Units that work in a set (row), by group (column). */
  readonly workingOf: readonly Int32Array[];
  private readonly plan: SystemPlan;
  private readonly free: Int32Array;

  constructor(plan: SystemPlan) {
    this.plan = plan;
    this.groupWorking = new Int32Array(plan.groups.length);
    this.waiting = new Int32Array(plan.groups.length);
    this.free = new Int32Array(plan.groups.length);
    this.setWorking = new Int32Array(plan.sets.length);
    this.setTaken = new Int32Array(plan.sets.length);
    this.workingOf = plan.sets.map(() => new Int32Array(plan.groups.length));
  }

  /**
   * @param available units of each group that are neither failed nor away, at sites that are up
   * @param blocked take-overs of each set that are not (yet) done
   * @param stopped 1 where a group has stopped for want of coverage
   */
  assign(available: ArrayLike<number>, blocked: ArrayLike<number>, stopped: ArrayLike<number>): void {
    const { plan, groupWorking, waiting, free } = this;
    for (let group = 0; group < plan.groups.length; group++) {
      const inSets = plan.groups[group]!.sets.length > 0;
      waiting[group] = 0;
      free[group] = inSets ? available[group]! : 0;
      groupWorking[group] = inSets || stopped[group] === 1 ? 0 : available[group]!;
    }
    for (let set = 0; set < plan.sets.length; set++) this.choose(set, blocked[set]!, stopped);
    for (let group = 0; group < plan.groups.length; group++) waiting[group]! += free[group]!;
  }

  private choose(set: number, blocked: number, stopped: ArrayLike<number>): void {
    const { groups, working } = this.plan.sets[set]!;
    const row = this.workingOf[set]!;
    let taken = 0;
    for (const group of groups) {
      const take = Math.min(this.free[group]!, working - taken);
      row[group] = take;
      this.free[group]! -= take;
      taken += take;
    }
    this.setTaken[set] = taken;
    // What has not taken over yet still waits: the last in order.
    let left = Math.min(blocked, taken);
    for (let at = groups.length - 1; at >= 0 && left > 0; at--) {
      const back = Math.min(left, row[groups[at]!]!);
      row[groups[at]!]! -= back;
      this.waiting[groups[at]!]! += back;
      left -= back;
    }
    let total = 0;
    for (const group of groups) {
      if (stopped[group] === 1) continue;
      total += row[group]!;
      this.groupWorking[group]! += row[group]!;
    }
    this.setWorking[set] = total;
  }
}

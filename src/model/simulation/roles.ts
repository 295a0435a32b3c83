import type { Distribution } from '../distribution/distribution.ts';
import type { Assignment } from '../system/assignment.ts';
import type { SystemPlan } from '../system/plan.ts';
import type { Clocks } from './clocks.ts';
import type { Stream } from './stream.ts';
import { UNIT, type Units } from './units.ts';

/** Slots of a set's take-overs. */
const FREE = 0;
const STARTING = 1;
const STUCK = 2;

/** Which unit works, waits or rests; and take-overs that are under way or failed. */
export class Roles {
  private readonly plan: SystemPlan;
  private readonly units: Units;
  private readonly clocks: Clocks;
  private readonly assignment: Assignment;
  private readonly available: Int32Array;
  private readonly blocked: Int32Array;
  /** Of each clock that is a slot: FREE, STARTING or STUCK. */
  private readonly slot: Uint8Array;
  private readonly takenBefore: Int32Array;
  private readonly groupDown: Uint8Array;

  constructor(plan: SystemPlan, units: Units, clocks: Clocks, assignment: Assignment) {
    this.plan = plan;
    this.units = units;
    this.clocks = clocks;
    this.assignment = assignment;
    this.available = new Int32Array(plan.groups.length);
    this.blocked = new Int32Array(plan.sets.length);
    this.slot = new Uint8Array(clocks.due.length);
    this.takenBefore = new Int32Array(plan.sets.length);
    this.groupDown = new Uint8Array(plan.groups.length);
  }

  begin(): void {
    this.slot.fill(FREE);
    this.takenBefore.fill(0);
  }

  closeSlot(clock: number): void {
    this.slot[clock] = FREE;
  }

  /** A repair in a set puts right what did not take over. */
  unstick(group: number): void {
    for (const set of this.plan.groups[group]!.sets) this.close(set, STUCK, this.plan.sets[set]!.working);
  }

  private close(set: number, kind: number, count: number): void {
    const first = this.clocks.slotsOf[set]!;
    let left = count;
    for (let clock = first; clock < first + this.plan.sets[set]!.working && left > 0; clock++) {
      if (this.slot[clock] !== kind) continue;
      this.slot[clock] = FREE;
      this.clocks.due[clock] = Infinity;
      left--;
    }
  }

  private count(set: number, kind: number): number {
    const first = this.clocks.slotsOf[set]!;
    let count = 0;
    for (let clock = first; clock < first + this.plan.sets[set]!.working; clock++) if (this.slot[clock] === kind) count++;
    return count;
  }

  /** Lets the sets choose among what is there. */
  choose(siteDown: Uint8Array, stopped: Int32Array): void {
    const { plan, available, blocked, units, groupDown } = this;
    for (let group = 0; group < plan.groups.length; group++) {
      groupDown[group] = 0;
      for (const site of plan.groups[group]!.sites) if (siteDown[site] === 1) groupDown[group] = 1;
      available[group] = groupDown[group] === 1 ? 0 : units.present[group]!;
    }
    for (let set = 0; set < plan.sets.length; set++) blocked[set] = this.count(set, STARTING) + this.count(set, STUCK);
    this.assignment.assign(available, blocked, stopped);
  }

  /** Units of a group that work in each set, added to `lost`: their site goes down. */
  countWorking(group: number, lost: Int32Array): void {
    for (const set of this.plan.groups[group]!.sets) lost[set]! += this.assignment.workingOf[set]![group]!;
  }

  /** Units were lost to sets: whoever takes their place may fail to, and may need time. */
  takeOver(lost: Int32Array, now: number, stream: Stream, draw: (distribution: Distribution) => number): void {
    for (let set = 0; set < lost.length; set++) {
      const { switching, takeover, recovery } = this.plan.sets[set]!;
      let takeovers = lost[set]! - (this.takenBefore[set]! - this.assignment.setTaken[set]!);
      for (; takeovers > 0; takeovers--) {
        const clock = this.freeSlot(set);
        if (clock === -1) break;
        if (switching < 1 && stream.next() >= switching) this.open(clock, STUCK, recovery === undefined ? Infinity : now + draw(recovery));
        else if (takeover !== undefined) this.open(clock, STARTING, now + draw(takeover));
      }
    }
  }

  private freeSlot(set: number): number {
    const first = this.clocks.slotsOf[set]!;
    for (let clock = first; clock < first + this.plan.sets[set]!.working; clock++) if (this.slot[clock] === FREE) return clock;
    return -1;
  }

  private open(clock: number, kind: number, due: number): void {
    this.slot[clock] = kind;
    this.clocks.due[clock] = due;
  }

  /** Gives every unit that is there its role and the speed that goes with it. */
  apply(now: number, resting: boolean): void {
    const { plan, assignment } = this;
    for (let set = 0; set < plan.sets.length; set++) {
      this.takenBefore[set] = assignment.setTaken[set]!;
      // No more take-overs are open than units are there for.
      const stuck = Math.min(this.count(set, STUCK), assignment.setTaken[set]!);
      this.close(set, STUCK, this.count(set, STUCK) - stuck);
      this.close(set, STARTING, Math.max(0, this.count(set, STARTING) - (assignment.setTaken[set]! - stuck)));
    }
    for (let group = 0; group < plan.groups.length; group++) this.applyTo(group, now, resting);
  }

  private applyTo(group: number, now: number, resting: boolean): void {
    const { units } = this;
    const { sets, dormancy } = this.plan.groups[group]!;
    const [first, end] = [units.first[group]!, units.first[group + 1]!];
    for (const set of sets) this.trim(set, group, first, end);
    for (const set of sets) this.fill(set, group, first, end);
    for (let unit = first; unit < end; unit++) {
      if (units.state[unit] !== UNIT.present) continue;
      const speed = sets.length === 0 || units.setOf[unit]! >= 0 ? 1 : dormancy;
      units.changeSpeed(unit, now, resting ? 0 : speed);
    }
  }

  /** Takes away from a set what it has too much of a group. */
  private trim(set: number, group: number, first: number, end: number): void {
    const { units } = this;
    let wanted = this.assignment.workingOf[set]![group]!;
    for (let unit = first; unit < end; unit++) if (units.setOf[unit] === set && --wanted < 0) units.setOf[unit] = -1;
  }

  /** Gives a set what it lacks, from what waits. */
  private fill(set: number, group: number, first: number, end: number): void {
    const { units } = this;
    let wanted = this.assignment.workingOf[set]![group]!;
    for (let unit = first; unit < end; unit++) if (units.setOf[unit] === set) wanted--;
    for (let unit = first; unit < end && wanted > 0; unit++) {
      if (units.state[unit] !== UNIT.present || units.setOf[unit] !== -1) continue;
      units.setOf[unit] = set;
      wanted--;
    }
  }
}

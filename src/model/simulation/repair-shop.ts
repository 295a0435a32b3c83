import { sample } from '../distribution/distribution.ts';
import type { SystemPlan } from '../system/plan.ts';
import type { Stream } from './stream.ts';
import { UNIT, type Units } from './units.ts';

/** Mends units: at once those that have a crew of their own, in the crew's order all others. */
export class RepairShop {
  private readonly plan: SystemPlan;
  private readonly units: Units;
  /** Units that each crew is busy with. */
  private readonly busy: Int32Array;
  /** Units that wait for each crew. */
  private readonly waiting: Int32Array;
  /** In which order units failed. */
  private readonly turn: Float64Array;
  /** 1 where a repair was begun and interrupted. */
  private readonly interrupted: Uint8Array;
  /** Units of each crew. */
  private readonly members: readonly Int32Array[];
  private turns = 0;

  constructor(plan: SystemPlan, units: Units) {
    this.plan = plan;
    this.units = units;
    this.busy = new Int32Array(plan.crews.length);
    this.waiting = new Int32Array(plan.crews.length);
    this.turn = new Float64Array(units.groupOf.length);
    this.interrupted = new Uint8Array(units.groupOf.length);
    this.members = plan.crews.map(({ groups }) =>
      Int32Array.from([...units.groupOf.keys()].filter((unit) => groups.includes(units.groupOf[unit]!))),
    );
  }

  begin(): void {
    this.busy.fill(0);
    this.waiting.fill(0);
    this.interrupted.fill(0);
    this.turns = 0;
  }

  /** A unit has failed, and is known to have. */
  enqueue(unit: number, now: number, stream: Stream): void {
    const { crew, repair } = this.plan.groups[this.units.groupOf[unit]!]!;
    if (repair === undefined) return;
    if (crew === -1) return this.start(unit, now, stream);
    this.turn[unit] = this.turns++;
    const { size, discipline } = this.plan.crews[crew]!;
    if (this.busy[crew]! < size) {
      this.busy[crew]! += 1;
      return this.start(unit, now, stream);
    }
    this.waiting[crew]! += 1;
    if (discipline === 'preemptive') this.preempt(crew, unit, now, stream);
  }

  /** Puts a unit in the place of the least important one that is being mended, if it is more important. */
  private preempt(crew: number, unit: number, now: number, stream: Stream): void {
    const { units } = this;
    let least = -1;
    for (const other of this.members[crew]!) {
      if (units.state[other] === UNIT.mending && (least === -1 || this.comesBefore(least, other))) least = other;
    }
    if (this.rank(unit) >= this.rank(least)) return;
    units.state[least] = UNIT.queued;
    units.left[least] = units.due[least]! - now;
    units.due[least] = Infinity;
    this.interrupted[least] = 1;
    this.start(unit, now, stream);
  }

  private start(unit: number, now: number, stream: Stream): void {
    const { units } = this;
    const repair = this.plan.groups[units.groupOf[unit]!]!.repair!;
    units.state[unit] = UNIT.mending;
    if (this.interrupted[unit] === 1) {
      this.interrupted[unit] = 0;
      units.due[unit] = now + units.left[unit]!;
    } else units.due[unit] = now + (repair.kind === 'exponential' ? stream.exponential() / repair.rate : sample(repair, stream));
  }

  /** A repair is done: its crew turns to the next. The unit itself is the caller's. */
  done(unit: number, now: number, stream: Stream): void {
    const { crew } = this.plan.groups[this.units.groupOf[unit]!]!;
    if (crew === -1) return;
    if (this.waiting[crew] === 0) {
      this.busy[crew]! -= 1;
      return;
    }
    this.waiting[crew]! -= 1;
    this.start(this.nextOf(crew), now, stream);
  }

  private nextOf(crew: number): number {
    let next = -1;
    for (const unit of this.members[crew]!) {
      if (this.units.state[unit] === UNIT.queued && (next === -1 || this.comesBefore(unit, next))) next = unit;
    }
    return next;
  }

  private rank(unit: number): number {
    return this.plan.groups[this.units.groupOf[unit]!]!.rank;
  }

  private comesBefore(one: number, other: number): boolean {
    const { discipline } = this.plan.crews[this.plan.groups[this.units.groupOf[one]!]!.crew]!;
    const byRank = discipline === 'fifo' ? 0 : this.rank(one) - this.rank(other);
    // What was begun goes on before what was not.
    return (byRank || this.interrupted[other]! - this.interrupted[one]! || this.turn[one]! - this.turn[other]!) < 0;
  }
}

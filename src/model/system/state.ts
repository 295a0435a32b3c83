import { Assignment } from './assignment.ts';
import type { SystemPlan } from './plan.ts';
import type { Rates } from './stages.ts';

/**
 * States of a system as rows of small numbers, units that are alike counted, not named. In this order: for each group how many are failed
 * unseen, away for maintenance, stopped (0 or 1), and, without a crew, in each stage of repair; for each set the take-overs in progress and
 * those that failed; for each site whether it is down; for each crew the queue, one entry per unit, 0 where it is empty.
 */
export class StateSpace {
  readonly plan: SystemPlan;
  readonly rates: Rates;
  readonly width: number;
  readonly hidden: readonly number[];
  readonly away: readonly number[];
  readonly stopped: readonly number[];
  /** Where the stages of a group's own repairs begin; −1 with a crew. */
  readonly mending: readonly number[];
  readonly starting: readonly number[];
  readonly stuck: readonly number[];
  readonly siteDown: readonly number[];
  readonly queue: readonly number[];
  readonly queueLength: readonly number[];
  private readonly available: Int32Array;
  private readonly blocked: Int32Array;
  private readonly stoppedFlags: Int32Array;

  constructor(plan: SystemPlan, rates: Rates) {
    this.plan = plan;
    this.rates = rates;
    let width = 0;
    const place = (count = 1): number => (width += count) - count;
    this.hidden = plan.groups.map(() => place());
    this.away = plan.groups.map(() => place());
    this.stopped = plan.groups.map(() => place());
    this.mending = plan.groups.map(({ crew, repair }, group) =>
      crew === -1 ? place(repair === undefined ? 1 : rates.repair[group]!.length) : -1,
    );
    this.starting = plan.sets.map(() => place());
    this.stuck = plan.sets.map(() => place());
    this.siteDown = plan.sites.map(() => place());
    this.queueLength = plan.crews.map(({ groups }) => groups.reduce((sum, group) => sum + plan.groups[group]!.count, 0));
    this.queue = this.queueLength.map((length) => place(length));
    this.width = width;
    this.available = new Int32Array(plan.groups.length);
    this.blocked = new Int32Array(plan.sets.length);
    this.stoppedFlags = new Int32Array(plan.groups.length);
  }

  /** Everything new and working. */
  initial(): number[] {
    return Array.from({ length: this.width }, () => 0);
  }

  /** An entry of a queue. */
  entry(group: number, stage: number): number {
    return 1 + stage * this.plan.groups.length + group;
  }

  groupOfEntry(entry: number): number {
    return (entry - 1) % this.plan.groups.length;
  }

  stageOfEntry(entry: number): number {
    return Math.floor((entry - 1) / this.plan.groups.length);
  }

  isDown(state: readonly number[], group: number): boolean {
    return this.plan.groups[group]!.sites.some((site) => state[this.siteDown[site]!] === 1);
  }

  /** Units of a group that are neither failed nor away, wherever they are. */
  present(state: readonly number[], group: number): number {
    const { count, crew, repair } = this.plan.groups[group]!;
    let present = count - state[this.hidden[group]!]! - state[this.away[group]!]!;
    if (crew === -1) {
      const stages = repair === undefined ? 1 : this.rates.repair[group]!.length;
      for (let stage = 0; stage < stages; stage++) present -= state[this.mending[group]! + stage]!;
      return present;
    }
    for (let at = 0; at < this.queueLength[crew]!; at++) {
      const entry = state[this.queue[crew]! + at]!;
      if (entry === 0) break;
      if (this.groupOfEntry(entry) === group) present--;
    }
    return present;
  }

  /** Lets the sets choose. @returns whether the system is up */
  assign(state: readonly number[], assignment: Assignment): boolean {
    const { plan, available, blocked, stoppedFlags } = this;
    for (let group = 0; group < plan.groups.length; group++) {
      available[group] = this.isDown(state, group) ? 0 : this.present(state, group);
      stoppedFlags[group] = state[this.stopped[group]!]!;
    }
    for (let set = 0; set < plan.sets.length; set++) blocked[set] = state[this.starting[set]!]! + state[this.stuck[set]!]!;
    assignment.assign(available, blocked, stoppedFlags);
    return plan.isUp(assignment.groupWorking, assignment.setWorking);
  }

  /** Puts a failed unit where it is mended. */
  enqueue(state: number[], group: number, count = 1): void {
    const { crew } = this.plan.groups[group]!;
    if (crew === -1) {
      state[this.mending[group]!]! += count;
      return;
    }
    let at = this.queue[crew]!;
    while (state[at] !== 0 && at < this.queue[crew]! + this.queueLength[crew]!) at++;
    for (let unit = 0; unit < count; unit++) state[at + unit] = this.entry(group, 0);
    this.settle(state, crew);
  }

  /** Takes the unit at a place of a crew's queue out. */
  dequeue(state: number[], crew: number, place: number): void {
    const start = this.queue[crew]!;
    const end = start + this.queueLength[crew]!;
    for (let at = start + place; at < end; at++) state[at] = at + 1 < end ? state[at + 1]! : 0;
    this.settle(state, crew);
  }

  /** Orders a queue as the discipline says, and what is in progress so that equal states look equal. */
  settle(state: number[], crew: number): void {
    const { size, discipline } = this.plan.crews[crew]!;
    const start = this.queue[crew]!;
    let length = 0;
    while (length < this.queueLength[crew]! && state[start + length] !== 0) length++;
    const queue = state.slice(start, start + length);
    const rank = (entry: number): number => this.plan.groups[this.groupOfEntry(entry)]!.rank;
    // Begun ones first among equals: what is interrupted goes on before anything new of its kind.
    const byRank = (a: number, b: number): number => rank(a) - rank(b) || this.stageOfEntry(b) - this.stageOfEntry(a);
    if (discipline === 'preemptive') queue.sort(byRank);
    const served = queue.slice(0, size).toSorted(byRank);
    const waiting = discipline === 'priority' ? queue.slice(size).toSorted(byRank) : queue.slice(size);
    served.forEach((entry, at) => (state[start + at] = entry));
    waiting.forEach((entry, at) => (state[start + served.length + at] = entry));
  }

  /** What is not as new, for people. */
  describe(state: readonly number[]): string {
    const parts: string[] = [];
    const say = (count: number, text: string): void => void (count > 0 && parts.push(text));
    this.plan.groups.forEach(({ name, count }, group) => {
      const hidden = state[this.hidden[group]!]!;
      const away = state[this.away[group]!]!;
      const failed = count - this.present(state, group) - hidden - away;
      say(failed, `${name}: ${failed} failed`);
      say(hidden, `${name}: ${hidden} failed unseen`);
      say(away, `${name}: ${away} in maintenance`);
      say(state[this.stopped[group]!]!, `${name}: stopped`);
    });
    this.plan.sets.forEach(({ name }, set) => {
      say(state[this.starting[set]!]!, `${name}: taking over`);
      say(state[this.stuck[set]!]!, `${name}: take-over failed`);
    });
    this.plan.sites.forEach(({ name }, site) => say(state[this.siteDown[site]!]!, `${name}: down`));
    return parts.length === 0 ? 'all working' : parts.join(', ');
  }
}

import { HoldfastError } from '../../core/errors.ts';
import { sample, type Distribution } from '../distribution/distribution.ts';
import { Assignment } from '../system/assignment.ts';
import type { SystemPlan } from '../system/plan.ts';
import { clocksOf, CLOCK, type Clocks } from './clocks.ts';
import { RepairShop } from './repair-shop.ts';
import { Roles } from './roles.ts';
import type { Stream } from './stream.ts';
import { UNIT, Units } from './units.ts';
import type { Watch } from './watch.ts';

/**
 * Discrete-event simulation of a system, unit by unit: every unit has one clock (it fails, is mended, or comes back), and so have sites,
 * shocks, inspections and recoveries; the next event is the earliest of all. Arrays are made once; an event allocates nothing.
 *
 * Life is used up at the speed of what a unit does: 1 working, the dormancy waiting, 0 at rest (cumulative exposure, Nelson 1980).
 */
export class Engine {
  /** Events of the last replication. */
  events = 0;
  private readonly plan: SystemPlan;
  private readonly eventsMax: number;
  private readonly clocks: Clocks;
  private readonly units: Units;
  private readonly shop: RepairShop;
  private readonly roles: Roles;
  private readonly assignment: Assignment;
  /** Whether groups simply work with all units that they have: nothing to choose, nothing that stops. */
  private readonly simple: boolean;
  private readonly siteDown: Uint8Array;
  private readonly stopped: Int32Array;
  private readonly maintenanceDue: Uint8Array;
  private readonly lost: Int32Array;
  private stream!: Stream;
  private now = 0;
  private up = true;

  /** @param eventsMax of one replication, after which it is taken for endless */
  constructor(plan: SystemPlan, eventsMax: number) {
    this.plan = plan;
    this.eventsMax = eventsMax;
    this.clocks = clocksOf(plan);
    this.units = new Units(plan, this.clocks);
    this.shop = new RepairShop(plan, this.units);
    this.assignment = new Assignment(plan);
    this.roles = new Roles(plan, this.units, this.clocks, this.assignment);
    this.siteDown = new Uint8Array(plan.sites.length);
    this.stopped = new Int32Array(plan.groups.length);
    this.maintenanceDue = new Uint8Array(plan.groups.length);
    this.lost = new Int32Array(plan.sets.length);
    const plain = plan.groups.every(({ coverage, maintenance }) => coverage === undefined && maintenance === undefined);
    this.simple = plain && plan.sets.length === 0 && plan.sites.length === 0 && !plan.rests;
  }

  /** One replication from time 0, everything new, until the watch has seen enough. */
  run(stream: Stream, watch: Watch): void {
    this.begin(stream);
    watch.begin(this.up);
    const { due, kind, subject } = this.clocks;
    const count = due.length;
    this.events = 0;
    for (;;) {
      let next = 0;
      let time = due[0]!;
      for (let clock = 1; clock < count; clock++) {
        if (due[clock]! < time) {
          time = due[clock]!;
          next = clock;
        }
      }
      if (time >= watch.nextLook && watch.look(time)) return;
      if (++this.events > this.eventsMax) throw endless(this.eventsMax, time);
      this.now = time;
      this.handle(kind[next]!, subject[next]!, next);
      const up = this.judge();
      if (up === this.up) continue;
      this.up = up;
      if (this.plan.rests) this.rest(!up);
      if (watch.turned(up, time)) return;
    }
  }

  private begin(stream: Stream): void {
    this.stream = stream;
    this.now = 0;
    this.up = true;
    this.siteDown.fill(0);
    this.stopped.fill(0);
    this.maintenanceDue.fill(0);
    this.clocks.due.fill(Infinity);
    this.units.begin(stream);
    this.shop.begin();
    this.roles.begin();
    this.clocks.begin((distribution) => this.draw(distribution));
    this.settle(false);
    this.up = this.judge();
  }

  private draw(distribution: Distribution): number {
    return distribution.kind === 'exponential' ? this.stream.exponential() / distribution.rate : sample(distribution, this.stream);
  }

  private judge(): boolean {
    return this.plan.isUp(this.simple ? this.units.present : this.assignment.groupWorking, this.assignment.setWorking);
  }

  private handle(kind: number, subject: number, clock: number): void {
    switch (kind) {
      case CLOCK.unit:
        return this.unitEvent(subject);
      case CLOCK.recovery:
        this.stopped[subject] = 0;
        this.clocks.due[clock] = Infinity;
        return this.settle(false);
      case CLOCK.maintenance:
        this.maintenanceDue[subject] = 1;
        this.clocks.due[clock] = Infinity;
        return this.settle(false);
      case CLOCK.inspection:
        return this.inspect(subject, clock);
      case CLOCK.site:
        return this.turnSite(subject, clock);
      case CLOCK.shock:
        return this.strike(subject, clock);
      default:
        this.clocks.due[clock] = Infinity;
        this.roles.closeSlot(clock);
        return this.settle(false);
    }
  }

  private unitEvent(unit: number): void {
    const { units } = this;
    if (units.state[unit] === UNIT.present) {
      this.fail(unit, true);
      this.settle(true);
      return;
    }
    const group = units.groupOf[unit]!;
    if (units.state[unit] === UNIT.mending) {
      this.shop.done(unit, this.now, this.stream);
      this.roles.unstick(group);
    } else this.clocks.nextMaintenance(group, this.now);
    units.renew(unit, this.now, this.stream, this.speedWhenBack(group));
    this.settle(false);
  }

  private speedWhenBack(group: number): number {
    if (this.plan.rests && !this.up) return 0;
    return this.plan.groups[group]!.dormancy;
  }

  /** A present unit fails, whatever it was doing. */
  private fail(unit: number, covered: boolean): void {
    const { units } = this;
    const group = units.groupOf[unit]!;
    const set = units.setOf[unit]!;
    if (set >= 0) this.lost[set]! += 1;
    const { coverage, inspection, sets } = this.plan.groups[group]!;
    const works = set >= 0 || sets.length === 0;
    if (
      covered &&
      coverage !== undefined &&
      works &&
      this.assignment.groupWorking[group]! > 1 &&
      this.stream.next() >= coverage.probability
    ) {
      this.stopped[group] = 1;
      this.clocks.due[this.clocks.recoveryOf[group]!] = this.now + this.draw(coverage.recovery);
    }
    units.takeOut(unit, inspection === undefined ? UNIT.queued : UNIT.hidden);
    if (inspection === undefined) this.shop.enqueue(unit, this.now, this.stream);
  }

  private inspect(group: number, clock: number): void {
    this.clocks.due[clock] = this.now + this.plan.groups[group]!.inspection!.interval;
    const { units } = this;
    for (let unit = units.first[group]!; unit < units.first[group + 1]!; unit++) {
      if (units.state[unit] !== UNIT.hidden) continue;
      units.state[unit] = UNIT.queued;
      this.shop.enqueue(unit, this.now, this.stream);
    }
  }

  private turnSite(site: number, clock: number): void {
    const down = this.siteDown[site] === 0;
    const { groups, failure, repair } = this.plan.sites[site]!;
    this.siteDown[site] = down ? 1 : 0;
    this.clocks.due[clock] = this.now + this.draw(down ? repair : failure);
    if (down) for (const group of groups) this.roles.countWorking(group, this.lost);
    this.settle(down);
  }

  /** What a shock takes is not covered by others. */
  private strike(shock: number, clock: number): void {
    const { groups, time } = this.plan.shocks[shock]!;
    this.clocks.due[clock] = this.now + this.draw(time);
    const { units } = this;
    for (const { group, probability } of groups) {
      for (let unit = units.first[group]!; unit < units.first[group + 1]!; unit++) {
        if (units.state[unit] === UNIT.present && (probability === 1 || this.stream.next() < probability)) this.fail(unit, false);
      }
    }
    this.settle(true);
  }

  /** After a change: who works now, which take-overs that began, whether maintenance may begin. */
  private settle(withTakeovers: boolean): void {
    if (this.simple) return;
    this.roles.choose(this.siteDown, this.stopped);
    if (withTakeovers) {
      this.roles.takeOver(this.lost, this.now, this.stream, (distribution) => this.draw(distribution));
      this.lost.fill(0);
      this.roles.choose(this.siteDown, this.stopped);
    }
    this.roles.apply(this.now, this.plan.rests && !this.up);
    for (let group = 0; group < this.maintenanceDue.length; group++) if (this.maintenanceDue[group] === 1) this.maintain(group);
  }

  /** Takes a unit away for maintenance, if the system stays up without it. */
  private maintain(group: number): void {
    const { units } = this;
    let unit = units.first[group]!;
    // The one whose absence changes least: the last that is there.
    for (let other = unit; other < units.first[group + 1]!; other++) if (units.state[other] === UNIT.present) unit = other;
    if (units.state[unit] !== UNIT.present || !this.up) return;
    units.present[group]! -= 1;
    this.roles.choose(this.siteDown, this.stopped);
    const stays = this.plan.isUp(this.assignment.groupWorking, this.assignment.setWorking);
    units.present[group]! += 1;
    if (stays) {
      this.maintenanceDue[group] = 0;
      units.takeOut(unit, UNIT.away);
      this.clocks.due[unit] = this.now + this.draw(this.plan.groups[group]!.maintenance!.duration);
    }
    this.roles.choose(this.siteDown, this.stopped);
    this.roles.apply(this.now, this.plan.rests && !this.up);
  }

  /** Stops or goes on with everything that may fail. */
  private rest(resting: boolean): void {
    this.roles.apply(this.now, resting);
    this.clocks.pauseShocks(this.now, resting);
  }
}

function endless(events: number, time: number): HoldfastError {
  return new HoldfastError('MODEL_SIMULATION_ENDLESS', `a replication had ${events} events and had come to time ${time} only`, {
    hint: 'Times of 0 that follow each other never end; else ask for a shorter horizon.',
  });
}

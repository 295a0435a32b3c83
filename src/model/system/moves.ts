import { Assignment } from './assignment.ts';
import type { StateSpace } from './state.ts';

/** Receives a state that may come next, and at which rate. The state is the receiver's to keep. */
export type Emit = (next: number[], rate: number) => void;

/** Everything that may happen next in a state of a system, with its rate. */
export class Moves {
  private readonly space: StateSpace;
  private readonly now: Assignment;
  private readonly after: Assignment;

  constructor(space: StateSpace) {
    this.space = space;
    this.now = new Assignment(space.plan);
    this.after = new Assignment(space.plan);
  }

  isUp(state: readonly number[]): boolean {
    return this.space.assign(state, this.now);
  }

  /** Emits nothing twice for the same cause, but states may repeat. */
  from(state: readonly number[], emit: Emit): void {
    const up = this.space.assign(state, this.now);
    if (up || !this.space.plan.rests) {
      this.failures(state, emit);
      this.shocks(state, emit);
      this.maintenance(state, emit);
    }
    this.repairs(state, emit);
    this.recoveries(state, emit);
    this.sites(state, emit);
  }

  private failures(state: readonly number[], emit: Emit): void {
    const { space, now } = this;
    space.plan.groups.forEach(({ sets, dormancy }, group) => {
      const rate = space.rates.failure[group]!;
      const present = space.present(state, group);
      let working = 0;
      for (const set of sets) {
        const count = now.workingOf[set]![group]!;
        working += count;
        if (count > 0) this.fail(state, group, set, count * rate, emit);
      }
      if (sets.length === 0 && !space.isDown(state, group)) {
        working = present;
        if (present > 0) this.fail(state, group, undefined, present * rate, emit);
      }
      // Those that wait, and those where nothing works at present.
      const others = present - working;
      if (others > 0 && dormancy > 0) emit(this.clamped(this.failed(state, group, 1)), others * rate * dormancy);
    });
  }

  private failed(state: readonly number[], group: number, count: number): number[] {
    const next = [...state];
    if (this.space.plan.groups[group]!.inspection === undefined) this.space.enqueue(next, group, count);
    else next[this.space.hidden[group]!]! += count;
    return next;
  }

  /** A working unit fails: covered or not, and taken over from or not. */
  private fail(state: readonly number[], group: number, set: number | undefined, rate: number, emit: Emit): void {
    const { coverage } = this.space.plan.groups[group]!;
    const next = this.failed(state, group, 1);
    // Without others at work there is nothing to cover; a group that has stopped already has none.
    const uncovered = coverage === undefined || this.now.groupWorking[group]! <= 1 ? 0 : 1 - coverage.probability;
    const lost = new Map(set === undefined ? [] : [[set, 1]]);
    if (uncovered < 1) this.takeOver(next, lost, rate * (1 - uncovered), emit);
    if (uncovered === 0) return;
    const stopped = [...next];
    stopped[this.space.stopped[group]!] = 1;
    this.takeOver(stopped, lost, rate * uncovered, emit);
  }

  /** Working units were lost to sets: whoever takes their place may fail to, and may need time. */
  private takeOver(next: number[], lost: ReadonlyMap<number, number>, rate: number, emit: Emit): void {
    const { space, now, after } = this;
    space.assign(next, after);
    let branches: { state: number[]; rate: number }[] = [{ state: next, rate }];
    for (const [set, units] of lost) {
      const takeovers = units - (now.setTaken[set]! - after.setTaken[set]!);
      const { switching, takeover } = space.plan.sets[set]!;
      if (takeovers <= 0 || (switching === 1 && takeover === undefined)) continue;
      branches = branches.flatMap((branch) =>
        Array.from({ length: takeovers + 1 }, (_, failing) => {
          const state = [...branch.state];
          state[space.stuck[set]!]! += failing;
          if (takeover !== undefined) state[space.starting[set]!]! += takeovers - failing;
          return { state, rate: branch.rate * binomial(takeovers, failing, 1 - switching) };
        }),
      );
    }
    for (const branch of branches) if (branch.rate > 0) emit(this.clamped(branch.state), branch.rate);
  }

  /** No more take-overs are open than units are there for. */
  private clamped(state: number[]): number[] {
    const { space, after } = this;
    if (space.plan.sets.length === 0) return state;
    space.assign(state, after);
    space.plan.sets.forEach((_, set) => {
      const taken = after.setTaken[set]!;
      state[space.stuck[set]!] = Math.min(state[space.stuck[set]!]!, taken);
      state[space.starting[set]!] = Math.min(state[space.starting[set]!]!, taken - state[space.stuck[set]!]!);
    });
    return state;
  }

  private shocks(state: readonly number[], emit: Emit): void {
    const { space } = this;
    space.plan.shocks.forEach(({ groups }, shock) => {
      let branches: { state: readonly number[]; lost: Map<number, number>; rate: number }[] = [
        { state, lost: new Map(), rate: space.rates.shocks[shock]! },
      ];
      for (const { group, probability } of groups) {
        branches = branches.flatMap((branch) => this.struck(state, branch, group, probability));
      }
      for (const branch of branches) if (branch.state !== state) this.takeOver([...branch.state], branch.lost, branch.rate, emit);
    });
  }

  /** How many units of a group a shock takes, and of those how many were working in which set: without replacement, waiting ones last in order. */
  private struck(
    state: readonly number[],
    branch: { state: readonly number[]; lost: Map<number, number>; rate: number },
    group: number,
    probability: number,
  ): (typeof branch)[] {
    const present = this.space.present(state, group);
    const parts = this.space.plan.groups[group]!.sets.map((set) => ({ set, count: this.now.workingOf[set]![group]! }));
    const rest = present - parts.reduce((sum, { count }) => sum + count, 0);
    let outcomes: { total: number; lost: Map<number, number>; rate: number }[] = [{ total: 0, lost: branch.lost, rate: branch.rate }];
    for (const { set, count } of [...parts, { set: undefined, count: rest }]) {
      outcomes = outcomes.flatMap(({ total, lost, rate }) =>
        Array.from({ length: count + 1 }, (_, failing) => ({
          total: total + failing,
          lost: set === undefined || failing === 0 ? lost : new Map(lost).set(set, (lost.get(set) ?? 0) + failing),
          rate: rate * binomial(count, failing, probability),
        })).filter((outcome) => outcome.rate > 0),
      );
    }
    return outcomes.map(({ total, lost, rate }) => ({
      state: total === 0 ? branch.state : this.failed(branch.state, group, total),
      lost,
      rate,
    }));
  }

  private maintenance(state: readonly number[], emit: Emit): void {
    const { space } = this;
    space.rates.maintenance.forEach(({ begin }, group) => {
      if (begin === 0 || state[space.away[group]!]! > 0 || space.present(state, group) === 0 || space.isDown(state, group)) return;
      const next = [...state];
      next[space.away[group]!] = 1;
      if (space.assign(next, this.after)) emit(this.clamped(next), begin);
    });
  }

  private repairs(state: readonly number[], emit: Emit): void {
    const { space } = this;
    space.plan.groups.forEach(({ crew, repair }, group) => {
      if (crew !== -1 || repair === undefined) return;
      const rates = space.rates.repair[group]!;
      rates.forEach((rate, stage) => {
        const count = state[space.mending[group]! + stage]!;
        if (count === 0) return;
        const next = [...state];
        next[space.mending[group]! + stage]!--;
        if (stage + 1 < rates.length) next[space.mending[group]! + stage + 1]!++;
        emit(stage + 1 < rates.length ? next : this.mended(next, group), count * rate);
      });
    });
    space.plan.crews.forEach(({ size }, crew) => {
      for (let at = 0; at < Math.min(size, space.queueLength[crew]!); at++) {
        const entry = state[space.queue[crew]! + at]!;
        if (entry === 0) break;
        this.serve(state, crew, at, entry, emit);
      }
    });
  }

  private serve(state: readonly number[], crew: number, at: number, entry: number, emit: Emit): void {
    const { space } = this;
    const [group, stage] = [space.groupOfEntry(entry), space.stageOfEntry(entry)];
    const rates = space.rates.repair[group]!;
    const next = [...state];
    if (stage + 1 < rates.length) {
      next[space.queue[crew]! + at] = space.entry(group, stage + 1);
      space.settle(next, crew);
      emit(next, rates[stage]!);
      return;
    }
    space.dequeue(next, crew, at);
    emit(this.mended(next, group), rates[stage]!);
  }

  /** A repair in a set puts right what did not take over. */
  private mended(next: number[], group: number): number[] {
    for (const set of this.space.plan.groups[group]!.sets) next[this.space.stuck[set]!] = 0;
    return this.clamped(next);
  }

  /** The state after an inspection of all inspected groups at once. */
  inspected(state: readonly number[]): number[] {
    const next = [...state];
    this.space.plan.groups.forEach(({ inspection }, group) => {
      if (inspection !== undefined) this.find(next, group);
    });
    return next;
  }

  private find(next: number[], group: number): void {
    const hidden = next[this.space.hidden[group]!]!;
    next[this.space.hidden[group]!] = 0;
    if (hidden > 0) this.space.enqueue(next, group, hidden);
  }

  private recoveries(state: readonly number[], emit: Emit): void {
    const { space } = this;
    const change = (rate: number, apply: (next: number[]) => void): void => {
      if (rate === 0) return;
      const next = [...state];
      apply(next);
      emit(this.clamped(next), rate);
    };
    space.plan.groups.forEach((_, group) => {
      if (state[space.hidden[group]!]! > 0) change(space.rates.inspection[group]!, (next) => this.find(next, group));
      if (state[space.away[group]!]! > 0) change(space.rates.maintenance[group]!.end, (next) => void (next[space.away[group]!] = 0));
      if (state[space.stopped[group]!]! > 0) change(space.rates.stopped[group]!, (next) => void (next[space.stopped[group]!] = 0));
    });
    space.plan.sets.forEach((_, set) => {
      const [starting, stuck] = [state[space.starting[set]!]!, state[space.stuck[set]!]!];
      if (starting > 0) change(starting * space.rates.takeover[set]!, (next) => void next[space.starting[set]!]!--);
      if (stuck > 0) change(stuck * space.rates.recovery[set]!, (next) => void next[space.stuck[set]!]!--);
    });
  }

  private sites(state: readonly number[], emit: Emit): void {
    const { space } = this;
    space.rates.sites.forEach(({ failure, repair }, site) => {
      const next = [...state];
      if (state[space.siteDown[site]!] === 1) {
        next[space.siteDown[site]!] = 0;
        emit(this.clamped(next), repair);
        return;
      }
      next[space.siteDown[site]!] = 1;
      const lost = new Map<number, number>();
      for (const group of space.plan.sites[site]!.groups) {
        for (const set of space.plan.groups[group]!.sets) lost.set(set, (lost.get(set) ?? 0) + this.now.workingOf[set]![group]!);
      }
      this.takeOver(next, lost, failure, emit);
    });
  }
}

/** P(k of n) with probability p each. */
function binomial(n: number, k: number, p: number): number {
  let value = p ** k * (1 - p) ** (n - k);
  for (let at = 0; at < k; at++) value *= (n - at) / (at + 1);
  return value;
}

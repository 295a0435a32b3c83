import { HoldfastError } from '../../core/errors.ts';
import { nearest } from '../../core/nearest.ts';
import { assertDistribution, type Distribution } from '../distribution/distribution.ts';
import type { Condition, Crew, Site, StandbySet, SystemDescription, UnitGroup } from './system.ts';

/** A description with names looked up: groups, sets and crews are numbers, in the order in which they were given. */
export interface SystemPlan {
  readonly groups: readonly PlannedGroup[];
  readonly sets: readonly PlannedSet[];
  readonly crews: readonly PlannedCrew[];
  readonly sites: readonly {
    readonly name: string;
    readonly groups: readonly number[];
    readonly failure: Distribution;
    readonly repair: Distribution;
  }[];
  readonly shocks: readonly PlannedShock[];
  readonly isUp: Judge;
  readonly rests: boolean;
}

export interface PlannedGroup extends UnitGroup {
  /** Crew that mends it; −1: one of its own for every unit. */
  readonly crew: number;
  /** Its place in the crew's order. */
  readonly rank: number;
  /** Standby sets that it is in. */
  readonly sets: readonly number[];
  readonly sites: readonly number[];
  /** Share of the failure rate while it waits; 1 for groups in no set. */
  readonly dormancy: number;
}

export interface PlannedSet extends Omit<StandbySet, 'groups'> {
  readonly groups: readonly number[];
  readonly dormancy: number;
  readonly switching: number;
}

export interface PlannedCrew extends Omit<Crew, 'groups'> {
  readonly groups: readonly number[];
  readonly discipline: NonNullable<Crew['discipline']>;
}

export interface PlannedShock {
  readonly name: string;
  readonly time: Distribution;
  readonly groups: readonly { readonly group: number; readonly probability: number }[];
}

/** Whether the system is up, by how many units work in each group and in each set. */
export type Judge = (groupWorking: ArrayLike<number>, setWorking: ArrayLike<number>) => boolean;

/**
 * Checks a description and looks its names up.
 * @throws MODEL_SYSTEM_INVALID, MODEL_DISTRIBUTION_INVALID
 */
export function planOf(description: SystemDescription): SystemPlan {
  const names = new Names(description);
  const sets = (description.standby ?? []).map((set) => plannedSet(set, names));
  const crews = (description.crews ?? []).map((crew) => plannedCrew(crew, names));
  const sites = (description.sites ?? []).map((site) => plannedSite(site, names));
  if (description.groups.length === 0) throw invalid('a system needs at least one group of units');
  const groups = description.groups.map((group, index): PlannedGroup => {
    assertGroup(group);
    const mending = crews.flatMap((crew, at) => (crew.groups.includes(index) ? [at] : []));
    if (mending.length > 1)
      throw invalid(`'${group.name}' is mended by several crews: ${mending.map((at) => `'${crews[at]!.name}'`).join(' and ')}`);
    if (mending.length === 1 && group.repair === undefined) throw invalid(`'${group.name}' has a crew, but no time to repair`);
    const within = sets.flatMap((set, at) => (set.groups.includes(index) ? [at] : []));
    const dormancies = new Set(within.map((at) => sets[at]!.dormancy));
    if (dormancies.size > 1) throw invalid(`'${group.name}' is in standby sets of different dormancy: ${[...dormancies].join(', ')}`);
    const crew = mending[0] ?? -1;
    return {
      ...group,
      crew,
      rank: crew === -1 ? 0 : crews[crew]!.groups.indexOf(index),
      sets: within,
      sites: sites.flatMap((site, at) => (site.groups.includes(index) ? [at] : [])),
      dormancy: [...dormancies][0] ?? 1,
    };
  });
  const shocks = (description.commonCauses ?? []).map((cause) => {
    assertDistribution(cause.time, `common cause '${cause.name}'`);
    const parts = cause.groups.map(({ group, probability }) => {
      assertPart(`the probability of '${group}' in common cause '${cause.name}'`, probability);
      return { group: names.group(group), probability };
    });
    return { name: cause.name, time: cause.time, groups: parts };
  });
  const isUp = judgeOf(description.up ?? defaultCondition(description), names);
  return { groups, sets, crews, sites, shocks, isUp, rests: description.whenDown === 'rests' };
}

/** Finds groups and sets by their names. */
class Names {
  private readonly groups: ReadonlyMap<string, number>;
  private readonly sets: ReadonlyMap<string, number>;

  constructor(description: SystemDescription) {
    this.groups = numbered('group', description.groups);
    this.sets = numbered('standby set', description.standby ?? []);
    for (const name of this.sets.keys()) if (this.groups.has(name)) throw invalid(`a group and a standby set are both named '${name}'`);
    numbered('crew', description.crews ?? []);
    numbered('site', description.sites ?? []);
  }

  group(name: string): number {
    const found = this.groups.get(name);
    if (found === undefined) throw unknown('group', name, this.groups.keys());
    return found;
  }

  /** Groups that are named once each, one at least. */
  groupsOf(whose: string, names: readonly string[]): number[] {
    const found = [...new Set(names.map((name) => this.group(name)))];
    if (found.length !== names.length) throw invalid(`${whose} names a group twice`);
    if (found.length === 0) throw invalid(`${whose} has no groups`);
    return found;
  }

  groupOrSet(name: string): { group: number } | { set: number } {
    const set = this.sets.get(name);
    if (set !== undefined) return { set };
    const group = this.groups.get(name);
    if (group === undefined) throw unknown('group or standby set', name, [...this.groups.keys(), ...this.sets.keys()]);
    return { group };
  }
}

function numbered(what: string, items: readonly { readonly name: string }[]): Map<string, number> {
  const numbers = new Map<string, number>();
  items.forEach(({ name }, index) => {
    if (numbers.has(name)) throw invalid(`there are two of the kind ${what} named '${name}'`);
    numbers.set(name, index);
  });
  return numbers;
}

function assertGroup(group: UnitGroup): void {
  const { name, count, coverage, inspection, maintenance } = group;
  assertCount(`the count of '${name}'`, count);
  assertDistribution(group.failure, `failure of '${name}'`);
  if (group.repair !== undefined) assertDistribution(group.repair, `repair of '${name}'`);
  if (coverage !== undefined) {
    assertPart(`the coverage of '${name}'`, coverage.probability);
    assertDistribution(coverage.recovery, `recovery of '${name}'`);
  }
  const intervals = [inspection?.interval, maintenance?.interval].filter((interval) => interval !== undefined);
  for (const interval of intervals)
    if (!(interval > 0 && interval < Infinity)) throw invalid(`an interval of '${name}' must be above 0, but is ${interval}`);
  if (maintenance !== undefined) assertDistribution(maintenance.duration, `maintenance of '${name}'`);
  if (inspection !== undefined && group.repair === undefined) throw invalid(`'${name}' is inspected, but has no time to repair`);
}

function plannedSet(set: StandbySet, names: Names): PlannedSet {
  const { name, dormancy = 1, switching = 1, recovery, takeover } = set;
  assertCount(`the working units of standby set '${name}'`, set.working);
  assertPart(`the dormancy of standby set '${name}'`, dormancy);
  assertPart(`the switching of standby set '${name}'`, switching);
  if (recovery !== undefined) assertDistribution(recovery, `recovery of '${name}'`);
  if (takeover !== undefined) assertDistribution(takeover, `take-over of '${name}'`);
  return { ...set, groups: names.groupsOf(`standby set '${name}'`, set.groups), dormancy, switching };
}

function plannedCrew(crew: Crew, names: Names): PlannedCrew {
  assertCount(`the size of crew '${crew.name}'`, crew.size);
  return { ...crew, groups: names.groupsOf(`crew '${crew.name}'`, crew.groups), discipline: crew.discipline ?? 'fifo' };
}

function plannedSite(site: Site, names: Names): SystemPlan['sites'][number] {
  assertDistribution(site.failure, `failure of site '${site.name}'`);
  assertDistribution(site.repair, `repair of site '${site.name}'`);
  return { ...site, groups: names.groupsOf(`site '${site.name}'`, site.groups) };
}

function defaultCondition({ groups, standby = [] }: SystemDescription): Condition {
  const inSets = new Set(standby.flatMap((set) => set.groups));
  return {
    all: [
      ...groups.filter(({ name }) => !inSets.has(name)).map(({ name }) => ({ working: [name], atLeast: 1 })),
      ...standby.map(({ name, working }) => ({ working: [name], atLeast: working })),
    ],
  };
}

/** Compiles a condition to one function. */
function judgeOf(condition: Condition, names: Names): Judge {
  if ('not' in condition) {
    const inner = judgeOf(condition.not, names);
    return (groups, sets) => !inner(groups, sets);
  }
  if ('working' in condition) return countOf(condition, names);
  const parts = 'all' in condition ? condition.all : 'any' in condition ? condition.any : condition.of;
  const needed = 'all' in condition ? parts.length : 'any' in condition ? 1 : condition.atLeast;
  if (!(Number.isInteger(needed) && needed >= 1 && needed <= parts.length))
    throw invalid(`a condition asks for ${needed} of ${parts.length}`);
  const judges = parts.map((part) => judgeOf(part, names));
  return (groups, sets) => {
    let held = 0;
    for (const judge of judges) if (judge(groups, sets) && ++held === needed) return true;
    return false;
  };
}

function countOf({ working, atLeast }: { readonly working: readonly string[]; readonly atLeast: number }, names: Names): Judge {
  if (!(Number.isInteger(atLeast) && atLeast >= 0))
    throw invalid(`a condition asks for ${atLeast} working units of '${working.join("', '")}'`);
  const found = working.map((name) => names.groupOrSet(name));
  const groups = found.flatMap((item) => ('group' in item ? [item.group] : []));
  const sets = found.flatMap((item) => ('set' in item ? [item.set] : []));
  const [only] = groups;
  if (only !== undefined && groups.length === 1 && sets.length === 0) return (groupWorking) => groupWorking[only]! >= atLeast;
  return (groupWorking, setWorking) => {
    let sum = 0;
    for (const group of groups) sum += groupWorking[group]!;
    for (const set of sets) sum += setWorking[set]!;
    return sum >= atLeast;
  };
}

/** Numbers of units are kept in 16 bits. */
const COUNT_MAX = 50_000;

function assertCount(what: string, value: number): void {
  if (!(Number.isInteger(value) && value >= 1 && value <= COUNT_MAX))
    throw invalid(`${what} must be a whole number from 1 to ${COUNT_MAX}, but is ${value}`);
}

function assertPart(what: string, value: number): void {
  if (!(value >= 0 && value <= 1)) throw invalid(`${what} must be from 0 to 1, but is ${value}`);
}

function unknown(what: string, name: string, names: Iterable<string>): HoldfastError {
  const guess = nearest(name, names);
  return invalid(`no ${what} is named '${name}'${guess === undefined ? '' : `; did you mean '${guess}'?`}`);
}

function invalid(message: string): HoldfastError {
  return new HoldfastError('MODEL_SYSTEM_INVALID', message, { hint: 'Correct the description of the system.' });
}

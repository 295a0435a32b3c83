import { HoldfastError } from '../../core/errors.ts';
import type { Distribution } from '../distribution/distribution.ts';
import { exponential } from '../distribution/distribution.ts';
import type { Condition, Crew, Site, StandbySet, SystemDescription, UnitGroup } from '../system/system.ts';
import type { ExpressionInput } from './expression.ts';
import { gateOf } from './expression.ts';
import type { LawInput } from './law.ts';
import { distributionOf, meanOf } from './law.ts';
import { copiesOf } from './names.ts';
import type { Component, Model } from './schema.ts';
import { rateOf } from './to-structure.ts';

/**
 * A model as units that fail and are mended, whose repairs wait for a crew and whose spares wait for their turn. Copies of a component that are
 * only ever named together (`name.*`) are one group: they are counted instead of told apart.
 * @throws MODEL_METHOD_UNFIT for what such a system can not have
 */
export function systemOf(model: Model): SystemDescription {
  const groups = groupsOf(model);
  const groupsNamed = (names: readonly string[]) => names.flatMap((name) => groups.byName.get(name) ?? []);
  const standby = Object.entries(model.standby ?? {}).map(([name, set]): StandbySet => {
    const working = groupsNamed(set.active).reduce((sum, group) => sum + groups.count(group), 0);
    return {
      name,
      groups: groupsNamed([...set.active, ...set.spares]),
      working,
      ...(set.dormancy === undefined ? {} : { dormancy: set.dormancy }),
      ...(set.switching === undefined ? {} : { switching: set.switching }),
      ...(set.takeover === undefined ? {} : { takeover: timeOf(set.takeover) }),
      ...(set.recovery === undefined ? {} : { recovery: timeOf(set.recovery) }),
    };
  });
  const crews = crewsOf(model, groups.list, groupsNamed);
  const sites = Object.entries(model.sites ?? {}).map(([name, site]): Site => {
    const rate = rateOf(site);
    if (rate === undefined || site.mttr === undefined) throw unfit(`site '${name}' needs a rate or mtbf and an mttr`);
    return { name, groups: groupsNamed(site.members), failure: exponential(1 / rate), repair: timeOf(site.mttr) };
  });
  return {
    groups: groups.list,
    ...(standby.length === 0 ? {} : { standby }),
    ...(crews.length === 0 ? {} : { crews }),
    ...(sites.length === 0 ? {} : { sites }),
    up: new Conditions(model, groups, standby).works(model.structure!),
  };
}

/** Groups, and which of them a name of the file means. */
interface Groups {
  readonly list: readonly UnitGroup[];
  readonly byName: ReadonlyMap<string, readonly string[]>;
  readonly count: (group: string) => number;
}

function groupsOf(model: Model): Groups {
  const apart = namedApart(model);
  const list: UnitGroup[] = [];
  const byName = new Map<string, readonly string[]>();
  for (const [name, component] of Object.entries(model.components ?? {})) {
    const copies = copiesOf(name, component.count);
    const together = component.count !== undefined && !copies.some((copy) => apart.has(copy)) && !apart.has(`${name}.*`);
    const unit = unitOf(name, component);
    if (together) list.push({ ...unit, name, count: copies.length });
    else list.push(...copies.map((copy) => ({ ...unit, name: copy, count: 1 })));
    for (const copy of copies) byName.set(copy, [together ? name : copy]);
    if (component.count !== undefined) byName.set(`${name}.*`, together ? [name] : copies);
  }
  const counts = new Map(list.map(({ name, count }) => [name, count]));
  return { list, byName, count: (group) => counts.get(group)! };
}

/** Single copies that are named anywhere, and wildcards whose copies have to be told apart because a k-of-n mixes them with gates. */
function namedApart(model: Model): ReadonlySet<string> {
  const named = new Set<string>();
  const components = model.components ?? {};
  const isGroup = (part: ExpressionInput) =>
    typeof part === 'string' && (Object.hasOwn(components, part) || part.endsWith('.*') || /\.\d+$/.test(part));
  const visit = (expression: ExpressionInput): void => {
    if (typeof expression === 'string' && !expression.endsWith('.*')) named.add(expression);
    if (typeof expression !== 'object') return;
    const { parts, gate } = gateOf(expression);
    if ((gate === 'k-of-n' || gate === 'atleast') && !parts.every(isGroup)) {
      for (const part of parts) if (typeof part === 'string') named.add(part);
    }
    for (const part of parts) visit(part);
  };
  for (const expression of [...Object.values(model.parts ?? {}), model.structure!]) visit(expression);
  const lists = [
    ...Object.values(model.sites ?? {}).map(({ members }) => members),
    ...Object.values(model.standby ?? {}).flatMap(({ active, spares }) => [active, spares]),
    model.repair?.priority ?? [],
  ];
  for (const name of lists.flat()) if (!name.endsWith('.*')) named.add(name);
  return named;
}

function unitOf(name: string, component: Component): Omit<UnitGroup, 'count'> {
  const { weibull, lognormal, mttr, test, mission } = component;
  if (test ?? mission) throw unfit(`'${name}' is ${test ? 'tested' : 'looked at after a mission'}, which structures alone can solve`);
  const rate = rateOf(component);
  if (rate === undefined && !weibull && !lognormal) throw unfit(`'${name}' is given by a probability, and has no time to fail`);
  if (weibull?.delay !== undefined && weibull.delay > 0) throw unfit(`the life of '${name}' begins with a delay`);
  const failure: Distribution =
    rate !== undefined
      ? exponential(1 / rate)
      : weibull
        ? { kind: 'weibull', shape: weibull.shape, scale: weibull.scale }
        : { kind: 'lognormal', mu: Math.log(lognormal!.median), sigma: lognormal!.sigma };
  if (mttr !== undefined && meanOf(mttr) === 0) throw unfit(`the repair of '${name}' takes no time`);
  return { name, failure, ...(mttr === undefined ? {} : { repair: timeOf(mttr) }) };
}

function timeOf(law: LawInput): Distribution {
  return distributionOf(law, 'exponential');
}

function crewsOf({ repair }: Model, list: readonly UnitGroup[], groupsNamed: (names: readonly string[]) => string[]): Crew[] {
  if (repair?.crews === undefined) return [];
  const first = groupsNamed(repair.priority ?? []);
  const others = list.filter(({ name, repair: mended }) => mended !== undefined && !first.includes(name)).map(({ name }) => name);
  return [
    {
      name: 'crew',
      size: repair.crews,
      groups: [...first, ...others],
      discipline: repair.discipline ?? (first.length > 0 ? 'priority' : 'fifo'),
    },
  ];
}

/** Turns "fails when" into "works when". */
class Conditions {
  readonly #model: Model;
  readonly #groups: Groups;
  readonly #sets: readonly StandbySet[];

  constructor(model: Model, groups: Groups, sets: readonly StandbySet[]) {
    this.#model = model;
    this.#groups = groups;
    this.#sets = sets;
  }

  works(expression: ExpressionInput): Condition {
    if (typeof expression === 'boolean') throw unfit('house events are for structures alone');
    if (typeof expression === 'string') return this.#named(expression);
    const { gate, k, parts } = gateOf(expression);
    const all = (): Condition => ({ all: parts.map((part) => this.#every(part, 'all')) });
    const any = (): Condition => ({ any: parts.map((part) => this.#every(part, 'any')) });
    switch (gate) {
      case 'series':
      case 'or':
        return all();
      case 'parallel':
      case 'and':
        return any();
      case 'k-of-n':
        return this.#atLeast(parts, k!);
      case 'atleast':
        return this.#atLeast(parts, this.#sizeOf(parts) - k! + 1);
      case 'not':
        return { not: this.works(parts[0]!) };
      case 'nand':
        return { not: any() };
      case 'nor':
        return { not: all() };
      case 'xor':
        throw unfit("a gate 'xor' is for structures alone");
    }
  }

  #named(name: string): Condition {
    const set = this.#sets.find((each) => each.name === name);
    if (set) return { working: [name], atLeast: set.working };
    const groups = this.#groups.byName.get(name);
    if (groups) return { working: groups, atLeast: groups.reduce((sum, group) => sum + this.#groups.count(group), 0) };
    const part = this.#model.parts?.[name];
    if (part === undefined) throw unfit(`'${name}' is a site; name what stands in it`);
    return this.works(part);
  }

  /** A wildcard in a series needs all of its copies, in parallel one. */
  #every(part: ExpressionInput, of: 'all' | 'any'): Condition {
    if (typeof part !== 'string' || !part.endsWith('.*')) return this.works(part);
    const groups = this.#groups.byName.get(part)!;
    return { working: groups, atLeast: of === 'any' ? 1 : groups.reduce((sum, group) => sum + this.#groups.count(group), 0) };
  }

  #atLeast(parts: readonly ExpressionInput[], least: number): Condition {
    const names = parts.flatMap((part) => (typeof part === 'string' ? (this.#groups.byName.get(part) ?? []) : []));
    if (parts.every((part) => typeof part === 'string' && this.#groups.byName.has(part))) return { working: names, atLeast: least };
    const conditions = parts.flatMap((part): Condition[] => {
      const groups = typeof part === 'string' ? this.#groups.byName.get(part) : undefined;
      return groups ? groups.map((group) => ({ working: [group], atLeast: 1 })) : [this.works(part)];
    });
    return { of: conditions, atLeast: least };
  }

  #sizeOf(parts: readonly ExpressionInput[]): number {
    return parts.reduce<number>((sum, part) => {
      const groups = typeof part === 'string' ? this.#groups.byName.get(part) : undefined;
      return sum + (groups ? groups.reduce((count, group) => count + this.#groups.count(group), 0) : 1);
    }, 0);
  }
}

function unfit(what: string): HoldfastError {
  return new HoldfastError('MODEL_METHOD_UNFIT', `no system of crews and spares can be made of this model: ${what}`, {
    hint: 'Give it a rate and an mttr, or leave out repair and standby.',
  });
}

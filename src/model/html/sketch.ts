import type { ExpressionInput, Gate } from '../file/expression.ts';
import { gateOf } from '../file/expression.ts';
import { meanOf } from '../file/law.ts';
import { namesOf } from '../file/names.ts';
import type { Component, Model } from '../file/schema.ts';
import { hours, number, percent } from '../format.ts';

/** What a diagram shows of a structure: a tree, in which what stands in several places is drawn out once. */
export type Sketch =
  | { readonly kind: 'part'; readonly name: string; readonly note: string; readonly house?: boolean; readonly again?: boolean }
  | {
      readonly kind: 'gate';
      readonly gate: Gate;
      readonly k?: number;
      readonly name?: string;
      readonly count: number;
      readonly of: Sketch[];
    }
  /** Not drawn out any further: there is no room, or it is drawn elsewhere. */
  | { readonly kind: 'folded'; readonly name: string; readonly note: string };

/** Boxes and gates of one diagram: more than that nobody reads. */
const drawnMax = 250;
/** Copies that are drawn one by one. */
const copiesMax = 4;

/** The structure of a model, from the top down: what is deep is left out first. */
export function sketchOf(model: Model): Sketch {
  const describe = describerOf(model);
  const names = namesOf(model);
  const drawn = new Set<string>();
  const pending: (() => void)[] = [];
  let left = drawnMax;
  const sketch = (expression: ExpressionInput, name?: string): Sketch => {
    left--;
    if (typeof expression === 'boolean') return { kind: 'part', name: expression ? 'failed' : 'works', note: 'house event', house: true };
    if (typeof expression === 'string') return named(expression);
    const { gate, k, parts } = gateOf(expression);
    const of: Sketch[] = [];
    const count = parts.reduce((sum: number, part) => sum + (typeof part === 'string' ? (names.get(part)?.length ?? 1) : 1), 0);
    pending.push(() => of.push(...childrenOf(parts)));
    return { kind: 'gate', gate, count, of, ...(k === undefined ? {} : { k }), ...(name === undefined ? {} : { name }) };
  };
  const childrenOf = (parts: readonly ExpressionInput[]): Sketch[] => {
    const each = parts.flatMap((part) => (typeof part === 'string' && part.endsWith('.*') ? copies(part) : [() => sketch(part)]));
    // What is more than there is room for becomes one node; at least one part of each gate is told.
    const shown = each.length <= Math.max(1, left) ? each : each.slice(0, Math.max(1, left - 1));
    const children = shown.map((draw, index) => (left > 0 ? draw() : folded(parts[Math.min(index, parts.length - 1)]!)));
    return shown.length === each.length
      ? children
      : [...children, { kind: 'folded', name: `${each.length - shown.length} more`, note: 'not drawn' }];
  };
  const copies = (wildcard: string): (() => Sketch)[] => {
    const all = names.get(wildcard) ?? [];
    if (all.length <= copiesMax) return all.map((copy) => () => sketch(copy));
    return [() => ({ kind: 'part', name: `${all[0]} … ${all.at(-1)}`, note: `${all.length} alike: ${describe(all[0]!)}` })];
  };
  const named = (name: string): Sketch => {
    const again = drawn.has(name);
    drawn.add(name);
    const part = model.parts?.[name];
    if (part === undefined) return { kind: 'part', name, note: describe(name), again };
    if (again) return { kind: 'folded', name, note: 'as drawn elsewhere' };
    const inner = sketch(part, name);
    // A part that only gives another one a second name.
    return inner.kind === 'gate' ? inner : { ...inner, note: `${name}: ${inner.note}` };
  };
  const folded = (expression: ExpressionInput): Sketch =>
    typeof expression === 'object'
      ? { kind: 'folded', name: gateOf(expression).gate, note: `${gateOf(expression).parts.length} parts, not drawn` }
      : { kind: 'folded', name: String(expression), note: 'not drawn' };
  const top = sketch(model.structure!);
  for (let next = pending.shift(); next !== undefined; next = pending.shift()) next();
  return top;
}

/** How a part fails, in a few words, by the name that structures use. */
export function describerOf(model: Model): (name: string) => string {
  const names = namesOf(model);
  const within = (name: string, groups: Readonly<Record<string, { readonly members: readonly string[] }>> = {}) =>
    Object.entries(groups)
      .filter(([, { members }]) => members.some((member) => names.get(member)?.includes(name)))
      .map(([group]) => group);
  return (name) => {
    const component = model.components?.[name] ?? model.components?.[name.replace(/\.(?:\d+|\*)$/, '')];
    if (component) {
      const sites = within(name, model.sites);
      const causes = within(name, model.commonCause);
      return [lifeOf(component), ...sites.map((site) => `in ${site}`), ...causes.map((group) => `group ${group}`)].join(', ');
    }
    const site = model.sites?.[name];
    if (site) return lifeOf(site);
    const set = model.standby?.[name];
    return set ? `${set.active.join(', ')}; ${set.spares.length === 1 ? 'spare' : 'spares'} ${set.spares.join(', ')}` : '';
  };
}

function lifeOf(part: Partial<Component>): string {
  const { rate, mtbf, afr, probability, unavailability, availability, weibull, lognormal, mttr, test, mission } = part;
  const fails = [
    rate !== undefined && `${number(rate)} failures/h`,
    mtbf !== undefined && `MTBF ${hours(mtbf)}`,
    afr !== undefined && `AFR ${number(afr * 100)}%`,
    (probability ?? unavailability) !== undefined && `Q = ${number((probability ?? unavailability)!)}`,
    availability !== undefined && `A = ${percent(1 - availability)}`,
    weibull && `Weibull, shape ${number(weibull.shape)}, scale ${hours(weibull.scale)}`,
    lognormal && `lognormal, median ${hours(lognormal.median)}`,
    mttr !== undefined && `MTTR ${hours(meanOf(mttr))}`,
    test && `tested every ${hours(test.every)}`,
    mission !== undefined && `mission of ${hours(mission)}`,
  ];
  return fails.filter(Boolean).join(', ');
}

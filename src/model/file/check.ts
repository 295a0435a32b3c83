import { nearest } from '../../core/nearest.ts';
import type { ExpressionInput } from './expression.ts';
import { gateOf } from './expression.ts';
import { checkChains } from './check-chains.ts';
import { checkStructure } from '../structure/check.ts';
import { namesOf } from './names.ts';
import type { Model } from './schema.ts';
import { structureOf } from './to-structure.ts';

/** Something wrong with a model that its schema could not see. */
export interface ModelProblem {
  /** Keys and indexes from the top of the file. */
  readonly path: readonly (string | number)[];
  /** The key is meant, not its value. */
  readonly atKey?: boolean;
  /** What was found, what is meant. */
  readonly message: string;
}

/** Names that do not exist, numbers that can not be, circles, chains without the answer that was asked for. Empty when all is well. */
export function checkModel(model: Model): ModelProblem[] {
  // Nothing else is looked at where there is too much to look at.
  const tooMany = checkSize(model);
  if (tooMany.length > 0) return tooMany;
  const problems = [
    ...checkContents(model),
    ...checkNames(model),
    ...checkExpressions(model),
    ...checkCircles(model),
    ...checkMembers(model),
    ...checkChains(model),
  ];
  return problems.length > 0 ? problems : checkSolvable(model);
}

/** Parts of a model, each copy counted. */
const partsMax = 20_000;

function checkSize({ components = {} }: Model): ModelProblem[] {
  let sum = 0;
  for (const [name, { count = 1 }] of Object.entries(components)) {
    sum += count;
    if (sum > partsMax) return [{ path: ['components', name], atKey: true, message: `makes more than ${partsMax} parts in all` }];
  }
  return [];
}

/** What only the solver knows of parts and of common causes: factors that do not sum to 1, groups that stand for too many events. */
function checkSolvable(model: Model): ModelProblem[] {
  if (model.structure === undefined || Object.keys(model.standby ?? {}).length > 0) return [];
  return checkStructure(structureOf(model)).map(({ path: [kind, name = ''], message, hint }) => {
    const group = kind === 'groups' ? model.commonCause?.[name] : undefined;
    const key = group && (['beta', 'mgl', 'alpha', 'phi', 'basic'] as const).find((each) => group[each] !== undefined);
    const path = group ? ['commonCause', name, ...(key === undefined ? [] : [key])] : ['components', String(name).replace(/\.\d+$/, '')];
    return { path, message: `${message}; ${hint}` };
  });
}

function checkContents(model: Model): ModelProblem[] {
  const asks = (['structure', 'chains', 'storage', 'recovery'] as const).some((key) => model[key] !== undefined);
  const problems: ModelProblem[] = asks
    ? []
    : [{ path: [], message: 'there is nothing to compute: add structure, chains, storage or recovery' }];
  if (model.structure === undefined) {
    for (const key of ['compute', 'parts', 'commonCause', 'sites', 'repair', 'standby'] as const) {
      if (model[key] !== undefined)
        problems.push({ path: [key], atKey: true, message: "has no meaning without 'structure', which says when the system fails" });
    }
  }
  return problems;
}

/** Components, parts and sites share one space of names: an expression may name any of them. */
function checkNames(model: Model): ModelProblem[] {
  const components = Object.keys(model.components ?? {});
  const sites = Object.keys(model.sites ?? {});
  return [
    ...sites
      .filter((name) => components.includes(name))
      .map((name) => ({ path: ['sites', name], atKey: true, message: 'is the name of a component too; one of them needs another' })),
    ...Object.keys(model.parts ?? {})
      .filter((name) => components.includes(name) || sites.includes(name))
      .map((name) => ({
        path: ['parts', name],
        atKey: true,
        message: `is the name of a ${sites.includes(name) ? 'site' : 'component'} too; one of them needs another`,
      })),
  ];
}

function checkExpressions(model: Model): ModelProblem[] {
  const known = namesOf(model);
  const named = new Set([
    ...known.keys(),
    ...Object.keys(model.parts ?? {}),
    ...Object.keys(model.sites ?? {}),
    ...Object.keys(model.standby ?? {}),
  ]);
  const waiting = spareNames(model, known);
  const problems: ModelProblem[] = [];
  const visit = (expression: ExpressionInput, path: ModelProblem['path']): void => {
    if (typeof expression === 'boolean') return;
    if (typeof expression === 'string') {
      if (!named.has(expression)) problems.push({ path, message: unknown(expression, named, model) });
      else if (waiting.has(expression))
        problems.push({ path, message: `belongs to the standby set '${waiting.get(expression)}': name that` });
      else if (expression.endsWith('.*') && typeof path.at(-1) !== 'number')
        problems.push({ path, message: `'${expression}' stands for several parts, and belongs into a list` });
      return;
    }
    const { gate, k, parts, key } = gateOf(expression);
    for (const [index, part] of parts.entries()) visit(part, key === 'not' ? [...path, key] : [...path, key, index]);
    const count = parts.reduce<number>((sum, part) => sum + (typeof part === 'string' ? (known.get(part)?.length ?? 1) : 1), 0);
    if (k !== undefined && k > count)
      problems.push({ path: [...path, gate], message: `must be at most the number of parts, ${count}, not ${k}` });
  };
  for (const [name, expression] of Object.entries(model.parts ?? {})) visit(expression, ['parts', name]);
  if (model.structure !== undefined) visit(model.structure, ['structure']);
  return problems;
}

/** Parts of standby sets: whether one works depends on whose turn it is, so only the set can be named. */
function spareNames({ standby = {} }: Model, known: ReadonlyMap<string, readonly string[]>): ReadonlyMap<string, string> {
  const sets = new Map<string, string>();
  for (const [name, { active, spares }] of Object.entries(standby)) {
    for (const member of [...active, ...spares]) for (const each of [member, ...(known.get(member) ?? [])]) sets.set(each, name);
  }
  return sets;
}

function unknown(name: string, named: Iterable<string>, model: Model): string {
  const counted = model.components?.[name]?.count;
  if (counted !== undefined) return `'${name}' are ${counted} parts: name one as ${name}.1, or all as ${name}.*`;
  const meant = nearest(name, named);
  return `there is no '${name}' among components, parts and sites${meant === undefined ? '' : `; did you mean '${meant}'?`}`;
}

/** Parts within parts; nobody writes more. */
const depthMax = 500;

/** Parts that contain themselves. Each circle is told once, where it is entered. */
function checkCircles({ parts = {} }: Model): ModelProblem[] {
  const problems: ModelProblem[] = [];
  const state = new Map<string, 'open' | 'done'>();
  const open: string[] = [];
  const visit = (name: string): void => {
    state.set(name, 'open');
    if (open.length >= depthMax) {
      // Once is enough: all around it is as deep.
      if (!problems.some(({ message }) => message.startsWith('is nested')))
        problems.push({ path: ['parts', name], atKey: true, message: `is nested more than ${depthMax} parts deep` });
      return;
    }
    open.push(name);
    for (const next of namedIn(parts[name]!)) {
      if (!Object.hasOwn(parts, next)) continue;
      if (state.get(next) === 'open') {
        const circle = [...open.slice(open.indexOf(next)), next].join(' → ');
        problems.push({ path: ['parts', name], message: `contains itself: ${circle}` });
      } else if (!state.has(next)) visit(next);
    }
    open.pop();
    state.set(name, 'done');
  };
  for (const name of Object.keys(parts)) if (!state.has(name)) visit(name);
  return problems;
}

function namedIn(expression: ExpressionInput): string[] {
  if (typeof expression === 'string') return [expression];
  return typeof expression === 'boolean' ? [] : gateOf(expression).parts.flatMap(namedIn);
}

/** Lists of components: of common causes, sites, spares, priorities. */
function checkMembers(model: Model): ModelProblem[] {
  const known = namesOf(model);
  const problems: ModelProblem[] = [];
  const taken = new Map<string, string>();
  const resolve = (members: readonly string[], path: ModelProblem['path']): string[] =>
    members.flatMap((member, index) => {
      const found = known.get(member);
      if (!found)
        problems.push({
          path: [...path, index],
          message: unknown(member, known.keys(), model).replace('components, parts and sites', 'components'),
        });
      return found ?? [];
    });
  for (const [name, group] of Object.entries(model.commonCause ?? {})) {
    const path = ['commonCause', name, 'members'];
    const members = resolve(group.members, path);
    if (members.length < 2 && problems.length === 0) problems.push({ path, message: 'must be two parts or more' });
    for (const member of members) {
      const other = taken.get(member);
      if (other !== undefined)
        problems.push({ path, message: other === name ? `names '${member}' twice` : `'${member}' is in the group '${other}' already` });
      taken.set(member, name);
    }
    const laws = new Set(members.map((member) => JSON.stringify(withoutNames(model, member))));
    if (laws.size > 1) problems.push({ path, message: 'must be alike: a common cause group has one failure law for all its members' });
  }
  for (const [name, site] of Object.entries(model.sites ?? {})) {
    resolve(site.members, ['sites', name, 'members']);
    const given = (['rate', 'mtbf', 'probability', 'availability'] as const).filter((key) => site[key] !== undefined);
    if (given.length !== 1)
      problems.push({
        path: ['sites', name],
        atKey: true,
        message: 'must say how it fails by one of rate, mtbf, probability, availability',
      });
  }
  for (const [name, { active, spares }] of Object.entries(model.standby ?? {})) {
    const both = new Set(resolve(active, ['standby', name, 'active']));
    for (const spare of resolve(spares, ['standby', name, 'spares'])) {
      if (both.has(spare)) problems.push({ path: ['standby', name, 'spares'], message: `'${spare}' is active already` });
    }
  }
  resolve(model.repair?.priority ?? [], ['repair', 'priority']);
  return problems;
}

function withoutNames(model: Model, member: string): unknown {
  const { count: _, note: __, ...law } = model.components![member.replace(/\.\d+$/, '')]!;
  return law;
}

import { HoldfastError } from '../../core/errors.ts';
import { nearest } from '../../core/nearest.ts';
import { countEvents, groupEventsMax, type CommonCauseGroup } from './common-cause.ts';
import type { BasicEvent } from './event.ts';
import type { Expression, Structure, StructureProblem } from './structure.ts';

type Path = readonly (string | number)[];
type Report = (path: Path, message: string, hint: string) => void;

/** Problems that are told of one structure; the rest is counted. */
const TOLD_MAX = 10;
/** Shares that should sum to 1 may miss it by this: published factors are rounded. */
const SUM_TOLERANCE = 1e-3;

/** All that is wrong with a structure; empty when it can be solved. */
export function checkStructure(structure: Structure): StructureProblem[] {
  const problems: StructureProblem[] = [];
  const report: Report = (path, message, hint) => void problems.push({ path, message, hint });
  const { events, gates = {}, groups = {} } = structure;
  for (const [name, event] of Object.entries(events)) checkEvent(event, ['events', name], report);
  for (const name of Object.keys(gates))
    if (Object.hasOwn(events, name)) report(['gates', name], `'${name}' is an event too`, 'give one of them another name');
  checkGroups(structure, groups, report);
  checkExpression(structure.top, ['top'], structure, report);
  for (const [name, expression] of Object.entries(gates)) checkExpression(expression, ['gates', name], structure, report);
  if (problems.length === 0) checkCycles(gates, report);
  return problems;
}

/** @throws MODEL_STRUCTURE_INVALID with what `checkStructure` finds */
export function assertStructure(structure: Structure): void {
  const problems = checkStructure(structure);
  if (problems.length === 0) return;
  const told = problems.slice(0, TOLD_MAX).map(({ path, message }) => `${path.join('.')}: ${message}`);
  const more = problems.length > TOLD_MAX ? `; and ${problems.length - TOLD_MAX} more` : '';
  throw new HoldfastError('MODEL_STRUCTURE_INVALID', `The structure can not be solved: ${told.join('; ')}${more}.`, {
    hint: problems[0]!.hint,
  });
}

function checkExpression(root: Expression, at: Path, { events, gates = {} }: Structure, report: Report): void {
  const open: { expression: Expression; path: Path }[] = [{ expression: root, path: at }];
  const seen = new Set<Expression>();
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const { expression, path } = next;
    if (typeof expression === 'boolean') continue;
    if (typeof expression === 'string') {
      if (!Object.hasOwn(events, expression) && !Object.hasOwn(gates, expression))
        report(path, `there is neither an event nor a gate '${expression}'`, nearestHint(expression, events, gates));
      continue;
    }
    // An object that is used in several places is looked at once; one that holds itself would never end.
    if (seen.has(expression)) continue;
    seen.add(expression);
    checkCount(expression, path, report);
    if (!Array.isArray(expression.of)) continue;
    for (const [index, part] of expression.of.entries()) open.push({ expression: part, path: [...path, 'of', index] });
  }
}

function nearestHint(name: string, events: object, gates: object): string {
  const known = [...Object.keys(events), ...Object.keys(gates)];
  const meant = nearest(name, known);
  return meant === undefined ? `define it under events or gates` : `did you mean '${meant}'?`;
}

function checkCount(expression: Exclude<Expression, string | boolean>, path: Path, report: Report): void {
  const { op, of } = expression;
  if (!Array.isArray(of) || of.length === 0) return report(path, `'${op}' has no arguments`, 'name at least one part under it');
  const n = of.length;
  const whole = (key: string, value: number, from: number, to: number): void => {
    if (!Number.isInteger(value) || value < from || value > to)
      report(path, `${key} is ${value} of ${n} in '${op}'`, `${key} is a whole number from ${from} to ${to} here`);
  };
  switch (op) {
    case 'not':
      if (n !== 1) report(path, `'not' has ${n} arguments`, "'not' has one argument; for several, 'nor' or 'nand' is meant");
      return;
    case 'imply':
      if (n !== 2) report(path, `'imply' has ${n} arguments`, "'imply' has two: from the first follows the second");
      return;
    case 'atleast':
    case 'k-of-n':
      return whole('k', expression.k, 1, n);
    case 'cardinality':
      whole('min', expression.min, 0, n);
      return whole('max', expression.max, Math.max(0, Math.ceil(expression.min) || 0), n);
    case 'series':
    case 'parallel':
    case 'or':
    case 'and':
    case 'nand':
    case 'nor':
    case 'xor':
    case 'iff':
      return;
    default:
      report(path, `'${String((expression as { op: unknown }).op)}' is no gate`, 'see Expression for those that there are');
  }
}

function checkCycles(gates: Readonly<Record<string, Expression>>, report: Report): void {
  const done = new Set<string>();
  for (const start of Object.keys(gates)) {
    if (done.has(start)) continue;
    const trail: { name: string; names: string[] }[] = [{ name: start, names: namesIn(gates[start]!, gates) }];
    const open = new Set([start]);
    for (let last = trail.at(-1); last !== undefined; last = trail.at(-1)) {
      const name = last.names.pop();
      if (name === undefined) {
        done.add(last.name);
        open.delete(last.name);
        trail.pop();
      } else if (open.has(name)) {
        const circle = [...trail.slice(trail.findIndex((step) => step.name === name)).map((step) => step.name), name];
        return report(['gates', name], `it is part of itself: ${circle.join(' → ')}`, 'let one of them end in events');
      } else if (!done.has(name)) {
        open.add(name);
        trail.push({ name, names: namesIn(gates[name]!, gates) });
      }
    }
  }
}

/** Names of gates that stand in an expression. */
function namesIn(root: Expression, gates: Readonly<Record<string, Expression>>): string[] {
  const names = new Set<string>();
  const open = [root];
  const seen = new Set<Expression>();
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    if (typeof next === 'boolean' || seen.has(next)) continue;
    seen.add(next);
    if (typeof next === 'string') {
      if (Object.hasOwn(gates, next)) names.add(next);
    } else open.push(...next.of);
  }
  return [...names];
}

function checkGroups(structure: Structure, groups: Readonly<Record<string, CommonCauseGroup>>, report: Report): void {
  const groupOf = new Map<string, string>();
  for (const [name, group] of Object.entries(groups)) {
    const path = ['groups', name];
    const m = group.members.length;
    if (m < 2) report(path, `it has ${m} members`, 'a group has two or more');
    for (const [index, member] of group.members.entries()) {
      const at = [...path, 'members', index];
      const other = groupOf.get(member);
      if (!Object.hasOwn(structure.events, member)) report(at, `there is no event '${member}'`, 'members are basic events');
      else if (other !== undefined) report(at, `'${member}' is in '${other}' already`, 'an event is in one group at most');
      else if (!alike(structure.events[member]!, structure.events[group.members[0]!]!))
        report(at, `'${member}' fails otherwise than '${group.members[0]}'`, 'the members of a group are alike: give them the same model');
      groupOf.set(member, name);
    }
    checkFactors(group, path, report);
    const count = countEvents(group);
    if (count > groupEventsMax)
      report(path, `it stands for ${count} events`, `at most ${groupEventsMax}: leave out factors of many members, or use beta`);
  }
}

function checkFactors(group: CommonCauseGroup, path: Path, report: Report): void {
  const m = group.members.length;
  const list = (key: string, values: readonly number[], most: number): void => {
    if (values.length === 0 || values.length > most)
      report([...path, key], `there are ${values.length} ${key}`, `a group of ${m} has from 1 to ${most} of them`);
    for (const [index, value] of values.entries()) share(value, [...path, key, index], report);
  };
  switch (group.model) {
    case 'beta':
      return share(group.beta, [...path, 'beta'], report);
    case 'mgl':
      return list('factors', group.factors, m - 1);
    case 'alpha':
    case 'phi': {
      list('factors', group.factors, m);
      const sum = group.factors.reduce((total, factor) => total + factor, 0);
      if (!(Math.abs(sum - 1) <= SUM_TOLERANCE))
        report([...path, 'factors'], `they sum to ${sum}`, `the factors of '${group.model}' sum to 1`);
      return;
    }
    case 'basic':
      return list('probabilities', group.probabilities, m);
  }
}

function alike(one: BasicEvent, other: BasicEvent): boolean {
  if (one === other) return true;
  const entries = (event: BasicEvent): string => JSON.stringify(Object.entries(event).toSorted(([a], [b]) => (a < b ? -1 : 1)));
  // Distribution functions can not be compared: it must be the same object.
  return one.kind !== 'life' && other.kind !== 'life' ? entries(one) === entries(other) : one.kind === other.kind && sameLife(one, other);
}

function sameLife(one: BasicEvent, other: BasicEvent): boolean {
  return one.kind === 'life' && other.kind === 'life' && one.life === other.life;
}

function checkEvent(event: BasicEvent, path: Path, report: Report): void {
  switch (event.kind) {
    case 'probability':
      share(event.probability, [...path, 'probability'], report);
      return atLeastZero(event.frequency ?? 0, [...path, 'frequency'], report);
    case 'availability':
      share(event.availability, [...path, 'availability'], report);
      return atLeastZero(event.frequency ?? 0, [...path, 'frequency'], report);
    case 'rate':
      return positive(event.rate, [...path, 'rate'], report);
    case 'mission':
      positive(event.rate, [...path, 'rate'], report);
      return atLeastZero(event.time, [...path, 'time'], report);
    case 'repairable':
      positive(event.rate, [...path, 'rate'], report);
      return atLeastZero(event.repairTime, [...path, 'repairTime'], report);
    case 'tested':
      positive(event.rate, [...path, 'rate'], report);
      positive(event.interval, [...path, 'interval'], report);
      for (const key of ['testTime', 'repairTime', 'first'] as const) atLeastZero(event[key] ?? 0, [...path, key], report);
      if ((event.testTime ?? 0) >= event.interval)
        report(
          [...path, 'testTime'],
          `a test takes ${event.testTime}, and the next begins after ${event.interval}`,
          'a test is shorter than the interval',
        );
      return;
    case 'weibull':
      positive(event.scale, [...path, 'scale'], report);
      positive(event.shape, [...path, 'shape'], report);
      return atLeastZero(event.delay ?? 0, [...path, 'delay'], report);
    case 'life':
      return;
    default:
      report(path, `'${String((event as { kind: unknown }).kind)}' is no kind of event`, 'see BasicEvent for those that there are');
  }
}

function share(value: number, path: Path, report: Report): void {
  if (!(value >= 0 && value <= 1))
    report(path, `${value} is no probability`, 'a probability is from 0 to 1; a rate is given as one, per unit of time');
}

function positive(value: number, path: Path, report: Report): void {
  if (!(value > 0 && value < Infinity)) report(path, `${value} is not positive`, 'give a number greater than 0');
}

function atLeastZero(value: number, path: Path, report: Report): void {
  if (!(value >= 0 && value < Infinity)) report(path, `${value} is not a finite number of 0 or more`, 'give a number of 0 or more');
}

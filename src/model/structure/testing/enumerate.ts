import type { Expression, Structure } from '../structure.ts';

/** Whether an expression is failed, given the events that have happened: by its definition, without any of what is tested. */
export function isFailed(structure: Structure, expression: Expression, happened: ReadonlySet<string>): boolean {
  if (typeof expression === 'boolean') return expression;
  if (typeof expression === 'string') {
    const gate = structure.gates?.[expression];
    return gate === undefined ? happened.has(expression) : isFailed(structure, gate, happened);
  }
  const of = expression.of.map((part) => isFailed(structure, part, happened));
  const count = of.filter(Boolean).length;
  switch (expression.op) {
    case 'series':
    case 'or':
      return count > 0;
    case 'parallel':
    case 'and':
      return count === of.length;
    case 'nor':
      return count === 0;
    case 'nand':
      return count < of.length;
    case 'not':
      return !of[0]!;
    case 'xor':
      return count % 2 === 1;
    case 'iff':
      return count === 0 || count === of.length;
    case 'imply':
      return !of[0]! || of[1]!;
    case 'atleast':
      return count >= expression.k;
    case 'k-of-n':
      return of.length - count < expression.k;
    case 'cardinality':
      return count >= expression.min && count <= expression.max;
  }
}

/** Every set of events, with whether it fails the system. */
export function* allStates(structure: Structure): Generator<{ happened: Set<string>; failed: boolean }> {
  const names = Object.keys(structure.events);
  for (let bits = 0; bits < 2 ** names.length; bits++) {
    const happened = new Set(names.filter((_, index) => (bits >> index) % 2 === 1));
    yield { happened, failed: isFailed(structure, structure.top, happened) };
  }
}

/** P(system failed), summed over all states. */
export function enumerated(structure: Structure, q: (name: string) => number): number {
  let sum = 0;
  for (const { happened, failed } of allStates(structure)) {
    if (!failed) continue;
    sum += Object.keys(structure.events).reduce((product, name) => product * (happened.has(name) ? q(name) : 1 - q(name)), 1);
  }
  return sum;
}

/** Minimal sets of events that fail a coherent system, each sorted. */
export function enumeratedCutSets(structure: Structure): string[][] {
  const failing = [...allStates(structure)].filter(({ failed }) => failed).map(({ happened }) => happened);
  return failing.filter((set) => !failing.some((other) => other !== set && other.isSubsetOf(set))).map((set) => [...set].toSorted());
}

/** P(at least one of the sets holds), by adding and subtracting intersections. */
export function includedAndExcluded(sets: readonly (readonly string[])[], q: (name: string) => number): number {
  let sum = 0;
  for (let bits = 1; bits < 2 ** sets.length; bits++) {
    const chosen = sets.filter((_, index) => (bits >> index) % 2 === 1);
    const union = new Set(chosen.flat());
    const product = [...union].reduce((all, name) => all * q(name), 1);
    sum += chosen.length % 2 === 1 ? product : -product;
  }
  return sum;
}

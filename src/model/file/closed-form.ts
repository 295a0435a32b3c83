import type { EventState } from '../structure/event.ts';
import type { Expression, Structure } from '../structure/structure.ts';

/** Of a part or a whole, at one time. */
export interface State {
  /** Probability to be failed, and to work: each to full precision. */
  readonly q: number;
  readonly a: number;
  /** Expected failures per hour; undefined where a part does not say. */
  readonly w: number | undefined;
}

/** Gates that products and sums can do. */
const simple = ['series', 'parallel', 'or', 'and', 'k-of-n', 'atleast'];

/**
 * Why a structure has no closed form: a part that stands in several places, a gate that undoes failures, failures in common. undefined when
 * it has one.
 */
export function withoutClosedForm({ top, gates = {}, groups = {} }: Structure): string | undefined {
  if (Object.keys(groups).length > 0) return 'parts fail by common causes';
  const seen = new Set<string>();
  const visit = (expression: Expression): string | undefined => {
    if (typeof expression === 'boolean') return undefined;
    if (typeof expression === 'string') {
      if (seen.has(expression)) return `'${expression}' stands in several places`;
      seen.add(expression);
      return Object.hasOwn(gates, expression) ? visit(gates[expression]!) : undefined;
    }
    if (!simple.includes(expression.op)) return `it has a gate '${expression.op}'`;
    return expression.of.map(visit).find((reason) => reason !== undefined);
  };
  return visit(top);
}

/**
 * The state of a structure all of whose parts are independent and stand in one place: products, and for k of n unlike parts the distribution
 * of how many have failed, built up part by part. Only sums of positive terms, so that small probabilities keep their digits. The frequency is
 * carried along: w of a series is w₁a₂ + w₂a₁, of parallel parts w₁q₂ + w₂q₁ (Rausand and Høyland, System Reliability Theory, 2nd ed., 4.2 and 9.6).
 */
export function closedForm({ top, gates = {} }: Structure, stateOf: (event: string) => EventState): State {
  const solve = (expression: Expression): State => {
    if (typeof expression === 'boolean') return expression ? { q: 1, a: 0, w: 0 } : { q: 0, a: 1, w: 0 };
    if (typeof expression === 'string') {
      if (Object.hasOwn(gates, expression)) return solve(gates[expression]!);
      const { q, a, intensity } = stateOf(expression);
      return { q, a, w: intensity };
    }
    const parts = expression.of.map(solve);
    switch (expression.op) {
      case 'series':
      case 'or':
        return atLeastFailed(parts, 1);
      case 'parallel':
      case 'and':
        return atLeastFailed(parts, parts.length);
      case 'k-of-n':
        return atLeastFailed(parts, parts.length - expression.k + 1);
      case 'atleast':
        return atLeastFailed(parts, expression.k);
      default:
        throw new RangeError(`no closed form of '${expression.op}'`);
    }
  };
  return solve(top);
}

/** Whether so many or more have failed. `counts[j]`: probability of j failed; `into[j]`: how often the j-th of them fails. */
function atLeastFailed(parts: readonly State[], least: number): State {
  let counts = [1];
  let into: (number | undefined)[] = [0];
  for (const { q, a, w } of parts) {
    const before = (list: readonly number[], index: number) => list[index] ?? 0;
    const rateBefore = (index: number) => (index < 0 || index >= into.length ? 0 : into[index]);
    const length = counts.length + 1;
    into = Array.from({ length }, (_, j) => plus(times(rateBefore(j), a), times(rateBefore(j - 1), q), times(w, before(counts, j - 1))));
    counts = Array.from({ length }, (_, j) => before(counts, j) * a + before(counts, j - 1) * q);
  }
  const sum = (from: number, to: number) => counts.slice(Math.max(0, from), to).reduceRight((total, each) => total + each, 0);
  return { q: sum(least, counts.length), a: sum(0, least), w: least > parts.length ? 0 : into[least] };
}

/** What is not known does not matter where its weight is 0. */
function times(value: number | undefined, weight: number): number | undefined {
  return weight === 0 ? 0 : value === undefined ? undefined : value * weight;
}

function plus(...values: readonly (number | undefined)[]): number | undefined {
  return values.reduce<number | undefined>((sum, each) => (sum === undefined || each === undefined ? undefined : sum + each), 0);
}

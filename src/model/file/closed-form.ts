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

/**
 * Whether so many or more have failed. `counts[j]`: probability of j failed; `into[j]`: how often the j-th of them fails, NaN where a part that
 * matters does not say. Both are built up part by part, in place from the top down.
 */
function atLeastFailed(parts: readonly State[], least: number): State {
  const counts = new Float64Array(parts.length + 1);
  const into = new Float64Array(parts.length + 1);
  counts[0] = 1;
  for (const [index, { q, a, w = Number.NaN }] of parts.entries()) {
    for (let j = index + 1; j >= 1; j--) {
      into[j] = weighted(into[j]!, a) + weighted(into[j - 1]!, q) + weighted(w, counts[j - 1]!);
      counts[j] = counts[j]! * a + counts[j - 1]! * q;
    }
    counts[0] *= a;
  }
  const sum = (from: number, to: number) => counts.subarray(Math.max(0, from), to).reduceRight((total, each) => total + each, 0);
  const frequency = least > parts.length ? 0 : into[least]!;
  return { q: sum(least, counts.length), a: sum(0, least), w: Number.isNaN(frequency) ? undefined : frequency };
}

/** What is not known does not matter where its weight is 0. */
function weighted(value: number, weight: number): number {
  return weight === 0 ? 0 : value * weight;
}

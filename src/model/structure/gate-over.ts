import type { Gate } from './graph.ts';

/** Functions of some form, and what can be done with them. */
export interface Algebra<F> {
  readonly yes: F;
  readonly no: F;
  and(f: F, g: F): F;
  or(f: F, g: F): F;
  xor(f: F, g: F): F;
  /** Of the first variable of a function. */
  levelOf(f: F): number;
}

/** A gate over the functions of its arguments. */
export function gateOver<F>(algebra: Algebra<F>, { kind, k }: Gate, operands: readonly F[]): F {
  // What lies deepest first: what comes on top of it then leaves it as it is.
  const ordered = operands.toSorted((a, b) => algebra.levelOf(b) - algebra.levelOf(a));
  if (kind === 'and') return ordered.reduce((all, operand) => algebra.and(all, operand), algebra.yes);
  if (kind === 'parity') return ordered.reduce((odd, operand) => algebra.xor(odd, operand), algebra.no);
  // reached[j]: at least j of the operands so far.
  const reached = [algebra.yes, ...Array.from({ length: k }, () => algebra.no)];
  for (const operand of ordered) for (let j = k; j >= 1; j--) reached[j] = algebra.or(reached[j]!, algebra.and(operand, reached[j - 1]!));
  return reached[k]!;
}

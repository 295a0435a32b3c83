import type { BasicEvent } from './event.ts';
import type { CommonCauseGroup } from './common-cause.ts';

/**
 * What a system is made of, as a block diagram, a fault tree or both. An expression tells of a state in which something is **failed**:
 *
 * - a string names a basic event (the part is failed) or another expression of `gates`; the same name is the same part wherever it stands;
 * - `true` and `false` are house events: failed, working;
 * - `series` is failed as soon as one of its parts is, `parallel` when all are, `k-of-n` when fewer than k of its parts work;
 * - `or`, `and`, `atleast` (k or more of them are failed), `not`, `nand`, `nor`, `xor` (an odd number of them), `iff` (all alike), `imply`
 *   (of two: not the first, or the second) are the gates of fault trees, with the meaning of the Open-PSA Model Exchange Format 2.0d, where
 *   `xor` has two arguments; `cardinality` is at least `min` and at most `max` of them.
 */
export type Expression =
  | string
  | boolean
  | { readonly op: NaryGate; readonly of: readonly Expression[] }
  | { readonly op: 'not'; readonly of: readonly [Expression] | readonly Expression[] }
  | { readonly op: 'atleast' | 'k-of-n'; readonly k: number; readonly of: readonly Expression[] }
  | { readonly op: 'cardinality'; readonly min: number; readonly max: number; readonly of: readonly Expression[] };

export type NaryGate = 'series' | 'parallel' | 'or' | 'and' | 'nand' | 'nor' | 'xor' | 'iff' | 'imply';

export interface Structure {
  /** Failed: the system is. */
  readonly top: Expression;
  /** Expressions that others name. Their names and those of events are different. */
  readonly gates?: Readonly<Record<string, Expression>>;
  /** The parts. One that nothing names is without influence, and listed as such. */
  readonly events: Readonly<Record<string, BasicEvent>>;
  /** Parts that fail together. An event is in one group at most. */
  readonly groups?: Readonly<Record<string, CommonCauseGroup>>;
}

/** What is wrong with a structure. */
export interface StructureProblem {
  /** Where: `['gates', 'pumps', 'of', 2]`. */
  readonly path: readonly (string | number)[];
  /** What was found. */
  readonly message: string;
  /** What is meant to be there. */
  readonly hint: string;
}

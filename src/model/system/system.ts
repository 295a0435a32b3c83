import type { Distribution } from '../distribution/distribution.ts';

/**
 * A repairable system: units that fail and are mended, who mends them, what fails together, and when the whole is up. The same
 * description is solved as a Markov chain (`systemChain`, where all times are exponential or stages of such) and simulated (`simulate`, any
 * times). Everything begins new, working, at time 0. Times are in one unit, the caller's.
 */
export interface SystemDescription {
  readonly groups: readonly UnitGroup[];
  /** Sets of which only some units work at a time; earlier sets choose first among spares that they share. */
  readonly standby?: readonly StandbySet[];
  /** Who mends; groups of no crew have a crew for every unit. */
  readonly crews?: readonly Crew[];
  readonly sites?: readonly Site[];
  readonly commonCauses?: readonly CommonCause[];
  /** Default: every group has at least one unit working and every standby set all it needs. */
  readonly up?: Condition;
  /** What units do while the system is down: fail on, as if nothing was (default), or rest, so that nothing more fails. */
  readonly whenDown?: 'fails-on' | 'rests';
}

/** Units that are alike in everything. */
export interface UnitGroup {
  readonly name: string;
  /** 1 or more. */
  readonly count: number;
  /** Time to failure of a working unit. */
  readonly failure: Distribution;
  /** Time to mend one; without it a failed unit stays failed. */
  readonly repair?: Distribution;
  /** Failures show only when the group is inspected. */
  readonly inspection?: { readonly interval: number };
  /** What becomes of the others when a working unit fails. */
  readonly coverage?: Coverage;
  /** Planned: one unit at a time, only where the system stays up without it. */
  readonly maintenance?: { readonly interval: number; readonly duration: Distribution };
}

/** With 1 − `probability`, the failure of one unit stops the whole group until it is started again. */
export interface Coverage {
  readonly probability: number;
  /** Time to start again. */
  readonly recovery: Distribution;
}

/** Units that stand in for each other. */
export interface StandbySet {
  readonly name: string;
  /** In the order in which their units are put to work. A group may be in several sets: spares that they share. */
  readonly groups: readonly string[];
  /** How many work at a time. */
  readonly working: number;
  /** Failure rate of a waiting unit as a share of a working one's: 1 hot (default), 0 cold, between them warm. Ages likewise. */
  readonly dormancy?: number;
  /** Probability that a take-over succeeds. Default 1. What does not is put right at the next repair in the set or after `recovery`. */
  readonly switching?: number;
  readonly recovery?: Distribution;
  /** How long a take-over lasts, the service of that unit being down. Default: none. */
  readonly takeover?: Distribution;
}

export interface Crew {
  readonly name: string;
  /** How many units they mend at a time. */
  readonly size: number;
  /** In order of priority, first first. */
  readonly groups: readonly string[];
  /** `fifo`: as they failed (default); `priority`: the present repair is finished first; `preemptive`: it is interrupted, and resumed later. */
  readonly discipline?: 'fifo' | 'priority' | 'preemptive';
}

/** A place that is lost as a whole for a time: no unit there works meanwhile, though they age and are mended as ever. */
export interface Site {
  readonly name: string;
  readonly groups: readonly string[];
  readonly failure: Distribution;
  readonly repair: Distribution;
}

/** A shock: each unit of the groups that has not failed fails with the probability given (binomial failure rate, Vesely 1977; 1 is lethal). */
export interface CommonCause {
  readonly name: string;
  readonly time: Distribution;
  readonly groups: readonly { readonly group: string; readonly probability: number }[];
}

/** When it is up. Names are of groups and of standby sets; `working` counts their units that work now. */
export type Condition =
  | { readonly working: readonly string[]; readonly atLeast: number }
  | { readonly all: readonly Condition[] }
  | { readonly any: readonly Condition[] }
  | { readonly of: readonly Condition[]; readonly atLeast: number }
  | { readonly not: Condition };

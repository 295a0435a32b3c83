import type { Durability } from '../durability/durability.ts';
import type { Estimate } from '../simulation/estimate.ts';
import type { Downtime } from '../statistics/nines.ts';
import type { Method } from './method.ts';

/** Numbers about a system in the long run. Times in hours, rates per hour. */
export interface LongRunAnswer {
  readonly availability: number;
  readonly unavailability: number;
  readonly nines: number;
  /** Milliseconds. */
  readonly downtime: Downtime;
  /** What a part does not say, the whole can not either: then the rest is absent. */
  readonly failuresPerYear?: number;
  readonly mtbf?: number;
  readonly meanUpTime?: number;
  readonly meanDownTime?: number;
}

/** Numbers about a system at one time after all was new. */
export interface TimeAnswer {
  readonly hours: number;
  readonly unavailability: number;
  readonly availability: number;
  /** Probability that it has never failed until then, where that is known. */
  readonly survival?: number;
}

export interface PartImportance {
  readonly event: string;
  readonly unavailability: number;
  readonly birnbaum: number;
  readonly criticality: number;
  readonly riskAchievement: number;
  readonly riskReduction: number;
}

/** What a simulation found; intervals hold the true value with the confidence told. */
export interface SimulatedAnswer {
  readonly seed: number;
  readonly replications: number;
  readonly events: number;
  readonly confidence: number;
  /** Why it ended: exact enough, or a limit came first. */
  readonly stoppedBy: 'precision' | 'replications' | 'events';
  readonly points: readonly {
    readonly hours: number;
    readonly unavailability: Estimate;
    /** Of the time from 0 until then, the share that it is down. */
    readonly meanUnavailability: Estimate;
    /** That it has failed at least once until then. */
    readonly failureProbability: Estimate;
    readonly failures: Estimate;
  }[];
}

export interface StructureAnswer {
  readonly method: Method;
  readonly because: string;
  readonly assumptions: readonly string[];
  readonly longRun?: LongRunAnswer;
  /** Why there is nothing to say of the long run. */
  readonly noLongRun?: string;
  /** In place of numbers, of what is too large to be solved: in the long run, or after so many hours. */
  readonly bounds?: { readonly hours?: number; readonly unavailability: { readonly low: number; readonly high: number } };
  readonly at: readonly TimeAnswer[];
  /** Mean time to the first failure of a system that is not repaired, in hours. */
  readonly mttf?: number;
  /** The time at which importance is told; absent in the long run. */
  readonly importanceAtHours?: number;
  readonly importance?: readonly PartImportance[];
  /** The likeliest first; `count` is of all of them. */
  readonly cutSets?: {
    readonly count: string;
    readonly sets: readonly { readonly events: readonly string[]; readonly probability: number }[];
  };
  readonly simulation?: SimulatedAnswer;
  readonly comparison?: readonly { readonly method: Method; readonly unavailability: number; readonly relativeDifference: number }[];
}

export interface ChainAnswer {
  readonly states: number;
  readonly longRun?: LongRunAnswer & { readonly probabilities: Readonly<Record<string, number>>; readonly rewardRate: number };
  readonly noLongRun?: string;
  readonly at: readonly (TimeAnswer & { readonly probabilities: Readonly<Record<string, number>> })[];
  /** Mean time from the beginning until it is down for the first time; absent where it may never be. */
  readonly mttf?: number;
  /** Mean time to the end, and the probability of each end, of a chain that ends. */
  readonly absorption?: { readonly meanTime: number; readonly probabilities: Readonly<Record<string, number>> };
  readonly assumptions: readonly string[];
}

export interface RecoveryAnswer {
  readonly expectedMs: number;
  /** Not exceeded with these probabilities; by convolution of the steps' laws. */
  readonly quantilesMs: { readonly p50: number; readonly p90: number; readonly p95: number; readonly p99: number };
  readonly steps: readonly { readonly step: string; readonly meanMs: number }[];
  /** The probability to keep to the objective. */
  readonly withinObjective?: number;
  /** Until changes that go on coming are caught up with; infinite from ρ = 1 on. */
  readonly catchUpMs?: number;
  /** With the re-entry of what was lost. */
  readonly businessMs?: number;
  readonly assumptions: readonly string[];
}

export interface StorageAnswer extends Durability {
  readonly fragments: number;
}

/** All that a model file asks for. Plain data. */
export interface ModelAnswer {
  readonly name?: string;
  readonly horizonHours: number;
  readonly structure?: StructureAnswer;
  readonly chains?: Readonly<Record<string, ChainAnswer>>;
  readonly storage?: Readonly<Record<string, StorageAnswer>>;
  readonly recovery?: Readonly<Record<string, RecoveryAnswer>>;
}

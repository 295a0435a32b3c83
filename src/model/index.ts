/** Hours of the year that the model counts in: 365 days. What is published with 365.25 or 366 days differs in the fourth digit. */
export const YEAR_HOURS = 365 * 24;

export { erf, erfc, normalCdf, normalQuantile } from './special/normal.ts';
export { gamma, logGamma } from './special/gamma.ts';
export { gammaP, gammaQ, inverseGammaP, inverseGammaQ } from './special/incomplete-gamma.ts';
export { betaI, inverseBetaI } from './special/incomplete-beta.ts';
export { atLeast, binomialCdf, chiSquareQuantile, fisherQuantile, studentQuantile } from './special/quantiles.ts';
export * from './statistics/composite.ts';
export * from './statistics/error-budget.ts';
export * from './statistics/incidents.ts';
export * from './statistics/intervals.ts';
export * from './statistics/nines.ts';
export * from './statistics/observed.ts';
export * from './statistics/readiness.ts';
export * from './statistics/replacement.ts';
export * from './recovery-time/calibrate.ts';
export * from './recovery-time/recovery-time.ts';
export { median, theilSen, type Line } from './recovery-time/robust.ts';
export type { CommonCauseGroup, CommonCauseModel } from './structure/common-cause.ts';
export type { BasicEvent, EventState, Life, When } from './structure/event.ts';
export type { Probability } from './structure/probability.ts';
export type { PeriodicTest } from './structure/tested.ts';
export type { Expression, NaryGate, Structure, StructureProblem } from './structure/structure.ts';
export { checkStructure } from './structure/check.ts';
export { failureFrequency, type FailureFrequency } from './structure/failures.ts';
export { importance, type Importance } from './structure/importance.ts';
export { evaluate, solveStructure, type Evaluation, type SolvedStructure, type SolveOptions } from './structure/solve.ts';
export { testedAt, testedOnAverage, testedRoughly } from './structure/tested.ts';

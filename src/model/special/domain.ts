import { HoldfastError } from '../../core/errors.ts';

// What a caller hands in is a person's input more often than a programmer's mistake, so it is an expected failure.

/** @throws MODEL_DOMAIN */
export function assertPositive(what: string, value: number): void {
  if (!(value > 0 && value < Infinity)) throw outside(what, 'a number above 0', value);
}

/** @throws MODEL_DOMAIN */
export function assertNonNegative(what: string, value: number): void {
  if (!(value >= 0 && value < Infinity)) throw outside(what, 'a number of at least 0', value);
}

/** @throws MODEL_DOMAIN */
export function assertProbability(what: string, value: number): void {
  if (!(value >= 0 && value <= 1)) throw outside(what, 'a probability from 0 to 1', value);
}

/** Strictly between 0 and 1. @throws MODEL_DOMAIN */
export function assertConfidence(what: string, value: number): void {
  if (!(value > 0 && value < 1)) throw outside(what, 'between 0 and 1, both excluded', value);
}

/** @throws MODEL_DOMAIN */
export function assertWhole(what: string, value: number, least: number, most: number = Number.MAX_SAFE_INTEGER): void {
  const range = most === Number.MAX_SAFE_INTEGER ? `of at least ${least}` : `from ${least} to ${most}`;
  if (!(Number.isInteger(value) && value >= least && value <= most)) throw outside(what, `a whole number ${range}`, value);
}

function outside(what: string, allowed: string, value: number): HoldfastError {
  return new HoldfastError('MODEL_DOMAIN', `${what} must be ${allowed}, not ${value}`);
}

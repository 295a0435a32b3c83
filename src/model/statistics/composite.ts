import { assertProbability, assertWhole } from '../special/domain.ts';
import { sumOf } from '../special/logarithms.ts';
import { atLeast } from '../special/quantiles.ts';

// Availability of a few independent services put together. Everything is in unavailabilities: 1 − 10⁻¹⁵ has no digits left. For anything
// shared, nested or repaired by a crew, use structures and chains.

/** All of them are needed: 1 − Π(1 − uᵢ). Shared services stand in the list once. */
export function unavailabilityInSeries(unavailabilities: readonly number[]): number {
  for (const each of unavailabilities) assertProbability('an unavailability', each);
  return unavailabilities.includes(1) ? 1 : -Math.expm1(sumOf(unavailabilities.map((each) => Math.log1p(-each))));
}

/** One of them is enough, and change-over costs nothing: Π uᵢ. */
export function unavailabilityInParallel(unavailabilities: readonly number[]): number {
  return unavailabilities.reduce((product, each) => {
    assertProbability('an unavailability', each);
    return product * each;
  }, 1);
}

/** k of n alike are needed: the probability that more than n − k are down. */
export function unavailabilityKOfN(k: number, n: number, unavailability: number): number {
  assertWhole('n', n, 1);
  assertWhole('k', k, 1, n);
  assertProbability('an unavailability', unavailability);
  return atLeast(n - k + 1, n, unavailability);
}

/** Availability = MTBF / (MTBF + MTTR), as what is missing from 1: MTTR / (MTBF + MTTR). */
export function unavailabilityOfMeans(mtbf: number, mttr: number): number {
  return mttr / (mtbf + mttr);
}

/**
 * The probability that something has failed, with its complement. Both are kept because neither can be had from the other without losing digits:
 * 1 − (1 − 10⁻¹⁷) is 0 in floating point. Everything here adds and multiplies non-negative numbers only, so both sides keep about 15 digits,
 * however small they are.
 */
export interface Probability {
  /** Unavailability, failure probability, Q: 0 to 1. */
  readonly q: number;
  /** Availability, reliability, A = 1 − Q: 0 to 1. */
  readonly a: number;
}

export const certain: Probability = { q: 1, a: 0 };
export const impossible: Probability = { q: 0, a: 1 };

/** Of a failure probability. */
export function failing(q: number): Probability {
  return { q, a: 1 - q };
}

/** Of an availability; its complement is rounded as `1 − a` is: who knows an unavailability of 10⁻¹⁷ says that. */
export function working(a: number): Probability {
  return { q: 1 - a, a };
}

/** With a cumulated hazard of `x` ≥ 0: Q = 1 − e^(−x), A = e^(−x). */
export function hazard(x: number): Probability {
  return { q: -Math.expm1(-x), a: Math.exp(-x) };
}

/** From two non-negative weights: Q = failed / (failed + works). */
export function weighted(failed: number, works: number): Probability {
  const total = failed + works;
  return { q: failed / total, a: works / total };
}

/** Q of something that fails with `failed` while a switch (probability `switched.q`) is on, and with `otherwise` while it is off. */
export function mixed(switched: Probability, failed: Probability, otherwise: Probability): Probability {
  return {
    q: switched.q * failed.q + switched.a * otherwise.q,
    a: switched.q * failed.a + switched.a * otherwise.a,
  };
}

import { assertNonNegative, assertPositive, assertProbability } from '../special/domain.ts';
import { provenProbability } from './intervals.ts';

/** One rehearsal of a recovery. */
export interface Proof {
  readonly passed: boolean;
  readonly ageMs: number;
  /** How near it came to the real thing, 0 to 1: data restored over data there are, load over real load. Default 1. */
  readonly likeness?: number;
}

export interface ReadinessOptions {
  /** After which a proof counts half: how fast configuration, data and people change. */
  readonly halfLifeMs: number;
  /** For `proven`. Default 0.9. */
  readonly confidence?: number;
}

export interface Readiness {
  /** The probability that a recovery now would work: (s + ½) / (n + 1), s and n the weighted passes and drills. ½ without any proof. */
  readonly expected: number;
  /** What is proven with the confidence asked for: the lower Clopper–Pearson bound of the weighted drills; 0 without any proof. */
  readonly proven: number;
  /** How many fresh, full drills the proofs are worth. */
  readonly worth: number;
}

/**
 * Readiness is a probability that decays with the age of its proof. Each drill counts likeness × 2^(−age / half-life) of a drill (a power
 * prior: Ibrahim and Chen 2000); the mean is that of Jeffreys' Beta(½, ½) prior. As proofs age it goes back to ½: nothing is known.
 */
export function readiness(proofs: readonly Proof[], { halfLifeMs, confidence = 0.9 }: ReadinessOptions): Readiness {
  assertPositive('the half-life of a proof', halfLifeMs);
  let passes = 0;
  let worth = 0;
  for (const { passed, ageMs, likeness = 1 } of proofs) {
    assertNonNegative('the age of a proof', ageMs);
    assertProbability('the likeness of a drill', likeness);
    const weight = likeness * 2 ** (-ageMs / halfLifeMs);
    worth += weight;
    if (passed) passes += weight;
  }
  return { expected: (passes + 0.5) / (worth + 1), proven: provenProbability(passes, worth, confidence), worth };
}

/** A way in which a service may have to be recovered, and the drill for it. */
export interface Scenario {
  readonly name: string;
  /** How often it is needed per year. */
  readonly perYear: number;
  /** What a recovery that does not work costs. */
  readonly loss: number;
  readonly proofs: readonly Proof[];
  readonly drill: { readonly cost: number; readonly likeness?: number };
}

export interface DrillWorth {
  readonly name: string;
  readonly readiness: number;
  /** Readiness after one more drill that passed, at once or after what it found was mended. */
  readonly afterwards: number;
  /** Expected loss per year that it removes: perYear × loss × (afterwards − readiness). */
  readonly riskRemoved: number;
  readonly perCost: number;
}

/** Drills in the order in which they are worth doing: risk removed per cost, the best first. A drill is taken to be repeated until it passes. */
export function rankDrills(scenarios: readonly Scenario[], options: ReadinessOptions): DrillWorth[] {
  return scenarios
    .map(({ name, perYear, loss, proofs, drill }) => {
      assertNonNegative('how often a scenario happens', perYear);
      assertNonNegative('a loss', loss);
      assertPositive('the cost of a drill', drill.cost);
      const now = readiness(proofs, options).expected;
      const likeness = drill.likeness ?? 1;
      const afterwards = readiness([...proofs, { passed: true, ageMs: 0, likeness }], options).expected;
      const riskRemoved = perYear * loss * (afterwards - now);
      return { name, readiness: now, afterwards, riskRemoved, perCost: riskRemoved / drill.cost };
    })
    .toSorted((a, b) => b.perCost - a.perCost);
}

/** The expected loss per year of all scenarios as they are: Σ perYear × loss × (1 − readiness). */
export function riskPerYear(scenarios: readonly Scenario[], options: ReadinessOptions): number {
  return scenarios.reduce((sum, { perYear, loss, proofs }) => sum + perYear * loss * (1 - readiness(proofs, options).expected), 0);
}

import { failing, hazard, weighted, working, type Probability } from './probability.ts';
import { testedAt, testedOnAverage, type PeriodicTest } from './tested.ts';

/**
 * How one part fails, independent of all others. All times of a structure are in one unit (hours, by custom), rates per that unit.
 *
 * | kind | unavailability | unconditional failure intensity w |
 * |---|---|---|
 * | probability, availability | as given, at any time | `frequency`, where given |
 * | rate (no repair) | 1 − e^(−λt) | λ e^(−λt) |
 * | mission (no repair, its own time T) | 1 − e^(−λT) | λ e^(−λT) |
 * | repairable, μ = 1/MTTR | steady λ/(λ+μ); at t, new at 0: λ/(λ+μ)·(1 − e^(−(λ+μ)t)) | λ·A |
 * | tested | see `PeriodicTest` | λ·A |
 * | weibull | 1 − e^(−((t−γ)/η)^β) | its density |
 * | life | the distribution function that is given | its density, where given |
 *
 * Sources: Vesely et al., Fault Tree Handbook, NUREG-0492 (1981), ch. X–XI; Rausand, Høyland: System Reliability Theory, 2nd ed. (2004), ch. 2, 9, 10.
 */
export type BasicEvent =
  | { readonly kind: 'probability'; readonly probability: number; readonly frequency?: number }
  | { readonly kind: 'availability'; readonly availability: number; readonly frequency?: number }
  | { readonly kind: 'rate'; readonly rate: number }
  | { readonly kind: 'mission'; readonly rate: number; readonly time: number }
  | { readonly kind: 'repairable'; readonly rate: number; readonly repairTime: number }
  | ({ readonly kind: 'tested' } & PeriodicTest)
  | { readonly kind: 'weibull'; readonly scale: number; readonly shape: number; readonly delay?: number }
  | { readonly kind: 'life'; readonly life: Life };

/** A time to failure by its distribution: of any family. */
export interface Life {
  /** F(t) and 1 − F(t), each exact in its own tail. */
  readonly failure: (time: number) => Probability;
  /** f(t); without it nothing can be said of how often the system fails. */
  readonly density?: (time: number) => number;
}

/**
 * When to look: `steady` is the mean over a long time (of a tested part, over its test intervals; without repair there is none), a number is that
 * time after all was new.
 */
export type When = 'steady' | number;

/** One part at a time. */
export interface EventState extends Probability {
  /** w: expected failures per unit of time, not knowing whether the part works. Undefined where the event does not say. */
  readonly intensity: number | undefined;
  /** v: expected repairs per unit of time; equals w in the steady state. */
  readonly repairs: number | undefined;
}

/** Undefined: an event without repair has no steady state. */
export function stateOf(event: BasicEvent, when: When): EventState | undefined {
  switch (event.kind) {
    case 'probability':
      return { ...failing(event.probability), intensity: event.frequency, repairs: event.frequency };
    case 'availability':
      return { ...working(event.availability), intensity: event.frequency, repairs: event.frequency };
    case 'mission':
      return unrepaired(event.rate, event.time);
    case 'rate':
      return when === 'steady' ? undefined : unrepaired(event.rate, when);
    case 'repairable':
      return repairable(event.rate, event.repairTime, when);
    case 'tested': {
      const state = when === 'steady' ? testedOnAverage(event) : testedAt(event, when);
      const intensity = event.rate * state.a;
      // What is found failed at tests is repaired there, not at a rate: only the long-run mean is a number.
      return { ...state, intensity, repairs: when === 'steady' ? intensity : undefined };
    }
    case 'weibull':
      return when === 'steady' ? undefined : weibull(event.scale, event.shape, when - (event.delay ?? 0));
    case 'life':
      return when === 'steady' ? undefined : { ...event.life.failure(when), intensity: event.life.density?.(when), repairs: 0 };
  }
}

function unrepaired(rate: number, time: number): EventState {
  const state = hazard(rate * time);
  return { ...state, intensity: rate * state.a, repairs: 0 };
}

/**
 * A part with exponential life (λ) and repair (μ = 1/`repairTime`), working at 0. A(t) = (μ + λ e^(−(λ+μ)t)) / (λ+μ). With `repairTime` 0 it is
 * never down.
 * Source: NUREG-0492, eq. X-21; Rausand, Høyland, eq. 8.22.
 */
function repairable(rate: number, repairTime: number, when: When): EventState {
  if (repairTime === 0) return { q: 0, a: 1, intensity: rate, repairs: rate };
  // Weights λ·MTTR and 1 instead of λ and μ: no overflow for short repairs.
  const load = rate * repairTime;
  const settled = when === 'steady' ? { q: 1, a: 0 } : hazard((rate + 1 / repairTime) * when);
  const state = weighted(load * settled.q, 1 + load * settled.a);
  return { ...state, intensity: rate * state.a, repairs: state.q / repairTime };
}

/** Source: IEC 61649:2008. F(t) = 1 − exp(−(t/η)^β), f(t) = β/η·(t/η)^(β−1)·(1 − F). */
function weibull(scale: number, shape: number, time: number): EventState {
  if (time <= 0) return { q: 0, a: 1, intensity: time === 0 && shape === 1 ? 1 / scale : 0, repairs: 0 };
  const state = hazard((time / scale) ** shape);
  return { ...state, intensity: (shape / scale) * (time / scale) ** (shape - 1) * state.a, repairs: 0 };
}

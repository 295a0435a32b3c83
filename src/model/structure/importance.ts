import type { CompiledEvent } from './compile.ts';
import type { When } from './event.ts';
import { evaluate, evaluateWith, type SolvedStructure } from './solve.ts';

/**
 * What one event means to the system, at one time. With Q the system's unavailability, q the event's, Q₁ and Q₀ the system's when the event is
 * certain and when it is impossible:
 *
 * Sources: Birnbaum (1969); Vesely, Davis, Denning, Saltos: Measures of risk importance and their applications, NUREG/CR-3385 (1983); Rausand,
 * Høyland: System Reliability Theory, 2nd ed. (2004), ch. 5; Dutuit, Rauzy (2001), see `influences`.
 */
export interface Importance {
  readonly event: string;
  /** The parts that it takes: more than one for an event of a common cause group. */
  readonly members: readonly string[];
  /** q. */
  readonly unavailability: number;
  /** Birnbaum: Q₁ − Q₀. */
  readonly birnbaum: number;
  /** Birnbaum with every event as likely as not: of all states of the other parts, the share in which this one decides. */
  readonly structural: number;
  /** Criticality: Birnbaum · q / Q, which is (Q − Q₀)/Q; often published as Fussell–Vesely. */
  readonly criticality: number;
  /** Risk achievement worth: Q₁/Q. */
  readonly riskAchievement: number;
  /** Risk reduction worth: Q/Q₀; infinite when the system fails with this event only. */
  readonly riskReduction: number;
  /** Improvement potential: Q − Q₀. */
  readonly improvement: number;
  /** Diagnostic: the probability that the event is there, given that the system has failed, q·Q₁/Q. */
  readonly diagnostic: number;
}

/**
 * Of all events, the greatest criticality first. Where Q is 0, the measures that divide by it are not numbers.
 * @throws MODEL_NO_STEADY_STATE
 */
export function importance(solved: SolvedStructure, when: When): Importance[] {
  const { top, events, influences } = evaluate(solved, when);
  const half = { q: 0.5, a: 0.5, intensity: undefined, repairs: undefined };
  const halves = evaluateWith(
    solved,
    events.map(() => half),
  ).influences();
  return influences()
    .map(({ ifTrue, ifFalse, raises, lowers }, index) => {
      const { name, members }: CompiledEvent = solved.compiled.events[index]!;
      const { q } = events[index]!;
      const birnbaum = raises - lowers;
      return {
        event: name,
        members,
        unavailability: q,
        birnbaum,
        structural: halves[index]!.raises - halves[index]!.lowers,
        criticality: (birnbaum * q) / top.q,
        riskAchievement: ifTrue.q / top.q,
        riskReduction: top.q / ifFalse.q,
        improvement: birnbaum * q,
        diagnostic: (q * ifTrue.q) / top.q,
      };
    })
    .toSorted((a, b) => b.criticality - a.criticality);
}

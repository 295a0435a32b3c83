import type { Random } from '../../src/core/random.ts';
import type { BasicEvent, Expression, Structure } from '../../src/model/index.ts';

export interface TreeShape {
  readonly gates: number;
  readonly events: number;
  /** Of events, and of gates, the share that stands in a second place too. */
  readonly sharedEvents: number;
  readonly sharedGates: number;
  /** That place is so many gates away at most, in the order in which the tree is read. */
  readonly spread: number;
}

/** How deep gates nest at most, before some are shared. */
const DEPTH_MAX = 12;

/**
 * A coherent fault tree made by chance in the proportions of published ones: as many AND as OR, one gate in ten a vote, about three arguments a gate,
 * probabilities from 10⁻⁴ to 10⁻².
 */
export function randomTree({ gates, events, sharedEvents, sharedGates, spread }: TreeShape, random: Random): Structure {
  const pick = (from: number, to: number): number => Math.floor(from + random.next() * (to - from));
  const below: string[][] = [[]];
  const trail = [0];
  for (let gate = 1; gate < gates; gate++) {
    below[trail.at(-1) ?? 0]!.push(`g${gate}`);
    below.push([]);
    trail.push(gate);
    // Back up some levels: about as often as down.
    while (trail.length > 1 && (trail.length > DEPTH_MAX || random.next() < 0.5)) trail.pop();
  }
  const home = Array.from({ length: events }, (_, event) => (event < gates ? event : pick(0, gates)));
  for (const [event, gate] of home.entries()) {
    below[gate]!.push(`e${event}`);
    if (random.next() < sharedEvents) below[pick(Math.max(0, gate - spread), Math.min(gates, gate + spread))]!.push(`e${event}`);
  }
  // Under gates that come before: no gate contains itself.
  for (let gate = 2; gate < gates; gate++) if (random.next() < sharedGates) below[pick(Math.max(0, gate - spread), gate)]!.push(`g${gate}`);
  return { top: 'g0', gates: gatesOf(below, random), events: eventsOf(events, random) };
}

function gatesOf(below: readonly string[][], random: Random): Record<string, Expression> {
  const gates: Record<string, Expression> = {};
  for (const [index, names] of below.entries()) {
    const of = [...new Set(names)];
    // Any of many things fails the whole, as in published trees.
    const chance = index === 0 ? 1 : random.next();
    gates[`g${index}`] = chance < 0.1 && of.length > 2 ? { op: 'atleast', k: 2, of } : { op: chance < 0.55 ? 'and' : 'or', of };
  }
  return gates;
}

function eventsOf(count: number, random: Random): Record<string, BasicEvent> {
  const events: Record<string, BasicEvent> = {};
  for (let event = 0; event < count; event++) events[`e${event}`] = { kind: 'probability', probability: 10 ** (-4 + 2 * random.next()) };
  return events;
}

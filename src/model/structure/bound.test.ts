import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { seededRandom } from '../../sim/random.ts';
import { boundStructure } from './bound.ts';
import type { BasicEvent } from './event.ts';
import { evaluate, solveStructure } from './solve.ts';
import type { Expression, Structure } from './structure.ts';
import { enumerated } from './testing/enumerate.ts';
import { randomStructure } from './testing/random-structure.ts';

/** More than any rounding of so few terms. */
const rounding = 1e-12;

describe('bounds', () => {
  test.each([true, false])('hold, coherent: %s, however few nodes are kept', (coherent) => {
    fc.assert(
      fc.property(randomStructure({ coherent, eventsMax: 7, gatesMax: 9 }), fc.integer({ min: 1, max: 12 }), (structure, nodesKept) => {
        const sum = enumerated(structure, (name) => (structure.events[name] as Extract<BasicEvent, { kind: 'probability' }>).probability);
        const { unavailability, availability } = boundStructure(structure, 'steady', { nodesMax: 1, nodesKept });
        expect(unavailability.low).toBeLessThanOrEqual(sum + rounding);
        expect(unavailability.high).toBeGreaterThanOrEqual(sum - rounding);
        expect(availability.low).toBeLessThanOrEqual(1 - sum + rounding);
        expect(availability.high).toBeGreaterThanOrEqual(1 - sum - rounding);
      }),
      { numRuns: 500 },
    );
  });

  test('are the exact value while nothing has to be left out', () => {
    const structure = tangle(30);
    const exact = evaluate(solveStructure(structure), 'steady').top;
    const { unavailability, exact: isExact } = boundStructure(structure, 'steady', { nodesMax: 1, nodesKept: 1_000_000 });
    expect(isExact).toBe(true);
    expect(Math.abs(unavailability.low / exact.q - 1)).toBeLessThan(1e-12);
    expect(unavailability.high).toBe(unavailability.low);
  });

  test('of rare events are near each other although a part of the diagram is left out', () => {
    const structure = tangle(25);
    const exact = evaluate(solveStructure(structure), 'steady').top.q;
    const { unavailability, exact: isExact } = boundStructure(structure, 'steady', { nodesMax: 1, nodesKept: 30 });
    expect(isExact).toBe(false);
    expect(unavailability.low).toBeLessThanOrEqual(exact * (1 + rounding));
    expect(unavailability.high).toBeGreaterThanOrEqual(exact * (1 - rounding));
    expect(unavailability.high / unavailability.low).toBeLessThan(1.2);
  });
});

test('what would join too many functions is refused, not begun', () => {
  const events = Object.fromEntries(Array.from({ length: 300 }, (_, at) => [`e${at}`, { kind: 'probability', probability: 0.1 } as const]));
  const structure: Structure = { top: { op: 'or', of: ['e0', { op: 'atleast', k: 150, of: Object.keys(events) }] }, events };
  expect(() => boundStructure(structure, 'steady', { nodesMax: 1 })).toThrow(
    expect.objectContaining({ code: 'MODEL_STRUCTURE_TOO_LARGE' }),
  );
  // With room for it, it is solved.
  expect(evaluate(solveStructure(structure), 'steady').top.q).toBeCloseTo(0.1, 12);
});

/** Two of several gates that take their events from anywhere. */
function tangle(count: number): Structure {
  const random = seededRandom(7);
  const events: Record<string, BasicEvent> = {};
  for (let event = 0; event < count; event++) events[`e${event}`] = { kind: 'probability', probability: 0.01 * random.next() };
  const names = Object.keys(events);
  const any = (): string => names[Math.floor(random.next() * names.length)]!;
  const gates = Array.from({ length: 10 }, (): Expression => ({ op: 'or', of: [any(), any(), any(), { op: 'and', of: [any(), any()] }] }));
  return { top: { op: 'atleast', k: 2, of: gates }, events };
}

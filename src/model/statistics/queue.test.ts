import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { chainOfEdges } from '../chain/chain.ts';
import { steadyState } from '../chain/steady-state.ts';
import { queueMeasures } from './queue.ts';

const rates = fc.double({ min: 0.01, max: 100, noNaN: true });

describe('a queue', () => {
  test('is the chain that it stands for', () => {
    const shapes = fc.record({
      servers: fc.integer({ min: 1, max: 4 }),
      room: fc.integer({ min: 0, max: 6 }),
      population: fc.integer({ min: 2, max: 9 }),
    });
    fc.assert(
      fc.property(rates, rates, shapes, fc.boolean(), (arrivalRate, serviceRate, { servers, room, population }, limited) => {
        const capacity = servers + room;
        const queue = { arrivalRate, serviceRate, servers, capacity, ...(limited ? { population } : {}) };
        const most = limited ? Math.min(capacity, population) : capacity;
        const states = Array.from({ length: most }, (_, n) => n);
        const born = states.map((n) => (limited ? (population - n) * arrivalRate : arrivalRate));
        const served = states.map((n) => Math.min(n + 1, servers) * serviceRate);
        const next = states.map((n) => n + 1);
        const chain = chainOfEdges(most + 1, [...states, ...next], [...next, ...states], [...born, ...served]);
        const { probabilities } = steadyState(chain);
        const measures = queueMeasures(queue);
        for (const [n, p] of probabilities.entries()) expect(Math.abs(measures.probabilities[n]! / p - 1)).toBeLessThan(1e-10);
        // Little's law, and what goes in comes out.
        expect(measures.inSystem).toBeCloseTo(measures.throughput * measures.timeInSystem, 9);
        expect(measures.throughput / (measures.utilization * servers * serviceRate)).toBeCloseTo(1, 9);
        expect(measures.timeInSystem - measures.timeWaiting).toBeCloseTo(1 / serviceRate, 9);
      }),
    );
  });

  test('without limit is one with much room', () => {
    const queue = { arrivalRate: 5, serviceRate: 2, servers: 3 };
    const { probabilities, ...endless } = queueMeasures(queue);
    const roomy = queueMeasures({ ...queue, capacity: 600 });
    for (const [name, value] of Object.entries(endless)) expect(roomy[name as 'waiting']).toBeCloseTo(value, 9);
    expect(probabilities).toHaveLength(4);
    for (const [n, p] of probabilities.entries()) expect(roomy.probabilities[n]).toBeCloseTo(p, 12);
  });

  test('of many servers has finite numbers', () => {
    const { waits, lost } = queueMeasures({ arrivalRate: 9_500, serviceRate: 1, servers: 10_000 });
    expect(lost).toBe(0);
    expect(waits).toBeGreaterThan(0);
    expect(waits).toBeLessThan(1e-5);
  });

  test.each([
    [{ arrivalRate: 6, serviceRate: 2, servers: 3 }, 'never comes to rest'],
    [{ arrivalRate: 0, serviceRate: 2, servers: 3 }, 'arrivalRate'],
    [{ arrivalRate: 1, serviceRate: Number.NaN, servers: 3 }, 'serviceRate'],
    [{ arrivalRate: 1, serviceRate: 2, servers: 1.5 }, 'servers'],
    [{ arrivalRate: 1, serviceRate: 2, servers: 3, capacity: 2 }, 'capacity'],
    [{ arrivalRate: 1, serviceRate: 2, servers: 3, population: 0 }, 'population'],
  ])('that can not be: %j', (queue, message) => {
    expect(() => queueMeasures(queue)).toThrow(message);
  });
});

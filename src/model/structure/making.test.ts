import fc from 'fast-check';
import { expect, test } from 'vitest';
import { compile } from './compile.ts';
import type { Diagram } from './diagram.ts';
import { Making } from './making.ts';
import { leafOrders } from './order.ts';
import { partsOf } from './part.ts';
import { nodeValues, valueOf } from './quantify.ts';
import { randomStructure } from './testing/random-structure.ts';

test('a diagram that is sifted while it grows has the same probability', () => {
  fc.assert(
    fc.property(
      randomStructure({ coherent: false, eventsMax: 9, gatesMax: 14 }),
      fc.integer({ min: 1, max: 20 }),
      (structure, siftFrom) => {
        const { graph, top, events } = compile(structure);
        const inside = new Map<number, Diagram>();
        const known = new Map(
          events.map((event, index) => [index + 1, event.stateAt('steady')] as const).map(([id, { q, a }]) => [id, { q, a }]),
        );
        for (const part of partsOf(graph, top)) {
          const [order] = [...leafOrders(graph, part)];
          const made = [
            { nodesMax: 10_000, siftingMax: 0 },
            { nodesMax: 10_000, siftingMax: 1e6, siftFrom },
          ].map((limits) => new Making(graph, part, inside, order!, limits).run() as Diagram);
          const [plain, sifted] = made.map((diagram) => {
            const leaves = diagram.leaves.map((id) => known.get(id)!);
            const { q, a } = valueOf(nodeValues(diagram, leaves), diagram.root);
            return diagram.turned ? { q: a, a: q } : { q, a };
          });
          expect(sifted!.q).toBeCloseTo(plain!.q, 13);
          inside.set(part.id, made[1]!);
          // Around it, it is one event: of the function of its diagram, as `evaluateModules` has it.
          const leaves = made[1]!.leaves.map((id) => known.get(id)!);
          known.set(part.id, valueOf(nodeValues(made[1]!, leaves), made[1]!.root));
        }
      },
    ),
    { numRuns: 300 },
  );
});

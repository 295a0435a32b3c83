import fc from 'fast-check';
import type { BasicEvent } from '../event.ts';
import type { Expression, NaryGate, Structure } from '../structure.ts';

const coherentOps: readonly NaryGate[] = ['series', 'parallel', 'or', 'and'];
const otherOps: readonly NaryGate[] = ['nand', 'nor', 'xor', 'iff'];

/** Small structures with shared parts: `g0` … name events and earlier gates. */
export function randomStructure({
  coherent,
  eventsMax = 6,
  gatesMax = 6,
}: {
  coherent: boolean;
  eventsMax?: number;
  gatesMax?: number;
}): fc.Arbitrary<Structure> {
  return fc
    .record({
      probabilities: fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { minLength: 1, maxLength: eventsMax }),
      seeds: fc.array(fc.record({ kind: fc.nat(), of: fc.array(fc.nat(), { minLength: 1, maxLength: 4 }), k: fc.nat() }), {
        minLength: 1,
        maxLength: gatesMax,
      }),
    })
    .map(({ probabilities, seeds }) => {
      const events: Record<string, BasicEvent> = {};
      for (const [index, probability] of probabilities.entries()) events[`e${index}`] = { kind: 'probability', probability };
      const gates: Record<string, Expression> = {};
      for (const [index, { kind, of, k }] of seeds.entries()) {
        const known: Expression[] = [...Object.keys(events), ...Object.keys(gates), ...(kind % 7 === 0 ? [true, false] : [])];
        gates[`g${index}`] = gate(
          kind,
          of.map((at) => known[at % known.length]!),
          k,
          coherent,
        );
      }
      return { top: `g${seeds.length - 1}`, gates, events };
    });
}

function gate(kind: number, of: readonly Expression[], k: number, coherent: boolean): Expression {
  const ops = coherent ? coherentOps : [...coherentOps, ...otherOps];
  const choice = kind % (ops.length + (coherent ? 2 : 5));
  switch (choice - ops.length) {
    case 0:
      return { op: 'atleast', k: (k % of.length) + 1, of };
    case 1:
      return { op: 'k-of-n', k: (k % of.length) + 1, of };
    case 2:
      return { op: 'not', of: [of[0]!] };
    case 3:
      return { op: 'imply', of: [of[0]!, of.at(-1)!] };
    case 4:
      return { op: 'cardinality', min: k % (of.length + 1), max: of.length, of };
    default:
      return { op: ops[choice]!, of };
  }
}

import { z } from 'zod';

/** Which gate a mapping is of, by its first key. */
export const gates = ['series', 'parallel', 'k-of-n', 'or', 'and', 'atleast', 'not', 'xor', 'nand', 'nor'] as const;
export type Gate = (typeof gates)[number];

/** Gates of which so many fail or work, with their parts under `of`. */
const counted = ['k-of-n', 'atleast'] as const;

const list = () => z.array(expressionSchema).min(1).max(10_000);

const gateSchema = z
  .strictObject({
    get series() {
      return list().optional().describe('works while all of these work');
    },
    get parallel() {
      return list().optional().describe('works while one of these works');
    },
    'k-of-n': z.int().min(1).optional().describe('how many of `of` must work'),
    get or() {
      return list().optional().describe('fails when one of these fails');
    },
    get and() {
      return list().optional().describe('fails when all of these fail');
    },
    atleast: z.int().min(1).optional().describe('how many of `of` must fail for it to fail'),
    get not(): z.ZodOptional<typeof expressionSchema> {
      return expressionSchema.optional().describe('fails while this works');
    },
    get xor() {
      return list().optional().describe('fails when an odd number of these fail');
    },
    get nand() {
      return list().optional();
    },
    get nor() {
      return list().optional();
    },
    get of() {
      return list().optional().describe('the parts of k-of-n and atleast');
    },
  })
  .superRefine((gate, context) => {
    const given = gates.filter((name) => gate[name] !== undefined);
    const problem = (message: string, path: (string | number)[] = []) => context.addIssue({ code: 'custom', message, path });
    if (given.length !== 1) {
      problem(`must be one gate (${gates.join(', ')})${given.length > 1 ? `, not ${given.length}: ${given.join(', ')}` : ''}`);
      return;
    }
    const isCounted = counted.some((name) => name === given[0]);
    if (isCounted && gate.of === undefined) problem(`must name its parts: { ${given[0]}: ${gate[given[0]!] as number}, of: [ … ] }`);
    if (!isCounted && gate.of !== undefined) problem(`belongs to k-of-n and atleast; ${given[0]} lists its parts itself`, ['of']);
  });

/** A component, a named part, a house event (true: failed; false: works), or a gate. */
export const expressionSchema: z.ZodType<ExpressionInput, ExpressionInput> = z.union([
  z.string().min(1).max(200),
  z.boolean(),
  gateSchema as unknown as z.ZodType<GateInput, GateInput>,
]);

/** An expression as it stands in a file. It says when something fails. */
export type ExpressionInput = string | boolean | GateInput;

export type GateInput = { readonly [name in Exclude<Gate, 'k-of-n' | 'atleast' | 'not'>]?: readonly ExpressionInput[] } & {
  readonly 'k-of-n'?: number;
  readonly atleast?: number;
  readonly not?: ExpressionInput;
  readonly of?: readonly ExpressionInput[];
};

/** Which gate it is, its number if it counts, and its parts with where they stand. */
export function gateOf(gate: GateInput): {
  readonly gate: Gate;
  readonly k?: number;
  readonly parts: readonly ExpressionInput[];
  readonly key: string;
} {
  const name = gates.find((each) => gate[each] !== undefined)!;
  if (name === 'k-of-n' || name === 'atleast') return { gate: name, k: gate[name]!, parts: gate.of!, key: 'of' };
  return name === 'not' ? { gate: name, parts: [gate.not!], key: 'not' } : { gate: name, parts: gate[name]!, key: name };
}

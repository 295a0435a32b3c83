import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import * as model from '../src/model/index.ts';

// Published worked examples: inputs, the digits that were printed, and where. test/truths/README.md says how to add one.

interface Truth {
  readonly name: string;
  readonly source: string;
  /** A model file and a path into its answer, or a function of holdfast/model with its arguments. */
  readonly model?: unknown;
  readonly call?: string;
  readonly with?: readonly unknown[];
  readonly take?: string;
  /** Of the unit that was published in ours, or the other way round. */
  readonly times?: number;
  /** As printed: its digits are the tolerance, unless the source states one. */
  readonly published: string | number;
  readonly within?: number;
  /** The source cuts digits off instead of rounding. */
  readonly cut?: boolean;
  /** Why the published figure is wrong, and what is right. */
  readonly wrong?: string;
  readonly right?: string | number;
}

const directory = join(import.meta.dirname, 'truths');
const files = readdirSync(directory).filter((file) => file.endsWith('.yaml'));
const truths = files.map((file) => [file, parse(readFileSync(join(directory, file), 'utf8')) as readonly Truth[]] as const);

describe.each(truths)('%s', (_, list) => {
  test.each(list.map((truth) => [truth.wrong === undefined ? truth.name : `${truth.name} (wrong there)`, truth] as const))(
    '%s',
    (_name, truth) => {
      expect(truth.source.length, 'a source that can be found').toBeGreaterThan(15);
      const computed = compute(truth) * (truth.times ?? 1);
      if (truth.wrong === undefined) expect(distance(computed, truth), told(computed, truth)).toBeLessThanOrEqual(1);
      else {
        expect(distance(computed, { ...truth, published: truth.right! }), told(computed, truth)).toBeLessThanOrEqual(1);
        expect(distance(computed, { published: truth.published }), `${computed} is what was published after all`).toBeGreaterThan(1);
      }
    },
  );
});

test('there are enough of them, each told once', () => {
  const all = truths.flatMap(([, list]) => list);
  expect(all.length).toBeGreaterThanOrEqual(60);
  expect(all.filter(({ wrong }) => wrong !== undefined).length).toBeGreaterThanOrEqual(8);
  const names = all.map(({ name }) => name);
  expect(names.filter((name, index) => names.indexOf(name) !== index)).toEqual([]);
});

function compute({ model: input, call, with: args = [], take }: Truth): number {
  const result = call === undefined ? model.evaluateModel(model.parseModel(input)) : functionNamed(call)(...args);
  const value = (take === undefined ? [] : take.split('.')).reduce<unknown>(
    (found, key) => (found as Record<string, unknown> | undefined)?.[key],
    result,
  );
  if (typeof value !== 'number')
    throw new Error(`${call ?? 'the model'} has no number at ${take}: ${JSON.stringify(result).slice(0, 400)}`);
  return value;
}

function functionNamed(name: string): (...args: readonly unknown[]) => unknown {
  const found = (model as Readonly<Record<string, unknown>>)[name];
  if (typeof found !== 'function') throw new Error(`holdfast/model has no function ${name}`);
  return found as (...args: readonly unknown[]) => unknown;
}

/** How far the computed value is from the published one, in units of what its digits allow: half of the last place, or one where it was cut. */
function distance(computed: number, { published, within, cut }: Pick<Truth, 'published' | 'within' | 'cut'>): number {
  const text = String(published);
  const [mantissa = '', exponent = '0'] = text.toLowerCase().split('e');
  const unit = 10 ** (Number(exponent) - (mantissa.split('.')[1]?.length ?? 0));
  const slack = 1e-12 * Math.abs(Number(text));
  if (within !== undefined) return Math.abs(computed - Number(text)) / within;
  if (cut === true) return computed >= Number(text) - slack && computed < Number(text) + unit ? 0 : 2;
  return Math.abs(computed - Number(text)) / (unit / 2 + slack);
}

function told(computed: number, { published, right, source }: Truth): string {
  return `computed ${computed}, published ${published}${right === undefined ? '' : `, right ${right}`} (${source})`;
}

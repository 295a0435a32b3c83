import { describe, expect, test } from 'vitest';
import { ConfigError } from '../../config/problem.ts';
import { failureOf } from '../failure.ts';
import { evaluateModel } from '../../model/file/evaluate.ts';
import { noPaint } from '../terminal/style.ts';
import { modelLines } from './print.ts';
import { readModelText } from './read.ts';

const two = 'components: { a: { mtbf: 100h, mttr: 1h }, b: { mtbf: 100h, mttr: 1h } }\n';
const nested = (open: string, close: string) => `${two}structure: ${open.repeat(10_000)}a${close.repeat(10_000)}\n`;
const lines = (count: number, line: (at: number) => string) => Array.from({ length: count }, (_, at) => line(at)).join('\n');

/** What files hold that were made by accident, or to do harm: text, where it is told, and what. */
const files: readonly (readonly [what: string, text: string, place: string, message: RegExp])[] = [
  ['a circle', `${two}parts: { p: { or: [q, a] }, q: { and: [p, b] } }\nstructure: p\n`, '2:32', /contains itself: p → q → p/],
  ['no number', 'components: { a: { mtbf: .nan, mttr: 1h } }\nstructure: a\n', '1:26', /duration above 0 .* not NaN/],
  ['infinity', 'components: { a: { probability: .inf } }\nstructure: a\n', '1:33', /from 0 to 1.*not Infinity/],
  ['a huge time', 'components: { a: { mtbf: 1e308h, mttr: 1h } }\nstructure: a\n', '1:26', /'1e308h', which no computation can bear/],
  ['a tiny time', 'components: { a: { mtbf: 9h, mttr: 1e-300h } }\nstructure: a\n', '1:36', /'1e-300h', which no computation can bear/],
  ['a huge rate', 'components: { a: { rate: 1e200/h, mttr: 1h } }\nstructure: a\n', '1:26', /no computation can bear/],
  ['minus zero', 'components: { a: { rate: -0/h } }\nstructure: a\n', '1:26', /above 0/],
  ['hours for a probability', 'components: { a: { probability: 4h } }\nstructure: a\n', '1:33', /'4h', which is a duration/],
  ['a share for hours', 'components: { a: { mtbf: 40%, mttr: 1h } }\nstructure: a\n', '1:26', /'40%', which is a percentage/],
  ['k above n', `${two}structure: { k-of-n: 3, of: [a, b] }\n`, '2:22', /at most the number of parts, 2, not 3/],
  ['k of 0', `${two}structure: { k-of-n: 0, of: [a, b] }\n`, '2:22', /at least 1, not 0/],
  [
    'a name that is misspelt',
    'components: { database: { mtbf: 100h, mttr: 1h } }\nstructure: databse\n',
    '2:12',
    /did you mean 'database'/,
  ],
  ['a key that is misspelt', 'components: { a: { mtfb: 100h } }\nstructure: a\n', '1:20', /did you mean 'mtbf'/],
  [
    'names of the language',
    'components: { a: { probability: 0.1 } }\nstructure: { or: [a, toString] }\n',
    '2:22',
    /there is no 'toString'/,
  ],
  [
    'too many parts',
    lines(3, (at) => `${at === 0 ? 'components:\n' : ''}  c${at}: { mtbf: 9h, count: 10000 }`) + '\nstructure: c0.1\n',
    '4:3',
    /more than 20000 parts/,
  ],
  ['gates 10,000 deep', nested('{ or: [', '] }'), '2:', /nested too deeply/],
  ['negations 10,000 deep', nested('{ not: ', ' }'), '2:', /nested too deeply/],
  [
    'parts 10,000 deep',
    `${two}parts:\n${lines(10_000, (at) => `  p${at}: { or: [p${at + 1}, a] }`)}\n  p10000: a\nstructure: p0\n`,
    '503:3',
    /nested more than 500 parts deep/,
  ],
  ['an alias in itself', `${two}structure: &x { or: [a, *x] }\n`, '2:25', /\*x stands within what it repeats/],
  ['aliases of aliases', `x0: &x0 [1, 1]\n${lines(40, (at) => `x${at + 1}: &x${at + 1} [*x${at}, *x${at}]`)}\n`, '1:1', /alias count/],
  ['a name twice', 'components:\n  a: { probability: 0.1 }\n  a: { probability: 0.2 }\nstructure: a\n', '3:3', /unique/],
  [
    'shares above 1',
    'components: { a: { probability: 0.1, count: 3 } }\nstructure: { and: [a.*] }\ncommonCause: { g: { members: [a.*], alpha: [0.7, 0.2, 0.2] } }\n',
    '3:44',
    /sum to 1/,
  ],
  [
    'a test longer than its interval',
    'components: { a: { rate: 1/y, test: { every: 10h, takes: 12h } } }\nstructure: a\n',
    '1:18',
    /shorter than the interval/,
  ],
  [
    'an end where a steady state is asked for',
    'chains:\n  c:\n    states: { a: up, b: down }\n    transitions: { a -> b: 1/h }\n    compute: [steady-state]\n',
    '5:15',
    /'b' is never left/,
  ],
  [
    'a state that is misspelt',
    'chains:\n  c:\n    states: { ok: up, bad: down }\n    transitions: { ok -> bda: 1/h, bad -> ok: 1/h }\n',
    '4:20',
    /did you mean 'bad'/,
  ],
  ['nothing', '', '1:1', /must be a mapping/],
  ['several documents', `${two}structure: a\n---\nstructure: b\n`, '3:1', /multiple documents/],
];

describe('a model file with', () => {
  test.each(files)('%s is refused with its line', (_, text, place, message) => {
    const failure = failureOf(refusal(text));
    expect(failure).toMatchObject({ code: 'CONFIG_INVALID', exitCode: 2 });
    expect((failure as { message: string }).message).toContain(`it.yaml:${place}`);
    expect((failure as { message: string }).message).toMatch(message);
  });
});

test('nothing of a file moves the cursor', () => {
  const evil = 'a\u0000\u001b[31m\u009b2J\u202Eb';
  const model = readModelText(
    `name: ${JSON.stringify(evil)}\ncomponents: { a: { probability: 0.1, note: ${JSON.stringify(evil)} } }\nstructure: a\n`,
    'it.yaml',
  );
  expect(modelLines(evaluateModel(model), noPaint).join('')).not.toMatch(/[\p{Cc}\p{Cf}]/u);
});

function refusal(text: string): ConfigError {
  try {
    readModelText(text, 'it.yaml');
  } catch (error) {
    if (error instanceof ConfigError) return error;
    throw error;
  }
  throw new Error('it was accepted');
}

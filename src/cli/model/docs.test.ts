import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { evaluateModel } from '../../model/file/evaluate.ts';
import { noPaint } from '../terminal/style.ts';
import { hours, number, percent, time } from '../../model/format.ts';
import { advise } from '../../model/advice/advise.ts';
import { adviceReport } from '../../model/advice/report.ts';
import { modelLines, reportLines } from './print.ts';
import { readModelText, readNeedsText } from './read.ts';

const page = readFileSync(new URL('../../../docs/model.md', import.meta.url), 'utf8');
const blocks = [...page.matchAll(/^```yaml\n([\s\S]*?)^```/gm)].map((match) => match[1]!);
/** Needs say what things are worth; models do not. */
const isNeeds = (text: string) => /^worth:/m.test(text);
const examples = blocks.filter((text) => !isNeeds(text));

describe('docs/model.md', () => {
  test('has examples', () => expect(examples.length).toBeGreaterThanOrEqual(4));

  test.each(examples.map((text, index) => [index + 1, text] as const))('example %d is computed and told', (_, text) => {
    const answer = evaluateModel(readModelText(text, 'docs/model.md'));
    const lines = modelLines(answer, noPaint, 120);
    expect(lines.length).toBeGreaterThan(5);
    expect(lines.join('\n')).not.toMatch(/NaN|undefined|\[object/);
    // What --json prints is what was computed: plain data.
    expect(JSON.parse(JSON.stringify(answer))).toEqual(answer);
  });
});

test.each(blocks.filter(isNeeds).map((text, index) => [index + 1, text] as const))('needs %d are met and advised on', (_, text) => {
  const advice = advise(readNeedsText(text, 'docs/model.md'));
  expect(advice.meeting).toBeGreaterThan(0);
  const lines = reportLines(adviceReport(advice), noPaint, 160);
  expect(lines.length).toBeGreaterThan(20);
  expect(lines.join('\n')).not.toMatch(/NaN|undefined|\[object|Infinity/);
});

test('numbers for people', () => {
  expect(percent(1e-5)).toBe('99.999%');
  expect(percent(1.234e-5)).toBe('99.99877%');
  expect(percent(2.77e-7)).toBe('99.9999723%');
  expect(percent(0)).toBe('100%');
  expect(percent(0.5)).toBe('50%');
  expect(percent(1)).toBe('0%');
  expect(percent(1e-25)).toBe('100% − 1e-23%');
  expect([time(0), time(90_000), time(Infinity), time(0.5), hours(8760 * 31)]).toEqual(['0 s', '1.5 min', 'never', '500 µs', '31 years']);
  expect([number(1.25e-12), number(0.000123), number(Infinity), number(0)]).toEqual(['1.25e-12', '0.000123', '∞', '0']);
});

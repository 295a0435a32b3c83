import { describe, expect, it } from 'vitest';
import { cutOff } from './screen.ts';
import { colours, noPaint, paintFor, visible } from './style.ts';
import { tableLines, type Column } from './table.ts';

describe('tableLines', () => {
  const columns: Column[] = [
    { heading: 'NAME' },
    { heading: 'N', align: 'right' },
    { heading: 'NOTHING' },
    { heading: 'NOTE', dispensable: 1 },
    { heading: 'MORE', dispensable: 2 },
  ];
  const rows = [
    ['a', '1', '', 'x', 'first'],
    ['longer', '22', '', '', ''],
  ].map((row) => row.map((text) => ({ text })));

  it('aligns, and leaves out columns in which nothing stands', () => {
    expect(tableLines(columns, rows, noPaint)).toEqual(['NAME     N  NOTE  MORE', 'a        1  x     first', 'longer  22']);
  });

  it('leaves out the most dispensable columns until it fits, and never the others', () => {
    expect(tableLines(columns, rows, noPaint, 22)).toEqual(['NAME     N  NOTE', 'a        1  x', 'longer  22']);
    expect(tableLines(columns, rows, noPaint, 3)).toEqual(['NAME     N', 'a        1', 'longer  22']);
  });

  it('paints without moving the columns', () => {
    const painted = tableLines(columns, [rows[0]!.map(({ text }) => ({ text, style: 'bad' as const })), rows[1]!], colours);
    // eslint-disable-next-line no-control-regex
    expect(painted.map((line) => line.replaceAll(/\u001b\[\d*m/g, '').trimEnd())).toEqual(tableLines(columns, rows, noPaint));
    expect(painted[1]).toContain('\u001b[31ma\u001b[0m');
  });
});

describe('style', () => {
  it('is for terminals, and for those who want it', () => {
    expect(paintFor({ isTTY: true }, {})('x', 'bad')).toBe('\u001b[31mx\u001b[0m');
    for (const [stream, environment] of [
      [{}, {}],
      [{ isTTY: true }, { NO_COLOR: '1' }],
      [{ isTTY: true }, { TERM: 'dumb' }],
    ] as const)
      expect(paintFor(stream, environment)('x', 'bad')).toBe('x');
    expect(paintFor({ isTTY: true }, { NO_COLOR: '' })('x', 'bad')).not.toBe('x');
  });

  it('lets nothing from elsewhere move the cursor', () => {
    expect(visible('a\u001b[2J\u0007b\r\nc\u009bd\u202ee é→')).toBe('a[2Jb cde é→');
  });
});

describe('cutOff', () => {
  it('counts what is seen', () => {
    const line = `ab${colours('cd', 'good')}ef`;
    expect(cutOff(line, 10)).toBe(line);
    expect(cutOff(line, 5)).toBe(`ab${colours('cd', 'good')}e`);
    expect(cutOff(line, 3)).toBe(`ab${colours('c', 'good')}`);
    expect(cutOff(line, 0)).toBe('\u001b[32m\u001b[0m');
    expect(cutOff('→→→', 2)).toBe('→→');
  });
});

import { describe, expect, test } from 'vitest';
import { parseIncidents } from './incidents.ts';
import { observe } from './observed.ts';

const hour = 3_600_000;
const at = (text: string) => Date.parse(text);

describe('incidents', () => {
  test('from CSV, with quotes, other columns, an open one and a duration', () => {
    const text = [
      'start,end,duration,planned,note',
      '2026-01-02T00:00:00Z,2026-01-02T01:00:00Z,,no,"disk, the ""old"" one\nof two"',
      '',
      '2026-01-03T10:00:00+02:00,,1h30m,yes,',
      '2026-01-09 00:00Z,,,,open',
    ].join('\r\n');
    expect(parseIncidents(text)).toEqual([
      { startMs: at('2026-01-02T00:00:00Z'), endMs: at('2026-01-02T01:00:00Z'), planned: false },
      { startMs: at('2026-01-03T08:00:00Z'), endMs: at('2026-01-03T09:30:00Z'), planned: true },
      { startMs: at('2026-01-09T00:00:00Z'), planned: false },
    ]);
  });

  test('from a JSON list', () => {
    expect(parseIncidents('[{"start":"2026-01-02T00:00:00Z","duration":"90s","planned":true}]')).toEqual([
      { startMs: at('2026-01-02T00:00:00Z'), endMs: at('2026-01-02T00:01:30Z'), planned: true },
    ]);
    expect(parseIncidents(' []')).toEqual([]);
  });

  const json = (...rows: string[]) => `[\n${rows.map((row) => `  ${row}`).join(',\n')}\n]`;
  test.each([
    [
      'start,end\n2026-01-02T00:00:00Z,yesterday',
      "line 2: 'end' must be a time with its zone such as 2026-03-29T01:59:00Z, not 'yesterday'",
    ],
    ['start,end\n2026-02-30T00:00:00Z,', "line 2: 'start' must be a time"],
    ['start,end\n2026-01-02T00:00:00,', "line 2: 'start' must be a time with its zone"],
    ['begin,end\na,b', "line 1: the header has no column 'start'; it has: begin, end"],
    ['start,end\n\n2026-01-02T00:00:00Z', 'line 3: has 1 values for 2 columns (start, end)'],
    ['start,end,note\n2026-01-02T00:00:00Z,,"a\nb', 'line 2: has a quotation mark that is not closed'],
    [
      'start,note,end\n2026-01-02T00:00:00Z,"a\nb",\n2026-01-03T00:00:00Z,,2026-01-02T00:00:00Z',
      'line 4: ends (2026-01-02T00:00:00Z) before it begins',
    ],
    ['start,start\na,b', "line 1: the header has the column 'start' twice"],
    ['', 'line 1: the file is empty'],
    [
      json('{"start":"2026-01-02T00:00:00Z"}', '{"start":"2026-01-02T00:00:00Z","planned":"perhaps"}'),
      "line 3: 'planned' must be true or false, not 'perhaps'",
    ],
    [json('{"start":"2026-01-02T00:00:00Z", "x": [1,\n2]}', '7'), 'line 4: must be an object'],
    [json('{"begin":"2026-01-02T00:00:00Z"}'), "line 2: has no 'start' (it has begin)"],
    ['[{"start":\n"2026-01-02T00:00:00Z",}]', 'line 2: is not valid JSON'],
    ['[{"start":"2026-01-02T00:00:00Z","duration":"long"}]', "line 1: 'duration' must be a duration such as 90s or 1h30m, not 'long'"],
    ['[{"start":"2026-01-02T00:00:00Z","duration":"1h","end":"2026-01-02T00:00:00Z"}]', "line 1: has both 'end' and 'duration'"],
    ['[{"start":{}}]', "line 1: 'start' must be a time with its zone such as 2026-03-29T01:59:00Z, not a list or mapping"],
  ])('nonsense is told with its line: %j', (text, message) => expect(() => parseIncidents(text)).toThrow(message));
});

describe('what was observed', () => {
  const from = at('2026-01-01T00:00:00Z');
  const window = { fromMs: from, untilMs: from + 1000 * hour };
  const incident = (start: number, end?: number, planned = false) => ({
    startMs: from + start * hour,
    ...(end === undefined ? {} : { endMs: from + end * hour }),
    planned,
  });

  test('overlapping and touching incidents are one outage', () => {
    const seen = observe([incident(100, 103), incident(102, 104), incident(104, 105), incident(500, 505)], { window });
    expect(seen.outages).toHaveLength(2);
    expect(seen).toMatchObject({
      failures: 2,
      downtimeMs: 10 * hour,
      unavailability: 0.01,
      availability: 0.99,
      mtbfMs: 495 * hour,
      mttrMs: 5 * hour,
    });
    expect(seen.availability).toBeCloseTo(seen.mtbfMs! / (seen.mtbfMs! + seen.mttrMs!), 15);
    // Two failures in 990 h: 2·990/χ²(0.95; 6) and 2·990/χ²(0.05; 4), with the quantiles of NIST's table.
    expect(seen.mtbfBoundsMs!.low / hour).toBeCloseTo(1980 / 12.592, 1);
    expect(seen.mtbfBoundsMs!.high / hour).toBeCloseTo(1980 / 0.710_723, 0);
  });

  test('what lies outside the window is cut off; what was down before it is no failure in it', () => {
    const seen = observe([incident(-5, 2), incident(-9, -8), incident(2000, 2001), incident(998)], { window });
    expect(seen).toMatchObject({ failures: 1, downtimeMs: 4 * hour });
    expect(seen.outages.at(-1)).toMatchObject({ open: true });
    expect(seen.mttrMs, 'an outage that lasts has no length yet').toBeUndefined();
  });

  test('planned maintenance is downtime, or left out of what was watched', () => {
    const list = [incident(100, 110, true), incident(105, 115), incident(300, 301)];
    expect(observe(list, { window })).toMatchObject({ downtimeMs: 16 * hour, watchedMs: 1000 * hour });
    expect(observe(list, { window, withoutPlanned: true })).toMatchObject({ downtimeMs: 6 * hour, watchedMs: 990 * hour, failures: 2 });
  });

  test('without failures there is a lower bound alone', () => {
    const seen = observe([], { window, confidence: 0.8 });
    expect(seen.mtbfMs).toBeUndefined();
    // Two-sided at 80 %: one-sided at 90 %: 1000 / ln 10.
    expect(seen.mtbfBoundsMs!.low / hour).toBeCloseTo(1000 / Math.LN10, 9);
    expect(seen.mtbfBoundsMs!.high).toBe(Infinity);
  });

  test('nothing watched is refused', () => {
    expect(() => observe([], { window: { fromMs: 5, untilMs: 5 } })).toThrow(/must end after it began/);
    expect(() => observe([incident(-1, 2000, true)], { window, withoutPlanned: true })).toThrow(/all of it is planned/);
  });
});

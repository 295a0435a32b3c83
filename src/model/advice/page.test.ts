import { expect, test } from 'vitest';
import { outlineOf } from '../html/testing/outline.ts';
import { advise, parseRequirements } from './advise.ts';
import { axesOf, logAxis } from './axes.ts';
import { advicePage } from './page.ts';

const nasty = '</script><script>alert(1)</script>"\'&';
const advice = advise(
  parseRequirements({
    name: nasty,
    currency: '<b>',
    data: { size: '200GiB', change: '20GiB/day' },
    worth: { downtime: '2000/h', history: '3000/h', data: 2_000_000 },
    team: { hour: 90 },
    needs: { rto: '30min' },
    search: { members: [1, 3], stores: ['etcd'], copies: ['disk', 'cloud'], backup: ['1d'], journal: ['10s'], drills: ['none', '30d'] },
  }),
);

test('the page is well formed, leads from every point and row to its design, and takes text for text', () => {
  const text = advicePage(advice, (value) => `# ${nasty}\n${JSON.stringify(value)}`);
  const { problems, ids, attributes, tags } = outlineOf(text);
  expect(problems).toEqual([]);
  expect(new Set(ids).size).toBe(ids.length);
  const links = attributes.filter(([name, value]) => name === 'href' && value.startsWith('#design-')).map(([, value]) => value.slice(1));
  expect(links).toHaveLength(2 * advice.front.length);
  expect(links.filter((link) => !ids.includes(link))).toEqual([]);
  // Data for the script, the script, and no third one.
  expect(tags.filter((tag) => tag === 'script')).toHaveLength(2);
  expect(tags).not.toContain('b');
  expect(attributes.filter(([name, value]) => name.startsWith('on') || /^(?:https?:)?\/\//.test(value))).toEqual([]);
});

test('axes hold every design and have marks between them', () => {
  for (const { shares, marks } of axesOf(advice)) {
    expect(shares).toHaveLength(advice.front.length);
    expect([...shares, ...marks.map(({ share }) => share)].every((share) => share >= 0 && share <= 1)).toBe(true);
    expect(marks.length).toBeGreaterThan(0);
    expect(marks.length).toBeLessThanOrEqual(8);
  }
});

test.each([
  [[1, 10, 100], 'powers'],
  [[5, 5, 5], 'all the same'],
  [[0, 1e-12, 1], 'nothing among small ones'],
  [[0, 0], 'nothing at all'],
  [[1e-300, 1e300], 'everything'],
  [[12_345, 12_346], 'next to each other'],
])('an axis of %j: %s', (values) => {
  const { shares, marks } = logAxis('x', values, String);
  expect(shares.every((share) => share >= 0 && share <= 1)).toBe(true);
  expect(shares).toEqual(shares.toSorted((a, b) => a - b));
  expect(marks.length).toBeLessThanOrEqual(8);
  expect(new Set(marks.map(({ text }) => text)).size).toBe(marks.length);
});

import { expect, test } from 'vitest';
import { summarize } from './statistics.ts';

test('median, nearest-rank p90 and worst, of any order', () => {
  expect(summarize([])).toBeUndefined();
  expect(summarize([7])).toEqual({ count: 1, median: 7, p90: 7, worst: 7 });
  expect(summarize([4, 1, 3, 2])).toEqual({ count: 4, median: 2.5, p90: 4, worst: 4 });
  const twenty = Array.from({ length: 20 }, (_, index) => 20 - index);
  expect(summarize(twenty)).toEqual({ count: 20, median: 10.5, p90: 18, worst: 20 });
});

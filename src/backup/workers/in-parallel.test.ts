import { expect, test } from 'vitest';
import { inParallel } from './in-parallel.ts';

test('each item is worked on once, so many at a time', async () => {
  let under = 0;
  let most = 0;
  const done: number[] = [];
  await inParallel([1, 2, 3, 4, 5, 6, 7].values(), 3, async (item) => {
    under += 1;
    most = Math.max(most, under);
    await new Promise((resolve) => setImmediate(resolve));
    done.push(item);
    under -= 1;
  });
  expect(most).toBe(3);
  expect(done).toEqual([1, 2, 3, 4, 5, 6, 7]);
});

test('after a failure nothing is begun, and nothing is under way any more', async () => {
  const begun: number[] = [];
  const ended: number[] = [];
  const work = inParallel([1, 2, 3, 4, 5], 2, async (item) => {
    begun.push(item);
    if (item === 2) throw new Error('two');
    await new Promise((resolve) => setImmediate(resolve));
    ended.push(item);
  });
  await expect(work).rejects.toThrow('two');
  expect(begun).toEqual([1, 2]);
  expect(ended).toEqual([1]);
  await inParallel([], 2, () => Promise.reject(new Error('none')));
});

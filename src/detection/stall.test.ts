import { expect, test } from 'vitest';
import { StallWatch } from './stall.ts';

test('a tick in time, or a little late, is no stall', () => {
  const watch = new StallWatch(300);
  expect(watch.tick(0, 50_000, 100)).toBe(0);
  expect(watch.tick(100, 50_100, 100)).toBe(0);
  expect(watch.tick(499, 50_499, 100)).toBe(0);
});

test('a late tick tells how late; the next one counts from it', () => {
  const watch = new StallWatch(300);
  watch.tick(0, 0, 100);
  expect(watch.tick(2_100, 2_100, 100)).toBe(2_000);
  expect(watch.tick(2_200, 2_200, 100)).toBe(0);
});

test('a suspended machine is seen by its boot clock, which ran on', () => {
  const watch = new StallWatch(300);
  watch.tick(0, 7_000, 100);
  expect(watch.tick(100, 67_100, 100)).toBe(60_000);
  expect(watch.tick(200, 67_200, 100)).toBe(0);
});

test('the boot clock’s coarse steps are no suspension', () => {
  const watch = new StallWatch(300);
  watch.tick(0, 1_000, 100);
  expect(watch.tick(100.4, 1_110, 100)).toBe(0);
  expect(watch.tick(200.9, 1_200, 100)).toBe(0);
});

import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { createClock } from './clock.ts';

const clock = createClock();

test('a timer never fires early, and not at all once disposed of', async () => {
  for (let round = 0; round < 50; round += 1) {
    const startMs = clock.monotonicMs();
    const { promise, resolve } = Promise.withResolvers<number>();
    const timer = clock.after(1.3, () => resolve(clock.monotonicMs()));
    expect((await promise) - startMs).toBeGreaterThanOrEqual(1.3);
    expect(timer.fired).toBe(true);
  }
  const timer = clock.after(1, () => expect.unreachable());
  timer[Symbol.dispose]();
  await clock.sleep(10);
  expect(timer.fired).toBe(false);
});

test('a wait longer than a signed 32-bit count does not fire at once', async () => {
  const timer = clock.after(2 ** 40, () => {});
  await clock.sleep(5);
  expect(timer.fired).toBe(false);
  timer[Symbol.dispose]();
});

test('a sleep ends with its signal, with the reason', async () => {
  const stop = new AbortController();
  const asleep = clock.sleep(60_000, stop.signal);
  stop.abort(new Error('woken'));
  await expect(asleep).rejects.toThrow('woken');
  await expect(clock.sleep(1, stop.signal)).rejects.toThrow('woken');
});

test.skipIf(process.platform !== 'linux')('boot time is that of /proc/uptime, which the guard reads', () => {
  const before = Math.round(Number(readFileSync('/proc/uptime', 'utf8').split(' ')[0]) * 1_000);
  const between = clock.bootMs();
  const after = Math.round(Number(readFileSync('/proc/uptime', 'utf8').split(' ')[0]) * 1_000);
  expect(between).toBeGreaterThanOrEqual(before);
  expect(between).toBeLessThanOrEqual(after);
  expect(Number.isInteger(between / 10)).toBe(true);
});

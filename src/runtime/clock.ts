import { readSync, openSync } from 'node:fs';
import { performance } from 'node:perf_hooks';
import type { Clock, Timer } from '../core/clock.ts';
import { sleepBy } from '../core/sleep.ts';

/** The longest that one `setTimeout` can take (a signed 32-bit count); longer waits are chained. */
const timeoutMsMax = 2 ** 31 - 1;

/**
 * Node counts from when its loop last woke, and so calls up to a millisecond too early; then it has to be called again. Waits from here on
 * rather take that millisecond more at once: an agent at rest wakes less often.
 */
const longMs = 50;

/** This machine's time. */
export function createClock(): Clock {
  return {
    monotonicMs: () => performance.now(),
    bootMs: createBootClock(),
    wallMs: () => Date.now(),
    after,
    sleep: (delayMs, signal) => sleepBy(after, delayMs, signal),
  };
}

/**
 * Time since boot, suspension included. On Linux what /proc/uptime says (proc(5), hundredths of a second): the same file that the guard
 * reads, so that both always agree, in containers with a virtualised /proc as well. Elsewhere the high-resolution clock, which on macOS
 * is mach_continuous_time(): since boot, suspension included.
 */
function createBootClock(): () => number {
  if (process.platform !== 'linux') return () => Number(process.hrtime.bigint() / 1_000n) / 1_000;
  // Kept open for good: a positioned read of it takes about 2 µs, opening it each time 10.
  const uptime = openSync('/proc/uptime', 'r');
  const buffer = Buffer.alloc(64);
  return () => Math.round(Number.parseFloat(buffer.toString('latin1', 0, readSync(uptime, buffer, 0, buffer.length, 0))) * 1_000);
}

function after(delayMs: number, callback: () => void): Timer {
  const dueMs = performance.now() + delayMs;
  let fired = false;
  let handle: NodeJS.Timeout;
  const arm = (): void => {
    const restMs = Math.max(0, dueMs - performance.now());
    const slackMs = restMs < longMs ? 0 : 1;
    handle = setTimeout(expire, Math.min(Math.ceil(restMs) + slackMs, timeoutMsMax));
  };
  const expire = (): void => {
    if (performance.now() < dueMs) return arm();
    fired = true;
    callback();
  };
  arm();
  return {
    get fired() {
      return fired;
    },
    [Symbol.dispose]: () => clearTimeout(handle),
  };
}

import { describe, expect, test } from 'vitest';
import { Arrivals, defaultArrivalOptions } from './arrivals.ts';
import { phi } from './phi.ts';

function beating(count: number, everyMs = 100): { arrivals: Arrivals; lastMs: number } {
  const arrivals = new Arrivals({ ...defaultArrivalOptions, expectedMs: 100 });
  for (let beat = 0; beat < count; beat++) arrivals.arrived(beat * everyMs);
  return { arrivals, lastMs: (count - 1) * everyMs };
}

/** First whole millisecond of silence at which φ reaches the limit. */
function silenceUntil(limit: number, arrivals: Arrivals, fromMs: number): number {
  for (let silentMs = 0; ; silentMs++) if (arrivals.phi(fromMs + silentMs) >= limit) return silentMs;
}

describe('arrivals', () => {
  test('suspect nobody before the first heartbeat, and soon after the last', () => {
    expect(new Arrivals().phi(1e6)).toBe(0);
    const { arrivals, lastMs } = beating(300);
    expect(arrivals.phi(lastMs + 100)).toBeCloseTo(phi(100, 100, defaultArrivalOptions.minimumDeviationMs), 12);
    expect(silenceUntil(8, arrivals, lastMs)).toBeGreaterThan(400);
    expect(silenceUntil(8, arrivals, lastMs)).toBeLessThan(450);
  });

  test('believe the expected rhythm until they have seen another', () => {
    const { arrivals, lastMs } = beating(2, 30);
    expect(silenceUntil(8, arrivals, lastMs)).toBeGreaterThan(380);
  });

  test('learn a slower rhythm within the window', () => {
    const { arrivals, lastMs } = beating(201, 300);
    expect(arrivals.phi(lastMs + 400)).toBeLessThan(3);
  });

  test('know at once when one begins to beat faster or slower, and say so', () => {
    const { arrivals, lastMs } = beating(300);
    const slowly = lastMs + 100;
    arrivals.arrived(slowly, 300);
    expect(silenceUntil(8, arrivals, slowly)).toBeGreaterThan(600);
    for (let beat = 1; beat < 300; beat++) arrivals.arrived(slowly + beat * 300, 300);
    const swiftly = slowly + 300 * 300;
    arrivals.arrived(swiftly, 100);
    expect(silenceUntil(8, arrivals, swiftly)).toBeGreaterThan(400);
    expect(silenceUntil(8, arrivals, swiftly)).toBeLessThan(450);
  });

  test('take what was learned of a peer’s lateness along to another pace', () => {
    const late = (n: number): number => (n % 2) * 150;
    const arrivals = new Arrivals({ ...defaultArrivalOptions, expectedMs: 100 });
    for (let beat = 0; beat < 300; beat++) arrivals.arrived(beat * 300 + late(beat), 300);
    const lastMs = 300 * 300;
    arrivals.arrived(lastMs, 100);
    // Intervals of 150 and 450 ms: σ = 150.
    expect(arrivals.phi(lastMs + 100 + 300)).toBeCloseTo(phi(400, 100, 150), 1);
  });

  test('count neither the silence nor the interval in which the observer itself was stalled', () => {
    const { arrivals, lastMs } = beating(50);
    expect(arrivals.phi(lastMs + 5_000)).toBeGreaterThan(1_000);
    arrivals.observerStalled(lastMs + 5_000);
    expect(arrivals.phi(lastMs + 5_050)).toBeLessThan(1);
    arrivals.arrived(lastMs + 5_060);
    arrivals.arrived(lastMs + 5_160);
    expect(silenceUntil(8, arrivals, lastMs + 5_160)).toBeLessThan(450);
  });

  test('start over with a new connection', () => {
    const { arrivals, lastMs } = beating(50);
    arrivals.reconnected(lastMs + 9_000);
    expect(arrivals.phi(lastMs + 9_050)).toBeLessThan(1);
    expect(silenceUntil(8, arrivals, lastMs + 9_000)).toBeLessThan(450);
  });

  test('are not made slow to see the next outage by the last one', () => {
    const { arrivals, lastMs } = beating(200);
    arrivals.arrived(lastMs + 30_000);
    expect(silenceUntil(8, arrivals, lastMs + 30_000)).toBeLessThan(600);
  });
});

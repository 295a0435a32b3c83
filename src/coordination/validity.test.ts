import { beforeEach, describe, expect, it } from 'vitest';
import { type SimulatedClock, SimulatedTime } from '../sim/clock.ts';
import { sentNow, Validity } from './validity.ts';

const lost = expect.objectContaining({ code: 'COORD_SESSION_LOST' });

let time: SimulatedTime;
let clock: SimulatedClock;
beforeEach(() => {
  time = new SimulatedTime();
  clock = time.clock({ bootStartMs: 5_000 });
});

const begin = (): Validity => new Validity(clock, { ttlMs: 1_000, sent: sentNow(clock), name: 'test' });

describe('validity', () => {
  it('ends 0.85 TTL after the first request was sent', async () => {
    const validity = begin();
    expect(validity.validUntilMs).toBe(5_850);
    await time.advance(849);
    validity.assertValid();
    expect(validity.signal.aborted).toBe(false);
    await time.advance(2);
    expect(validity.signal.aborted).toBe(true);
    expect(validity.signal.reason).toEqual(lost);
    expect(() => validity.assertValid()).toThrow(lost);
    expect(time.pending).toBe(0);
  });

  it('counts a renewal from when it was sent, not from its reply', async () => {
    const validity = begin();
    await time.advance(400);
    const sent = sentNow(clock);
    await time.advance(300);
    validity.renewed(sent);
    expect(validity.validUntilMs).toBe(5_400 + 850);
    await time.advance(549);
    validity.assertValid();
    await time.advance(2);
    expect(validity.lost).toBe(true);
  });

  it('does not come back when a renewal is confirmed too late', async () => {
    const validity = begin();
    await time.advance(800);
    const sent = sentNow(clock);
    clock.stall();
    await time.advance(100);
    // The reply is handled before the timer had a chance.
    validity.renewed(sent);
    expect(validity.lost).toBe(true);
    clock.resume();
    validity.renewed(sentNow(clock));
    expect(() => validity.assertValid()).toThrow(lost);
  });

  it('is not shortened by a reply that comes out of order', async () => {
    const validity = begin();
    const early = sentNow(clock);
    await time.advance(300);
    validity.renewed(sentNow(clock));
    validity.renewed(early);
    expect(validity.validUntilMs).toBe(6_150);
  });

  it('follows the TTL that a renewal grants', async () => {
    const validity = begin();
    await time.advance(100);
    validity.renewed(sentNow(clock), 2_000);
    expect(validity.validUntilMs).toBe(5_100 + 1_700);
    await time.advance(100);
    validity.renewed(sentNow(clock));
    expect(validity.validUntilMs).toBe(5_200 + 1_700);
  });

  it('is over after the machine was suspended, though its monotonic clock stood still', async () => {
    const validity = begin();
    await time.advance(100);
    clock.suspend();
    await time.advance(3_600_000);
    clock.resume();
    expect(clock.monotonicMs()).toBe(5_100);
    expect(validity.validUntilMs, 'told in time that stood still').toBeLessThan(5_100);
    expect(() => validity.assertValid()).toThrow(lost);
    validity.renewed(sentNow(clock));
    expect(validity.lost).toBe(true);
  });

  it('is known to be over by who asks, before a late timer fires', async () => {
    const validity = begin();
    clock.stall();
    await time.advance(900);
    expect(validity.signal.aborted).toBe(false);
    expect(() => validity.assertValid()).toThrow(lost);
    expect(validity.signal.aborted).toBe(true);
  });

  it('ends once, for the first reason', async () => {
    const validity = begin();
    validity.lose('the store said so');
    validity.lose('something else');
    expect(validity.signal.reason).toMatchObject({ message: expect.stringContaining('the store said so') });
    await time.advance(2_000);
    expect(time.pending).toBe(0);
  });

  it('ends also on a clock whose fractions do not add up', async () => {
    for (const rate of [0.9971, 1.0013, 1.1, 0.7]) {
      const drifting = time.clock({ rate, bootStartMs: 12_345.678 });
      const validity = new Validity(drifting, { ttlMs: 777.7, sent: sentNow(drifting), name: 'drifting' });
      await time.advance(1_200, { stepsMax: 10 });
      expect(validity.lost).toBe(true);
    }
  });
});

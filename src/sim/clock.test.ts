import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { SimulatedTime } from './clock.ts';

describe('simulated time', () => {
  test('fires timers in order of due time, then of arming, with reactions in between', async () => {
    const time = new SimulatedTime();
    const clock = time.clock();
    const seen: string[] = [];
    const note = (what: string) => () => {
      seen.push(`${clock.monotonicMs()} ${what}`);
      void Promise.resolve()
        .then(() => Promise.resolve())
        .then(() => seen.push(`after ${what}`));
    };
    clock.after(20, note('late'));
    clock.after(10, note('first'));
    clock.after(10, note('second'));
    await time.advance(15);
    expect(seen).toEqual(['10 first', 'after first', '10 second', 'after second']);
    expect(time.nowMs).toBe(15);
    await time.runUntilIdle();
    expect(seen.slice(4)).toEqual(['20 late', 'after late']);
  });

  test('an async loop sleeps as often as it should', async () => {
    const time = new SimulatedTime();
    const clock = time.clock();
    let turns = 0;
    const stop = new AbortController();
    const loop = (async () => {
      for (;;) {
        await clock.sleep(100, stop.signal);
        turns += 1;
      }
    })();
    await time.advance(1_000);
    expect(turns).toBe(10);
    stop.abort(new Error('enough'));
    await expect(loop).rejects.toThrow('enough');
    expect(time.pending).toBe(0);
  });

  test('a disposed timer never fires', async () => {
    const time = new SimulatedTime();
    const timer = time.clock().after(10, () => expect.unreachable());
    timer[Symbol.dispose]();
    await time.advance(100);
    expect(timer.fired).toBe(false);
  });

  test('gives up instead of running for ever', async () => {
    const time = new SimulatedTime();
    const clock = time.clock();
    const again = (): void => void clock.after(1, again);
    again();
    await expect(time.runUntil(() => false, { limitMs: 1_000 })).rejects.toThrow('within 1000 simulated ms');
    await expect(time.advance(100, { stepsMax: 10 })).rejects.toThrow('fired 10 timers');
  });

  test('any set of timers fires sorted, whichever were disposed of', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(fc.nat(50), fc.boolean()), { maxLength: 40 }), async (plan) => {
        const time = new SimulatedTime();
        const clock = time.clock();
        const fired: number[] = [];
        const timers = plan.map(([delay], index) => clock.after(delay, () => fired.push(index)));
        plan.forEach(([, cancel], index) => cancel && timers[index]![Symbol.dispose]());
        await time.runUntilIdle();
        const expected = plan.flatMap(([delay, cancel], index) => (cancel ? [] : [{ delay, index }]));
        expect(fired).toEqual(expected.toSorted((x, y) => x.delay - y.delay || x.index - y.index).map(({ index }) => index));
      }),
      { numRuns: 100 },
    );
  });
});

describe('a machine in it', () => {
  test('that is stalled fires late, that is suspended does not age', async () => {
    const time = new SimulatedTime();
    const stalled = time.clock();
    const suspended = time.clock();
    const fired: string[] = [];
    stalled.after(10, () => fired.push(`stalled at ${time.nowMs}`));
    suspended.after(10, () => fired.push(`suspended at ${time.nowMs}`));
    await time.advance(4);
    stalled.stall();
    suspended.suspend();
    await time.advance(100);
    expect(fired).toEqual([]);
    expect([stalled.monotonicMs(), suspended.monotonicMs(), suspended.bootMs()]).toEqual([104, 4, 104]);
    stalled.resume();
    suspended.resume();
    await time.runUntilIdle();
    expect(fired).toEqual(['stalled at 104', 'suspended at 110']);
    expect([stalled.monotonicMs(), suspended.monotonicMs(), suspended.bootMs()]).toEqual([110, 10, 110]);
  });

  test('that is suspended goes on where it was, whoever armed a timer meanwhile', async () => {
    const time = new SimulatedTime();
    const clock = time.clock();
    await time.advance(10);
    clock.suspend();
    await time.advance(500);
    const fired: number[] = [];
    clock.after(3, () => fired.push(clock.monotonicMs()));
    await time.advance(500);
    clock.resume();
    await time.runUntilIdle();
    expect([fired, time.nowMs]).toEqual([[13], 1_013]);
  });

  test('drifts and jumps', async () => {
    const time = new SimulatedTime();
    const fast = time.clock({ rate: 2, wallStartMs: 1_000 });
    fast.after(100, () => {});
    await time.runUntilIdle();
    expect([time.nowMs, fast.monotonicMs(), fast.wallMs()]).toEqual([50, 100, 1_100]);
    fast.jumpWall(-600);
    expect(fast.wallMs()).toBe(500);
  });
});

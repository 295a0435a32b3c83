import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { businessRecoveryMs, catchUpMs, lagWithin, recoveryPointMs, recoveryTime, replayWindow } from './recovery-time.ts';
import { calibrate, promise } from './calibrate.ts';
import { median, theilSen } from './robust.ts';

const minute = 60_000;
const hour = 60 * minute;

describe('recovery time', () => {
  const terms = {
    detectMs: 10_000,
    decideMs: 5 * minute,
    provisionMs: 2 * minute,
    bytes: 360_000_000_000,
    bytesPerSecond: 100_000_000,
    startMs: 30_000,
    rampup: 0.25,
    replayedMs: 12 * hour,
    verifyMs: minute,
    cutoverMs: 20_000,
  };

  test('is the sum of its terms, in their order', () => {
    const { totalMs, steps } = recoveryTime(terms);
    expect(steps.map(({ step }) => step)).toEqual(['detect', 'decide', 'provision', 'copy', 'start', 'replay', 'verify', 'cut over']);
    expect(steps.find(({ step }) => step === 'copy')!.ms).toBe(hour);
    expect(steps.find(({ step }) => step === 'replay')!.ms).toBe(3 * hour);
    expect(totalMs).toBe(4 * hour + 9 * minute);
    expect(() => recoveryTime({ ...terms, bytesPerSecond: 0 })).toThrow(/bytesPerSecond must be a number above 0/);
    expect(() => recoveryTime({ ...terms, detectMs: -1 })).toThrow(/detectMs must be a number of at least 0/);
  });

  test('catching up under load is a geometric series, and never ends from ρ = 1 on', () => {
    expect(catchUpMs(0.5, hour)).toBe(hour);
    expect(catchUpMs(1, 1)).toBe(Infinity);
    expect(catchUpMs(1.2, hour)).toBe(Infinity);
    fc.assert(
      fc.property(fc.double({ min: 0.01, max: 0.95, noNaN: true }), (rampup) => {
        let sum = 0;
        for (let behind = hour; behind > 1e-9; behind *= rampup) sum += rampup * behind;
        expect(catchUpMs(rampup, hour) / sum).toBeCloseTo(1, 9);
        expect(lagWithin(rampup, catchUpMs(rampup, hour)) / hour).toBeCloseTo(1, 12);
      }),
    );
    expect(lagWithin(1, hour)).toBe(0);
  });

  test('what was lost, and its re-entry', () => {
    expect(recoveryPointMs(5000, 3000)).toBe(2000);
    expect(() => recoveryPointMs(3000, 5000)).toThrow(/of two clocks/);
    expect(businessRecoveryMs(hour, minute, 10)).toBe(hour + 10 * minute);
    expect(replayWindow(24 * hour, hour)).toEqual({ meanMs: 13 * hour, worstMs: 25 * hour });
  });
});

describe('robust lines', () => {
  test('three of ten points astray do not move the slope much; least squares would be thrown', () => {
    const points = Array.from({ length: 10 }, (_, i) => [i, 5 + 2 * i] as const);
    const astray = points.map(([x, y], i) => [x, i === 3 ? 500 : i === 8 ? -300 : y] as const);
    const line = theilSen(astray)!;
    expect(line.slope).toBeCloseTo(2, 12);
    expect(line.intercept).toBeCloseTo(5, 12);
  });

  test('Sen 1968, his example', () => {
    // x 1, 2, 3, 4, 10, 12, 18; y 9, 15, 19, 20, 45, 55, 78: slope 4, 93 % bounds 3.71 and 4.43 there.
    const points = [1, 2, 3, 4, 10, 12, 18].map((x, i) => [x, [9, 15, 19, 20, 45, 55, 78][i]!] as const);
    expect(theilSen(points)!.slope).toBe(4);
  });

  test('needs two different x', () => {
    expect(
      theilSen([
        [1, 1],
        [1, 2],
      ]),
    ).toBeUndefined();
    expect(median([3, 1, 2])).toBe(2);
    expect(median([4, 1, 2, 3])).toBe(2.5);
  });
});

describe('calibration by drills', () => {
  const drill = (i: number, error = 1) => ({
    bytes: 1e11,
    copyMs: (1e11 / 2e8) * 1000,
    replayedMs: i * hour,
    replayMs: (20_000 + 0.3 * i * hour) * error,
    otherMs: 60_000,
  });

  test('finds a, ρ and the rate again, though one drill went astray', () => {
    const found = calibrate([1, 2, 4, 8, 12, 20, 24].map((i) => drill(i, i === 12 ? 9 : 1)));
    expect(found.rampup).toBeCloseTo(0.3, 12);
    expect(found.startMs).toBeCloseTo(20_000, 6);
    expect(found.bytesPerSecond).toBeCloseTo(2e8, 3);
    expect(found.errors.filter((error) => Math.abs(error - 1) < 1e-9)).toHaveLength(6);
    expect(found.errors[4]).toBeGreaterThan(5);
  });

  test('promises by order of errors from 19 drills on, by Student below', () => {
    const errors = Array.from({ length: 19 }, (_, i) => 0.9 + i / 100);
    const many = calibrate(errors.map((error, i) => drill(i + 1, error)));
    const sure = promise(many, { bytes: 1e11, replayedMs: 10 * hour });
    expect(sure.method).toMatch(/error number 19 of 19/);
    expect(sure.limitMs / sure.expectedMs).toBeCloseTo(Math.max(...many.errors), 12);
    const few = promise(calibrate(errors.slice(0, 5).map((error, i) => drill(i + 1, error))), { bytes: 1e11, replayedMs: 10 * hour });
    expect(few.method).toMatch(/Student's t with 4/);
    expect(few.limitMs).toBeGreaterThan(few.expectedMs);
  });

  test('too few drills, or of one window, say so', () => {
    expect(() => calibrate([drill(1), drill(2), drill(3)])).toThrow(/3 drills are too few/);
    expect(() => calibrate([drill(2), drill(2), drill(2), drill(2)])).toThrow(/same length of history/);
  });
});

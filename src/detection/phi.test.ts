import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { phi, phiOfArrivals } from './phi.ts';

/** −log10(½·erfc(y/√2)) by mpmath with 40 digits. */
const known: readonly (readonly [y: number, phi: number])[] = [
  [0, 0.3010299956639812],
  [0.5, 0.5106919892652408],
  [1, 0.7995455414919704],
  [2, 1.6430160801409368],
  [2.8, 2.592586942753496],
  [2.83, 2.633128931440048],
  [3, 2.869699035929369],
  [5, 6.542645672390654],
  [8, 15.206142551017154],
  [12, 32.750439161191856],
  [20, 88.56009534307559],
  [38, 315.5397897039625],
  [100, 2173.8715428690343],
  [1000, 217150.6400419944],
  [-1, 0.07502601295781802],
  [-3, 0.0005866493137900671],
  [-10, 3.309260121306751e-24],
];

describe('phi', () => {
  test.each(known)('at y = %d is %d', (y, expected) => {
    expect(phi(y, 0, 1)).toBeCloseTo(expected, 12 - Math.max(0, Math.ceil(Math.log10(Math.abs(expected)))));
    expect(Math.abs(phi(y, 0, 1) / expected - 1)).toBeLessThan(1e-11);
  });

  test('depends on (t − μ)/σ alone', () => {
    fc.assert(
      fc.property(
        fc.double({ min: -20, max: 60, noNaN: true }),
        fc.double({ min: 0.1, max: 1e4, noNaN: true }),
        fc.double({ min: 0, max: 1e5, noNaN: true }),
        (y, deviation, mean) => {
          const expected = phi(y, 0, 1);
          expect(Math.abs(phi(mean + y * deviation, mean, deviation) - expected)).toBeLessThanOrEqual(1e-6 * (1 + expected));
        },
      ),
    );
  });

  test('only grows with the silence, without a step where its two expansions meet', () => {
    fc.assert(
      fc.property(fc.double({ min: -15, max: 200, noNaN: true }), fc.double({ min: 1e-6, max: 1, noNaN: true }), (y, step) => {
        expect(phi(y + step, 0, 1)).toBeGreaterThanOrEqual(phi(y, 0, 1));
      }),
      { numRuns: 1_000 },
    );
    for (const seam of [2 * Math.SQRT2, -2 * Math.SQRT2]) {
      const [below, above] = [phi(seam - 1e-9, 0, 1), phi(seam + 1e-9, 0, 1)];
      expect((above - below) / above).toBeLessThan(1e-7);
    }
  });

  test('without deviation is nothing up to the mean and certain beyond; refuses nonsense', () => {
    expect([phi(99, 100, 0), phi(100, 100, 0), phi(101, 100, 0)]).toEqual([0, 0, Infinity]);
    expect(phi(Infinity, 100, 10)).toBe(Infinity);
    expect(phi(-Infinity, 100, 10)).toBe(0);
    expect(() => phi(1, 1, -1)).toThrow(RangeError);
    expect(() => phi(NaN, 1, 1)).toThrow(RangeError);
    expect(() => phi(1, 1, NaN)).toThrow(RangeError);
  });
});

describe('phi of a list of arrivals', () => {
  test('is the published formula of its intervals', () => {
    // Intervals 90, 110, 100: μ = 100, σ = √(200/3).
    const arrivals = [0, 90, 200, 300];
    expect(phiOfArrivals(arrivals, 450)).toBeCloseTo(phi(150, 100, Math.sqrt(200 / 3)), 12);
    expect(phiOfArrivals(arrivals, 300 + 100 + 8 * Math.sqrt(200 / 3))).toBeCloseTo(15.206142551017154, 9);
  });

  test('looks at the window alone, and takes a least deviation and a tolerated pause', () => {
    const arrivals = [0, 5_000, 5_100, 5_200, 5_300];
    expect(phiOfArrivals(arrivals, 5_420, { window: 3 })).toBe(Infinity);
    expect(phiOfArrivals(arrivals, 5_420, { window: 3, minimumDeviationMs: 10 })).toBeCloseTo(phi(120, 100, 10), 12);
    expect(phiOfArrivals(arrivals, 5_420, { window: 3, minimumDeviationMs: 10, acceptablePauseMs: 50 })).toBeCloseTo(phi(120, 150, 10), 12);
  });

  test('judges nobody by fewer than two arrivals', () => {
    expect(phiOfArrivals([], 1_000)).toBe(0);
    expect(phiOfArrivals([5], 1_000)).toBe(0);
  });
});

import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { erf, erfc, normalCdf, normalQuantile } from './normal.ts';
import { gamma, logChoose, logGamma, stirlingCorrection } from './gamma.ts';
import { gammaP, gammaQ, gammaTails, inverseGammaP, inverseGammaQ } from './incomplete-gamma.ts';
import { betaI, betaTails, inverseBetaI, inverseBetaTails } from './incomplete-beta.ts';
import { anyOf, log1mexp, log1pMinus, sumOf } from './logarithms.ts';
import { atLeast, binomialCdf, chiSquareQuantile, fisherQuantile, studentQuantile } from './quantiles.ts';

/** Relative, as the bar of twelve digits is. */
function near(actual: number, expected: number, relative = 1e-13): void {
  expect(Math.abs(actual - expected), `${actual} instead of ${expected}`).toBeLessThanOrEqual(Math.abs(expected) * relative);
}

describe('ln Γ', () => {
  test.each([
    // OEIS A073005, A068466, A002161 (decimal expansions); A&S table 6.1 (1.5, 1.75), table 6.4 (100, 1000: ln n!).
    [1 / 3, Math.log(Number('2.678938534707747633'))],
    [1 / 4, Math.log(Number('3.625609908221908311'))],
    [1 / 2, Math.log(Number('1.772453850905516027'))],
    [3 / 2, Math.log(Number('0.8862269254527580136'))],
    [5 / 2, Math.log(Number('1.32934038817913702'))],
    [100, Number('359.134205369575398776')],
  ])('of %f is as published', (x, expected) => near(logGamma(x), expected));

  test('keeps its digits beside its zeros: ln Γ(1+w) = −γw + ζ(2)w²/2 − …', () => {
    for (const w of [2 ** -40, -(2 ** -40), 2 ** -20]) {
      near(logGamma(1 + w), -0.577_215_664_901_532_9 * w + ((Math.PI * Math.PI) / 12) * w * w - (1.202_056_903_159_594 / 3) * w ** 3);
    }
    near(logGamma(2 + 2 ** -40), (1 - 0.577_215_664_901_532_9) * 2 ** -40, 1e-11);
  });

  test('Γ of whole numbers is the factorial, exactly', () => {
    expect(gamma(1)).toBe(1);
    expect(gamma(6)).toBe(120);
    expect(gamma(21)).toBe(2_432_902_008_176_640_000);
    near(logGamma(21), Math.log(2_432_902_008_176_640_000));
  });

  test('Γ(x+1) = xΓ(x), and the duplication formula (DLMF 5.5.5)', () => {
    fc.assert(
      fc.property(fc.double({ min: 1e-3, max: 300, noNaN: true }), (x) => {
        const scale = Math.max(1, Math.abs(logGamma(x + 1)));
        expect(Math.abs(logGamma(x + 1) - logGamma(x) - Math.log(x)) / scale).toBeLessThan(2e-14);
        const doubled = logGamma(x) + logGamma(x + 0.5) + (2 * x - 1) * Math.LN2 - Math.log(Math.PI) / 2;
        expect(Math.abs(doubled - logGamma(2 * x)) / Math.max(1, Math.abs(logGamma(2 * x)))).toBeLessThan(2e-14);
      }),
    );
  });

  test('of what is no positive number is refused', () => {
    expect(() => logGamma(0)).toThrow(/must be a number above 0, not 0/);
    expect(() => logGamma(Number.NaN)).toThrow(/not NaN/);
  });

  test('what Stirling lacks is continuous where the series takes over', () => {
    near(stirlingCorrection(10 - 1e-13), stirlingCorrection(10), 1e-11);
    near(Math.exp(logChoose(50, 25)), 126_410_606_437_752, 1e-12);
  });
});

describe('the error function', () => {
  test.each([
    // A&S table 7.1; DLMF 7.23; mpmath prints the same.
    [0.5, Number('0.5204998778130465377')],
    [1, Number('0.8427007929497148693')],
    [2, Number('0.9953222650189527342')],
  ])('of %f is as published', (x, expected) => {
    near(erf(x), expected);
    near(erf(-x), -expected);
    near(erfc(-x), 1 + expected);
  });

  test.each([
    [2, Number('4.677734981047265838e-3')],
    [5, Number('1.53745979442803485e-12')],
    [10, Number('2.088487583762544757e-45')],
  ])('what it lacks at %f keeps its digits', (x, expected) => near(erfc(x), expected));

  test.each([
    [0.9, Number('1.28155156554460046696')],
    [0.975, Number('1.95996398454005423552')],
    [0.995, Number('2.575829303548900761')],
    [0.5, 0],
  ])('quantile %f of the normal distribution', (p, z) => {
    near(normalQuantile(p), z);
    near(normalQuantile(1 - p), -z, 1e-12);
  });

  test('the normal quantile is the inverse, far out and beside the median', () => {
    fc.assert(
      fc.property(fc.double({ min: -37, max: 5, noNaN: true }), (z) => {
        const p = normalCdf(z);
        // The slope says what one rounding of p does to z.
        const rounding = (Number.EPSILON * p) / (Math.exp((-z * z) / 2) / Math.sqrt(2 * Math.PI));
        expect(Math.abs(normalQuantile(p) - z)).toBeLessThan(1e-13 * Math.max(1, Math.abs(z)) + 8 * rounding);
      }),
    );
  });
});

describe('the incomplete gamma function', () => {
  test('of whole parameters is a Poisson sum (DLMF 8.4.10)', () => {
    for (const [a, x] of [
      [1, 0.5],
      [3, 2],
      [3, 9],
      [7, 30],
      [20, 20],
      [40, 12],
    ] as const) {
      const terms = Array.from({ length: a }, (_, k) => Math.exp(k * Math.log(x) - x - logGamma(k + 1)));
      near(gammaQ(a, x), sumOf(terms), 1e-13);
    }
  });

  test('keeps the digits of either tail', () => {
    near(gammaQ(1, 700), Math.exp(-700), 1e-12);
    near(gammaP(1, 1e-200), 1e-200);
    near(gammaP(5, 1e-10), 1e-50 / 120, 1e-9);
    // a → 0: Q ≈ a·E₁(x); E₁(1) = 0.219383934395520 (A&S table 5.1).
    near(gammaQ(1e-9, 1) / 1e-9, 0.219_383_934_395_520, 1e-8);
    expect(gammaTails(2, Infinity)).toEqual({ lower: 1, upper: 0 });
  });

  test('of large parameters is nearly ½ at the mean: P(a, a) ≈ ½ + 1/(3√(2πa)) (DLMF 8.11.12)', () => {
    for (const a of [1e4, 1e6, 1e8]) expect(Math.abs(gammaP(a, a) - 0.5 - 1 / (3 * Math.sqrt(2 * Math.PI * a)))).toBeLessThan(0.1 / a);
  });

  test('the inverse gives back what it was made of', () => {
    fc.assert(
      fc.property(fc.double({ min: 0.05, max: 500, noNaN: true }), fc.double({ min: 1e-9, max: 1 - 1e-9, noNaN: true }), (a, p) => {
        near(gammaP(a, inverseGammaP(a, p)), p, 1e-11);
        near(gammaQ(a, inverseGammaQ(a, p)), p, 1e-11);
      }),
    );
    near(inverseGammaQ(1, 1e-300), 300 * Math.LN10);
    near(inverseGammaP(1, 1e-250), 1e-250, 1e-12);
    expect(inverseGammaP(2, 0)).toBe(0);
    expect(inverseGammaP(2, 1)).toBe(Infinity);
  });
});

describe('the incomplete beta function', () => {
  test('of halves is the arcsine law: I(x; ½, ½) = 2/π · asin √x', () => {
    for (const x of [1e-12, 0.1, 0.5, 0.9]) near(betaI(x, 0.5, 0.5), (2 / Math.PI) * Math.asin(Math.sqrt(x)));
  });

  test('of whole parameters is a binomial sum (DLMF 8.17.5)', () => {
    expect(betaI(0.5, 2, 3)).toBe(0.6875);
    near(atLeast(2, 3, 0.1), 0.028);
    near(atLeast(3, 3, 1e-5), 1e-15);
    near(binomialCdf(1, 3, 0.1), 0.972);
    expect([binomialCdf(-1, 3, 0.1), binomialCdf(3, 3, 0.1), atLeast(0, 3, 0.1), atLeast(4, 3, 0.1)]).toEqual([0, 1, 1, 0]);
  });

  test('is what is missing from its mirror image: I(x; a, b) = 1 − I(1 − x; b, a)', () => {
    const parameter = fc.double({ min: 0.05, max: 2000, noNaN: true });
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 1023 }), parameter, parameter, (part, a, b) => {
        const x = part / 1024;
        const there = betaTails(x, 1 - x, a, b);
        const back = betaTails(1 - x, x, b, a);
        expect(Math.abs(there.lower - back.upper)).toBeLessThan(1e-12);
        near(there.lower, back.upper, 1e-10);
      }),
    );
  });

  test('the inverse gives back what it was made of, at both ends', () => {
    const parameter = fc.double({ min: 0.3, max: 300, noNaN: true });
    fc.assert(
      fc.property(fc.double({ min: 1e-9, max: 0.5, noNaN: true }), parameter, parameter, (p, a, b) => {
        const { x, y } = inverseBetaTails(p, 1 - p, a, b);
        near(betaTails(x, y, a, b).lower, p, 1e-10);
      }),
    );
    near(inverseBetaI(1e-30, 2, 1), 1e-15);
    near(inverseBetaTails(1 - 1e-9, 1e-9, 1, 2).y, Math.sqrt(1e-9));
  });
});

describe('quantiles', () => {
  test('of χ²: two degrees are an exponential, one is a squared normal', () => {
    near(chiSquareQuantile(0.95, 2), -2 * Math.log(0.05));
    near(chiSquareQuantile(0.95, 1), Number('1.95996398454005424') ** 2);
    // NIST/SEMATECH e-Handbook 1.3.6.7.4, three decimals.
    expect(chiSquareQuantile(0.95, 10).toFixed(3)).toBe('18.307');
    expect(chiSquareQuantile(0.05, 10).toFixed(3)).toBe('3.940');
    expect(chiSquareQuantile(0.975, 100).toFixed(3)).toBe('129.561');
  });

  test('of Student: one degree is tan, two have a closed form, four too', () => {
    for (const p of [0.6, 0.75, 0.9, 0.975, 0.9995]) {
      near(studentQuantile(p, 1), Math.tan(Math.PI * (p - 0.5)), 1e-11);
      near(studentQuantile(p, 2), (2 * p - 1) / Math.sqrt(2 * p * (1 - p)), 1e-12);
      near(studentQuantile(1 - p, 2), -(2 * p - 1) / Math.sqrt(2 * p * (1 - p)), 1e-12);
    }
    // NIST/SEMATECH e-Handbook 1.3.6.7.2.
    expect(studentQuantile(0.975, 10).toFixed(3)).toBe('2.228');
    expect(studentQuantile(0.5, 7)).toBe(0);
  });

  test('of Fisher: with one degree it is Student squared', () => {
    near(fisherQuantile(0.95, 1, 10), studentQuantile(0.975, 10) ** 2, 1e-12);
    // NIST/SEMATECH e-Handbook 1.3.6.7.3.
    expect(fisherQuantile(0.95, 5, 10).toFixed(3)).toBe('3.326');
  });
});

test('logarithms near 1', () => {
  near(log1pMinus(1e-8), -0.5e-16 + 1e-24 / 3, 1e-14);
  near(log1pMinus(1), Math.LN2 - 1);
  near(log1pMinus(-0.5), Math.log(0.5) + 0.5);
  near(log1mexp(1e-20), Math.log(1e-20));
  near(log1mexp(50), -Math.exp(-50));
  near(anyOf(1e-300, 3), 3e-300);
  expect(sumOf([1e100, 1, -1e100])).toBe(1);
});

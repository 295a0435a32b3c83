import { describe, expect, test } from 'vitest';
import type { BasicEvent } from './event.ts';
import { expectedFailures, meanUnavailability } from './over-time.ts';
import { solveStructure } from './solve.ts';
import type { Structure } from './structure.ts';

function near(value: number, expected: number, digits = 10): void {
  expect(Math.abs(value / expected - 1)).toBeLessThan(10 ** -digits);
}

function mean(structure: Structure, to: number): number {
  return meanUnavailability(structure, solveStructure(structure), { from: 0, to });
}

describe('over a period', () => {
  const tested: BasicEvent = { kind: 'tested', rate: 1e-5, interval: 8_760 };
  const x = 0.0876;
  /** 1 − (1 − e^(−x))/x. */
  const one = 1 - -Math.expm1(-x) / x;

  test('one tested part has the mean of its intervals', () => {
    near(mean({ top: 'a', events: { a: tested } }, 5 * 8_760), one);
  });

  test('two tested together: the mean of the square, about (λτ)²/3, not the square of the mean', () => {
    const pair: Structure = { top: { op: 'parallel', of: ['a', 'b'] }, events: { a: tested, b: tested } };
    // ∫ (1 − e^(−λt))² dt / τ.
    const exact = 1 - (2 * -Math.expm1(-x)) / x + -Math.expm1(-2 * x) / (2 * x);
    near(mean(pair, 3 * 8_760), exact);
    near(exact, x ** 2 / 3, 1);
    expect(exact).toBeGreaterThan(1.3 * one ** 2);
  });

  test('two tested in turns: about 5·(λτ)²/24', () => {
    const pair: Structure = {
      top: { op: 'parallel', of: ['a', 'b'] },
      events: { a: { ...tested, rate: 1e-8 }, b: { ...tested, rate: 1e-8, first: 4_380 } },
    };
    // Source: Rausand, Høyland (2004), eq. 10.28 for t₀ = τ/2.
    const solved = solveStructure(pair);
    const late = meanUnavailability(pair, solved, { from: 87_600, to: 175_200 });
    near(late, (5 / 24) * 8.76e-5 ** 2, 3.5);
  });

  test('an unrepaired part fails as often as it has failed in the end', () => {
    const structure: Structure = {
      top: { op: 'series', of: ['a', 'b'] },
      events: { a: { kind: 'rate', rate: 0.01 }, b: { kind: 'weibull', scale: 50, shape: 2, delay: 20 } },
    };
    const solved = solveStructure(structure);
    near(expectedFailures(structure, solved, { from: 0, to: 100 }), 1 - Math.exp(-1 - 1.6 ** 2));
  });

  test('a repairable part fails λ·∫A(t) dt times', () => {
    const structure: Structure = { top: 'a', events: { a: { kind: 'repairable', rate: 0.1, repairTime: 2 } } };
    const solved = solveStructure(structure);
    const sum = 0.6;
    const up = (0.5 / sum) * 30 + (0.1 / sum ** 2) * -Math.expm1(-sum * 30);
    near(expectedFailures(structure, solved, { from: 0, to: 30 }), 0.1 * up);
    near(mean(structure, 30), 1 - up / 30);
  });

  test('a period without length is refused', () => {
    expect(() => mean({ top: 'a', events: { a: tested } }, 0)).toThrow(RangeError);
  });
});

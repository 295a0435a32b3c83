import { describe, expect, test } from 'vitest';
import { durability } from './durability.ts';
import { lossChain } from './loss-chain.ts';
import { latentErrorProbability, type StorageCode } from './storage-code.ts';

const year = 8_760;
const relative = (actual: number, expected: number): number => Math.abs(actual - expected) / Math.abs(expected);
const mirror: StorageCode = { data: 1, parity: 1, failureRate: 1e-6, repairTime: 24 };

describe('mean time to data loss', () => {
  test('of a mirror: (3λ + μ) / 2λ²', () => {
    const { mttdl, textbook } = durability(mirror, [year]);
    expect(relative(mttdl.group, (3e-6 + 1 / 24) / 2e-12)).toBeLessThan(1e-14);
    expect(relative(textbook[1]!.mttdl, mttdl.group)).toBeLessThan(1e-14);
    expect(textbook[0]!.mttdl).toBeCloseTo(1e12 / 48, 0);
  });

  test('of RAID 6, one repair at a time, by hand', () => {
    const [n, lambda, mu] = [10, 1 / 100_000, 1 / 40];
    const code: StorageCode = { data: 8, parity: 2, failureRate: lambda, repairTime: 40, repairs: 1 };
    // Sum over the levels of a birth–death process: 1/a₀ + 1/a₁ + μ/(a₀a₁) + 1/a₂ + μ/(a₁a₂) + μ²/(a₀a₁a₂).
    const [a, b, c] = [n * lambda, (n - 1) * lambda, (n - 2) * lambda] as const;
    const expected = 1 / a + 1 / b + mu / (a * b) + 1 / c + mu / (b * c) + mu ** 2 / (a * b * c);
    const { mttdl, textbook } = durability(code, [year]);
    expect(relative(mttdl.group, expected)).toBeLessThan(1e-13);
    // The formula leaves out all but the last term.
    expect(relative(textbook[0]!.mttdl, mu ** 2 / (a * b * c))).toBeLessThan(1e-12);
  });

  test('without redundancy it is the life of the first fragment', () => {
    expect(durability({ data: 4, parity: 0, failureRate: 0.01, repairTime: 1 }, [1]).mttdl.group).toBeCloseTo(25, 12);
  });

  test('with latent errors it tends to MTTF / (n·h)', () => {
    const code: StorageCode = { data: 7, parity: 1, failureRate: 1e-7, repairTime: 1, latent: 0.2 };
    const { mttdl, textbook } = durability(code, [year]);
    expect(relative(textbook[2]!.mttdl, mttdl.group)).toBeLessThan(1e-4);
  });
});

test('the odds keep their digits where 1 − R would have none', () => {
  const code: StorageCode = { data: 10, parity: 6, failureRate: 1e-7, repairTime: 10 };
  const [point] = durability(code, [year]).points;
  // Rare and settled: horizon / MTTDL.
  const { mttdl } = durability(code, [year]);
  expect(point!.lossProbability).toBeLessThan(1e-30);
  expect(relative(point!.lossProbability, (year - 10) / mttdl.group)).toBeLessThan(5e-3);
});

test('parallel repair of a mirror over a horizon is its two exponents', () => {
  const [lambda, mu] = [1e-4, 1 / 24];
  const root = Math.sqrt(lambda ** 2 + 6 * lambda * mu + mu ** 2);
  const fast = (3 * lambda + mu + root) / 2;
  const slow = (2 * lambda ** 2) / fast;
  const survival = (fast * Math.exp(-slow * year) - slow * Math.exp(-fast * year)) / (fast - slow);
  const [point] = durability({ ...mirror, failureRate: lambda, groups: 50, bytes: 1e12 }, [year]).points;
  expect(relative(point!.groupLossProbability, 1 - survival)).toBeLessThan(1e-10);
  expect(relative(point!.lossProbability, 1 - survival ** 50)).toBeLessThan(1e-10);
  expect(relative(point!.expectedBytesLost!, 1e12 * (1 - survival))).toBeLessThan(1e-10);
});

describe('sites', () => {
  const spread: StorageCode = { data: 4, parity: 2, failureRate: 1e-6, repairTime: 10, sites: { fragments: [2, 2, 2], lossRate: 1e-5 } };

  test('that are alike are one state', () => {
    // 0; 1; 2 at one, 1+1; lost.
    expect(lossChain(spread).size).toBe(5);
    expect(lossChain({ ...spread, sites: undefined } as unknown as StorageCode).size).toBe(4);
  });

  test('that are never lost change nothing', () => {
    const never = durability({ ...spread, sites: { fragments: [2, 2, 2], lossRate: 0 } }, [year]).points[0]!;
    const { sites: _, ...without } = spread;
    expect(relative(never.lossProbability, durability(without, [year]).points[0]!.lossProbability)).toBeLessThan(1e-12);
  });

  test('a mirror of two sites is a mirror of what fails either way', () => {
    const both = durability({ ...mirror, sites: { fragments: [1, 1], lossRate: 5e-6 } }, [year]);
    expect(relative(both.mttdl.group, durability({ ...mirror, failureRate: 6e-6 }, [year]).mttdl.group)).toBeLessThan(1e-13);
  });

  test('that hold more than may be missing are a single point of failure', () => {
    const { points } = durability({ ...spread, failureRate: 1e-12, sites: { fragments: [3, 3], lossRate: 1e-5 } }, [year]);
    expect(relative(points[0]!.lossProbability, -Math.expm1(-2e-5 * year))).toBeLessThan(1e-6);
  });
});

test('reading 12 TB at one error in 10¹⁵ bits', () => {
  expect(latentErrorProbability(12e12, 1e-15)).toBeCloseTo(1 - Math.exp(-0.096), 12);
  expect(latentErrorProbability(1, 1e-17) / 8e-17).toBeCloseTo(1, 14);
});

test.each<[Partial<StorageCode>, string]>([
  [{ data: 0 }, 'data must be a whole number'],
  [{ failureRate: 0 }, 'failureRate must be a number above 0'],
  [{ latent: 1.5 }, 'latent must be a probability'],
  [{ sites: { fragments: [2, 1], lossRate: 1 } }, 'the sites hold 3 fragments, but there are 2'],
])('%j is refused', (change, message) => {
  expect(() => durability({ ...mirror, ...change }, [1])).toThrow(message);
});

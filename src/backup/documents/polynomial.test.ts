import { describe, expect, test } from 'vitest';
import { decodeConfiguration, encodeConfiguration, newConfiguration } from './configuration.ts';
import { degreeOf, isIrreducible, randomPolynomial, remainder } from './polynomial.ts';

describe('polynomials', () => {
  test('those of small degree are judged as by dividing', () => {
    for (let polynomial = 2n; polynomial < 1024n; polynomial += 1n)
      expect(isIrreducible(polynomial), String(polynomial)).toBe(byDividing(polynomial));
  });

  test('those of restic are irreducible, their neighbours are not', () => {
    // Of doc/design.rst of restic/restic, of polynomials_test.go of restic/chunker.
    for (const known of [0x25b468838dcb75n, 0x3da3358b4dc173n]) {
      expect(isIrreducible(known)).toBe(true);
      expect(isIrreducible(known ^ 1n)).toBe(false);
    }
    expect(isIrreducible(0x38f1e565e288dfn)).toBe(false);
    expect(isIrreducible(multiply(0x3da3358b4dn, 0x13n))).toBe(false);
  });

  test('random ones have degree 53', () => {
    const found = Array.from({ length: 3 }, () => randomPolynomial());
    for (const polynomial of found) {
      expect(degreeOf(polynomial)).toBe(53);
      expect(isIrreducible(polynomial)).toBe(true);
    }
    expect(new Set(found).size).toBe(3);
  });
});

describe('config', () => {
  const good = JSON.parse(encodeConfiguration(newConfiguration(2))) as Record<string, unknown>;

  test('comes back', () => expect(decodeConfiguration(good)).toMatchObject({ version: 2, id: good['id'] }));

  test.each([
    ['BACKUP_VERSION_UNKNOWN', { version: 3 }],
    ['BACKUP_VERSION_UNKNOWN', { version: '2' }],
    ['BACKUP_VERSION_UNKNOWN', { version: undefined }],
    ['BACKUP_DAMAGED', { id: 'short' }],
    ['BACKUP_DAMAGED', { chunker_polynomial: '25b468838dcb74' }],
    ['BACKUP_DAMAGED', { chunker_polynomial: '7' }],
    ['BACKUP_DAMAGED', { chunker_polynomial: 5 }],
  ])('%s for %j', (code, change) => expect(() => decodeConfiguration({ ...good, ...change })).toThrow(expect.objectContaining({ code })));
});

function byDividing(polynomial: bigint): boolean {
  for (let divisor = 2n; degreeOf(divisor) * 2 <= degreeOf(polynomial); divisor += 1n)
    if (remainder(polynomial, divisor) === 0n) return false;
  return true;
}

function multiply(a: bigint, b: bigint): bigint {
  let product = 0n;
  for (let bit = 0n; b >> bit !== 0n; bit += 1n) if (((b >> bit) & 1n) === 1n) product ^= a << bit;
  return product;
}

import { randomBytes, scryptSync } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { deriveKey } from './kdf.ts';
import { randomSealingKey, seal, sealBytes, unseal, unsealInPlace } from './seal.ts';

describe('seals', () => {
  const key = randomSealingKey();

  test('what is sealed comes back, 32 bytes longer meanwhile', () => {
    for (const size of [0, 1, 15, 16, 17, 65_535, 65_536, 65_537, 300_000]) {
      const plain = randomBytes(size);
      const sealed = seal(key, plain);
      expect(sealed.byteLength).toBe(size + sealBytes);
      expect(Buffer.compare(unseal(key, sealed)!, plain)).toBe(0);
      expect(Buffer.compare(unsealInPlace(key, sealed)!, plain)).toBe(0);
      expect(Buffer.compare(sealed.subarray(16, 16 + size), plain)).toBe(0);
    }
  });

  test('Safety: nothing is opened that was not sealed so. Method: every byte of a seal changed, other lengths, another key', () => {
    const sealed = seal(key, Buffer.from('some bytes'));
    fc.assert(
      fc.property(fc.nat(sealed.byteLength - 1), fc.integer({ min: 1, max: 255 }), (at, change) => {
        const changed = sealed.slice();
        changed[at]! ^= change;
        const before = changed.slice();
        expect(unseal(key, changed)).toBeUndefined();
        expect(unsealInPlace(key, changed)).toBeUndefined();
        expect(changed).toEqual(before);
      }),
    );
    expect(unseal(key, sealed.subarray(1))).toBeUndefined();
    expect(unseal(key, sealed.subarray(0, -1))).toBeUndefined();
    expect(unseal(key, new Uint8Array(0))).toBeUndefined();
    expect(unseal(randomSealingKey(), sealed)).toBeUndefined();
  });

  test('no two seals of the same are alike', () => {
    const plain = Buffer.alloc(100);
    expect(Buffer.compare(seal(key, plain), seal(key, plain))).not.toBe(0);
  });
});

describe('keys from passwords', () => {
  test('are 64 bytes of scrypt: AES-256 key, AES-128 key, r', async () => {
    const salt = Buffer.alloc(64, 0x5a);
    const cost = { N: 16, r: 2, p: 1 };
    const { encrypt, macK, macR } = await deriveKey('pleaseletmein', salt, cost);
    expect(Buffer.concat([encrypt, macK, macR]).equals(scryptSync('pleaseletmein', salt, 64, cost))).toBe(true);
    expect([encrypt.byteLength, macK.byteLength, macR.byteLength]).toEqual([32, 16, 16]);
  });

  test.each([
    { N: 2 ** 24, r: 8, p: 1 },
    { N: 2 ** 15, r: 8, p: 1000 },
    { N: 1000, r: 8, p: 1 },
    { N: 1, r: 8, p: 1 },
    { N: 1024, r: 0, p: 1 },
    { N: Number.NaN, r: 8, p: 1 },
  ])('a key file may not make us spend $N, $r, $p', async (cost) => {
    await expect(deriveKey('x', Buffer.alloc(64), cost)).rejects.toMatchObject({ code: 'BACKUP_DAMAGED' });
  });
});

import { scrypt } from 'node:crypto';
import { HoldfastError } from '../../core/errors.ts';
import { type SealingKey, sealingKeyBytes, sealingKeyFrom } from './seal.ts';

/** Cost of scrypt (RFC 7914): N a power of two; memory is 128 × N × r bytes, time grows with N × r × p. */
export interface KdfCost {
  readonly N: number;
  readonly r: number;
  readonly p: number;
}

/** 32 MiB and about a third of a second a guess on a core of 2024: as OWASP's password storage cheat sheet asks for. */
export const kdfCostDefault: KdfCost = { N: 2 ** 15, r: 8, p: 3 };

export const saltBytes = 64;
/** What a key file that somebody else wrote may make us spend. restic's own calibration stays below 64 MiB. */
const memoryBytesMax = 512 * 1024 * 1024;
const workMax = 2 ** 27;

/** The key that a password gives. @throws BACKUP_DAMAGED when the cost is out of all proportion */
export async function deriveKey(password: string, salt: Uint8Array, cost: KdfCost): Promise<SealingKey> {
  assertCost(cost, salt);
  const { promise, resolve, reject } = Promise.withResolvers<Uint8Array>();
  // Node counts a little more than 128 × N × r towards the limit.
  scrypt(password, salt, sealingKeyBytes, { ...cost, maxmem: memoryBytesMax + 2 ** 24 }, (error, key) =>
    error ? reject(error) : resolve(key),
  );
  return sealingKeyFrom(await promise);
}

function assertCost({ N, r, p }: KdfCost, salt: Uint8Array): void {
  const whole = [N, r, p].every((value) => Number.isSafeInteger(value) && value >= 1);
  const fits = whole && N >= 2 && Number.isInteger(Math.log2(N)) && 128 * N * r <= memoryBytesMax && N * r * p <= workMax;
  if (fits && salt.byteLength === saltBytes) return;
  throw new HoldfastError('BACKUP_DAMAGED', `a key file asks for scrypt with N=${N}, r=${r}, p=${p} and ${salt.byteLength} bytes of salt`, {
    hint: 'It was damaged, or made to harm; remove it and use another key.',
  });
}

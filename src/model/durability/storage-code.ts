import { assertNonNegative, assertPositive, assertProbability, assertWhole } from '../special/domain.ts';
import { HoldfastError } from '../../core/errors.ts';

/**
 * Data kept in n = data + parity fragments, any `data` of which suffice: mirrors (data 1), RAID 5 (parity 1), RAID 6 (parity 2), erasure
 * codes. Times are in one unit, rates per that unit.
 */
export interface StorageCode {
  /** k: fragments that are needed. 1 for mirrors. */
  readonly data: number;
  /** m: how many may be missing. A mirror of c copies has c − 1. */
  readonly parity: number;
  /** λ: failures of one fragment's disk or location, for good. */
  readonly failureRate: number;
  /** Mean time until a lost fragment is there again: detection, replacement and copying. */
  readonly repairTime: number;
  /** Fragments of a set that are mended at the same time. Default: all that are missing. */
  readonly repairs?: number;
  /** Probability that a rebuild which needs every fragment left meets one that can not be read: see {@link latentErrorProbability}. Default 0. */
  readonly latent?: number;
  /** Places that are lost as a whole, with all fragments there; these are then made again like any other. */
  readonly sites?: SiteLoss;
  /** Independent sets alike. Default 1. */
  readonly groups?: number;
  /** What all sets hold together, in bytes, for the expected loss. */
  readonly bytes?: number;
}

export interface SiteLoss {
  /** Fragments of a set at each site; their sum is data + parity. */
  readonly fragments: readonly number[];
  /** Losses of one site. */
  readonly lossRate: number;
}

/** @throws MODEL_DOMAIN, MODEL_CODE_INVALID */
export function assertStorageCode(code: StorageCode): void {
  assertWhole('data', code.data, 1, 10_000);
  assertWhole('parity', code.parity, 0, 10_000);
  assertPositive('failureRate', code.failureRate);
  assertPositive('repairTime', code.repairTime);
  if (code.repairs !== undefined) assertWhole('repairs', code.repairs, 1);
  if (code.latent !== undefined) assertProbability('latent', code.latent);
  if (code.groups !== undefined) assertWhole('groups', code.groups, 1);
  if (code.bytes !== undefined) assertNonNegative('bytes', code.bytes);
  if (code.sites === undefined) return;
  assertNonNegative('lossRate', code.sites.lossRate);
  for (const count of code.sites.fragments) assertWhole('fragments of a site', count, 1);
  const placed = code.sites.fragments.reduce((sum, count) => sum + count, 0);
  if (placed !== code.data + code.parity) {
    throw new HoldfastError('MODEL_CODE_INVALID', `the sites hold ${placed} fragments, but there are ${code.data + code.parity}`, {
      hint: 'Let the fragments of all sites add up to data + parity.',
    });
  }
}

/**
 * Probability that reading `bytes` meets an unrecoverable bit: 1 − (1 − e)^(8·bytes), for e as makers of disks state it (10⁻¹⁴ to 10⁻¹⁶
 * per bit read). Real errors come in clusters and with age (Schroeder, Damouras, Gill: "Understanding latent sector errors", FAST 2010).
 *
 * @param bytes read by the rebuild: those of all `data` fragments
 */
export function latentErrorProbability(bytes: number, errorsPerBit: number): number {
  assertNonNegative('bytes', bytes);
  assertProbability('errorsPerBit', errorsPerBit);
  return -Math.expm1(8 * bytes * Math.log1p(-errorsPerBit));
}

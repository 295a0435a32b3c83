import { durability } from '../durability/durability.ts';
import type { StorageAnswer } from './answer.ts';
import type { Model } from './schema.ts';
import { rateOf } from './to-structure.ts';

/** Odds of losing what a mirror or code keeps, over each of the times. */
export function evaluateStorage(code: NonNullable<Model['storage']>[string], times: readonly number[]): StorageAnswer {
  const data = code.mirror === undefined ? code.data! : 1;
  const parity = code.mirror === undefined ? code.parity! : code.mirror - 1;
  const { sites, groups, latent, bytes, crews } = code;
  const answer = durability(
    {
      data,
      parity,
      failureRate: rateOf(code)!,
      repairTime: code.repair,
      ...(crews === undefined ? {} : { repairs: crews }),
      ...(latent === undefined ? {} : { latent }),
      ...(sites === undefined ? {} : { sites: { fragments: sites.fragments, lossRate: sites.rate } }),
      ...(groups === undefined ? {} : { groups }),
      ...(bytes === undefined ? {} : { bytes }),
    },
    times,
  );
  return { fragments: data + parity, ...answer };
}

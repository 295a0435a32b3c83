import { absorption } from '../chain/absorption.ts';
import { pointMass } from '../chain/chain.ts';
import { transient } from '../chain/transient.ts';
import { assertPositive } from '../special/domain.ts';
import { anyOf } from '../special/logarithms.ts';
import { lossChain } from './loss-chain.ts';
import type { StorageCode } from './storage-code.ts';

export interface DurabilityPoint {
  readonly time: number;
  /** That a given set has lost its data by then. */
  readonly groupLossProbability: number;
  /** That any set has: 1 − (1 − p)^groups. */
  readonly lossProbability: number;
  /** −log₁₀ of the probability that a given set, and so a given byte, is lost: 11 is "eleven nines". */
  readonly nines: number;
  readonly expectedGroupsLost: number;
  /** Bytes to expect to lose; undefined where `bytes` was not given. A set that is lost is lost whole here. */
  readonly expectedBytesLost: number | undefined;
}

export interface Durability {
  readonly points: readonly DurabilityPoint[];
  /** Mean time to data loss of one set, and of any of them (the first loss among independent sets, each settled: MTTDL / groups). */
  readonly mttdl: { readonly group: number; readonly any: number; readonly warning: string };
  readonly textbook: readonly TextbookMttdl[];
  readonly assumptions: readonly string[];
}

/** What books write, for comparison. */
export interface TextbookMttdl {
  readonly name: string;
  readonly formula: string;
  readonly mttdl: number;
  readonly source: string;
  /** What is wrong with it. */
  readonly criticism: string;
}

const WARNING =
  'MTTDL is a rate turned over, not a lifetime that anyone will see: disks, programs and owners are gone long before. Compare probabilities of loss over a horizon.';
const CRITICISM =
  'Assumes exponential lives and repairs, one kind of failure, and repairs that are always much faster than failures; disks age, errors hide and cluster, and a rebuild half done does not begin again. As a figure it tells nothing about a mission of years (Greenan, Plank, Wylie: "Mean time to meaningless", HotStorage 2010).';

/**
 * Odds of losing data: exact for the chain of `lossChain`, over each of the horizons `times`, which are in the code's unit of time.
 * @throws MODEL_DOMAIN, MODEL_CODE_INVALID, MODEL_STATES_TOO_MANY
 */
export function durability(code: StorageCode, times: readonly number[]): Durability {
  for (const time of times) assertPositive('a horizon', time);
  const chain = lossChain(code);
  const groups = code.groups ?? 1;
  const whole = pointMass(chain.size, 0);
  const points = transient(chain, whole, times).points.map(({ time, probabilities }): DurabilityPoint => {
    const p = probabilities[chain.lost]!;
    return {
      time,
      groupLossProbability: p,
      lossProbability: anyOf(p, groups),
      nines: -Math.log10(p),
      expectedGroupsLost: p * groups,
      expectedBytesLost: code.bytes === undefined ? undefined : p * code.bytes,
    };
  });
  const { meanTime } = absorption(chain, whole);
  return {
    points,
    mttdl: { group: meanTime, any: meanTime / groups, warning: WARNING },
    textbook: textbookFormulas(code),
    assumptions: assumptionsOf(code),
  };
}

/** The formulas that circulate. They know neither sites nor, but for the last, latent errors. */
export function textbookFormulas(code: StorageCode): TextbookMttdl[] {
  const { data, parity, failureRate, repairTime } = code;
  const fragments = data + parity;
  const mttf = 1 / failureRate;
  const formulas: TextbookMttdl[] = [];
  const add = (name: string, formula: string, mttdl: number, source: string): void =>
    void formulas.push({ name, formula, mttdl, source, criticism: CRITICISM });
  const patterson = 'Patterson, Gibson, Katz: "A case for redundant arrays of inexpensive disks", SIGMOD 1988';
  const gibson = 'Gibson: Redundant Disk Arrays, MIT Press 1992';
  if (parity === 1) {
    add('one failure tolerated', 'MTTF² / (n·(n−1)·MTTR)', mttf ** 2 / (fragments * (fragments - 1) * repairTime), patterson);
    const exact = ((2 * fragments - 1) * failureRate + 1 / repairTime) / (fragments * (fragments - 1) * failureRate ** 2);
    add('one failure tolerated, exact', '((2n−1)·λ + μ) / (n·(n−1)·λ²)', exact, gibson);
  }
  if (parity >= 2) {
    const product = Array.from({ length: parity + 1 }, (_, at) => fragments - at).reduce((all, factor) => all * factor, 1);
    const name = parity === 2 ? 'two failures tolerated' : `${parity} failures tolerated`;
    const serial = mttf ** (parity + 1) / (product * repairTime ** parity);
    add(`${name}, one repair at a time`, 'MTTF^(m+1) / (n·(n−1)···(n−m)·MTTR^m)', serial, gibson);
    const factorial = Array.from({ length: parity }, (_, at) => at + 1).reduce((all, factor) => all * factor, 1);
    add(
      `${name}, repaired in parallel`,
      'm!·MTTF^(m+1) / (n·(n−1)···(n−m)·MTTR^m)',
      factorial * serial,
      'Angus: "On computing MTBF for a k-out-of-n:G repairable system", IEEE Trans. Reliability 37, 1988',
    );
  }
  if (parity === 1 && (code.latent ?? 0) > 0)
    add(
      'one failure tolerated, with latent errors',
      'MTTF / (n·h)',
      mttf / (fragments * code.latent!),
      'Chen, Lee, Gibson, Katz, Patterson: "RAID", ACM Computing Surveys 26, 1994',
    );
  return formulas;
}

function assumptionsOf(code: StorageCode): string[] {
  const repairs =
    code.repairs === undefined
      ? 'all missing fragments are made again at the same time'
      : `at most ${code.repairs} fragments are made again at a time`;
  return [
    'lives and repairs of fragments are exponential, and independent but for sites',
    repairs,
    'a new fragment is as good as the old one was; spares never run out',
    ...(code.latent
      ? [`a rebuild without redundancy left fails with probability ${code.latent}`]
      : ['no fragment is unreadable without being known to be lost']),
    ...(code.sites
      ? ['a site is lost with all its fragments at once, and is there for new ones at once']
      : ['no two fragments are lost by one cause']),
    ...((code.groups ?? 1) > 1 ? ['sets fail independently of each other'] : []),
  ];
}

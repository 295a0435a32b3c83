import { HoldfastError } from '../../core/errors.ts';
import { chainOfEdges, type Chain } from '../chain/chain.ts';
import { assertStorageCode, type StorageCode } from './storage-code.ts';

/** Fragments lost at each kind of site, by how many of its sites have lost how many. */
const STATES_MAX = 100_000;

/** A chain that begins whole in state 0 and ends in `lost`. */
export interface LossChain extends Chain {
  readonly lost: number;
}

/**
 * One set of fragments as a Markov chain. A state says how many fragments each site misses; sites with equally many fragments are alike.
 * In the states with nothing to spare, a repair ends in loss with the probability of a latent error (Dholakia et al.: "A new intra-disk
 * redundancy scheme for high-reliability RAID storage systems", ACM TOS 4, 2008).
 *
 * @throws MODEL_DOMAIN, MODEL_CODE_INVALID, MODEL_STATES_TOO_MANY
 */
export function lossChain(code: StorageCode): LossChain {
  assertStorageCode(code);
  const held = (code.sites?.fragments ?? [code.data + code.parity]).toSorted((a, b) => a - b);
  const numbers = new Map<string, number>();
  const states: (readonly number[])[] = [];
  const numberOf = (missing: readonly number[]): number => {
    const canonical = alike(held, missing);
    const key = canonical.join();
    const known = numbers.get(key);
    if (known !== undefined) return known;
    if (states.length >= STATES_MAX) throw tooMany(held.length);
    numbers.set(key, states.length);
    states.push(canonical);
    return states.length - 1;
  };
  numberOf(held.map(() => 0));
  const moves: { from: number; to: number; rate: number }[] = [];
  const LOST = -1;
  for (let from = 0; from < states.length; from++) {
    for (const { to, rate } of movesFrom(code, held, states[from]!)) {
      if (rate > 0) moves.push({ from, to: to === undefined ? LOST : numberOf(to), rate });
    }
  }
  const lost = states.length;
  const chain = chainOfEdges(
    lost + 1,
    moves.map(({ from }) => from),
    moves.map(({ to }) => (to === LOST ? lost : to)),
    moves.map(({ rate }) => rate),
    (state) => (state === lost ? 'lost' : `missing ${states[state]!.join('+')}`),
  );
  return { ...chain, lost };
}

/** Sites with equally many fragments in the order of what they miss: which is which makes no difference. */
function alike(held: readonly number[], missing: readonly number[]): number[] {
  return missing
    .map((lost, site) => ({ lost, held: held[site]! }))
    .toSorted((a, b) => a.held - b.held || a.lost - b.lost)
    .map(({ lost }) => lost);
}

/** What may happen next; without `to`, data is lost. */
function* movesFrom(
  code: StorageCode,
  held: readonly number[],
  missing: readonly number[],
): Generator<{ to?: readonly number[]; rate: number }> {
  const total = missing.reduce((sum, lost) => sum + lost, 0);
  const mended = Math.min(total, code.repairs ?? total) / code.repairTime;
  const latent = total === code.parity ? (code.latent ?? 0) : 0;
  if (total > 0) yield { rate: mended * latent };
  for (let site = 0; site < held.length; site++) {
    const becomes = (lost: number): { to?: readonly number[] } =>
      total - missing[site]! + lost > code.parity ? {} : { to: missing.with(site, lost) };
    const left = held[site]! - missing[site]!;
    if (left > 0) {
      yield { ...becomes(missing[site]! + 1), rate: left * code.failureRate };
      yield { ...becomes(held[site]!), rate: code.sites?.lossRate ?? 0 };
    }
    // Which fragment is mended next is chance, where not all are at once.
    if (missing[site]! > 0) yield { ...becomes(missing[site]! - 1), rate: (mended * (1 - latent) * missing[site]!) / total };
  }
}

function tooMany(sites: number): HoldfastError {
  return new HoldfastError('MODEL_STATES_TOO_MANY', `fragments over ${sites} unlike sites make more than ${STATES_MAX} states`, {
    hint: 'Give the sites equally many fragments, so that they are alike, or leave the sites out.',
  });
}

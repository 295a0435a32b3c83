import type { Model } from '../file/schema.ts';
import { recoverySteps } from '../file/evaluate-recovery.ts';
import type { TotalTime } from '../recovery-time/total-time.ts';
import { readiness } from '../statistics/readiness.ts';
import type { Design } from './design.ts';
import type { Disaster } from './keeping.ts';
import { neededOf, survivors } from './keeping.ts';
import type { Requirements } from './schema.ts';
import { skillOf } from './topology.ts';

type Recovery = NonNullable<Model['recovery']>[string];

/** Proofs older than so many half-lives count for nothing. */
const proofHalfLives = 20;
const proofsMax = 10_000;
/** Of a bracket of times: to the precision of numbers. */
const halvings = 60;

/** The probability that a restore works at first, where drills have passed at this interval for as long as they count; ½ without any. */
export function readinessOf({ catalogue: { drill } }: Requirements, { drills }: Pick<Design, 'drills'>): number {
  const count = drills === undefined ? 0 : Math.min(proofsMax, Math.ceil((proofHalfLives * drill.halfLife) / drills));
  // A disaster falls anywhere between two drills: the last one is half an interval old on average.
  const proofs = Array.from({ length: count }, (_, index) => ({ passed: true, ageMs: (index + 0.5) * (drills ?? 0) }));
  return readiness(proofs, { halfLifeMs: drill.halfLife }).expected;
}

/** The recovery from copies after a disaster, as `holdfast model` reads it; undefined where none of what is left can be read. */
export function recoveryAfter(
  input: Requirements,
  { copies: kept, backup, journal }: Pick<Design, 'copies' | 'backup' | 'journal'>,
  disaster: Disaster,
): Recovery | undefined {
  const { machine, site, restore, copies } = input.catalogue;
  const way = copies[kept]!;
  const needed = neededOf(way);
  const rates = survivors(input, way, disaster)
    .map(({ rate }) => rate)
    .toSorted((a, b) => b - a);
  if (rates.length < needed) return undefined;
  return {
    detect: input.team.response,
    decide: restore.decide * skillOf(input, 'machine').time,
    provision: disaster === 'error' ? 0 : disaster === 'site' ? site.rebuild : machine.provision,
    bytes: input.data.size,
    // Of a mirror the fastest copy is read, of parity as many as are needed at the same time.
    rate: Math.min(restore.write, needed * rates[needed - 1]!),
    start: restore.start,
    rampup: input.data.rampup,
    // The disaster falls anywhere between two base backups.
    history: { uniform: [0, backup] },
    verify: restore.verify,
    cutover: restore.cutover,
    loss: lossAfter(input, { journal }, disaster).mean,
  };
}

/** History that is lost, in hours. After an error, the journal leads up to the moment before it: what came since then is lost in any case. */
export function lossAfter(
  { catalogue: { disasters } }: Requirements,
  { journal }: Pick<Design, 'journal'>,
  disaster: Disaster,
): { readonly mean: number; readonly worst: number } {
  const since = disaster === 'error' ? disasters.noticed : 0;
  const between = disaster === 'error' ? 0 : journal;
  return { mean: since + between / 2, worst: since + between };
}

/** Mean of a recovery in hours, without the case that it fails. */
export function meanHours(recovery: Recovery): number {
  return recoverySteps(recovery).reduce((sum, { law }) => sum + law.mean, 0);
}

/** The time that so many of all recoveries keep to, where one in a while has to be done anew: F(t) = r·F₀(t) + (1 − r)·F₀(t − retry). In hours. */
export function quantileWithRetry(total: TotalTime, works: number, retry: number, probability: number): number {
  const within = (hours: number) => works * total.within(hours) + (1 - works) * total.within(hours - retry);
  let low = 0;
  let high = total.quantile(1 - (1 - probability) / 2) + retry;
  while (within(high) < probability) high *= 2;
  for (let halving = 0; halving < halvings; halving++) {
    const middle = (low + high) / 2;
    if (within(middle) < probability) low = middle;
    else high = middle;
  }
  return high;
}

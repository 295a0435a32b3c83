import type { EventState } from './event.ts';

/**
 * Parts alike that also fail together. Each member becomes the OR of new, independent events: one for itself, one for each set of parts that fail
 * together with it; all sets of k parts have the same probability Qₖ. With Q the probability that the model of the members gives:
 *
 * | model | Qₖ of a group of m |
 * |---|---|
 * | beta | Q₁ = (1−β)·Q, Qₘ = β·Q |
 * | mgl | 1/C(m−1, k−1) · ρ₂…ρₖ · (1−ρₖ₊₁) · Q |
 * | alpha, tests staggered | 1/C(m−1, k−1) · αₖ · Q |
 * | alpha, tests simultaneous | k/C(m−1, k−1) · αₖ/Σ iαᵢ · Q |
 * | phi | φₖ · Q |
 * | basic | as given; Q of the members is not used |
 *
 * Sources: NUREG/CR-4780 (1988), app. C; NUREG/CR-5485 (1998), table 5-1 and app. A; Open-PSA Model Exchange Format 2.0d, "Common Cause Groups",
 * whose alpha factor is the one of simultaneous tests.
 */
export type CommonCauseGroup = CommonCauseModel & {
  /** Two or more basic events, all with the same model. */
  readonly members: readonly string[];
};

export type CommonCauseModel =
  | { readonly model: 'beta'; readonly beta: number }
  /** ρ₂ … (β, γ, δ …): the share of failures of k−1 or more parts that take another with them. Those left out are 0. */
  | { readonly model: 'mgl'; readonly factors: readonly number[] }
  /** α₁ …: the share of failures that take exactly k parts; they sum to 1. Those left out are 0. */
  | { readonly model: 'alpha'; readonly factors: readonly number[]; readonly testing: 'staggered' | 'simultaneous' }
  /** φ₁ …; they sum to 1. Those left out are 0. */
  | { readonly model: 'phi'; readonly factors: readonly number[] }
  /** Q₁ … themselves. Those left out are 0. */
  | { readonly model: 'basic'; readonly probabilities: readonly number[] };

/** An event that takes `members` of a group at once; alone, or together. */
export interface CommonCauseEvent {
  /** `[A B]`; one part alone is `[A]`. */
  readonly name: string;
  readonly members: readonly string[];
  /** Of what a member's model says; `fixed` is the probability itself. */
  readonly share: { readonly factor: number } | { readonly fixed: number };
}

/** Events that a group may become: its number of sets doubles with every member where all sizes have a share. */
export const groupEventsMax = 20_000;

/** How many events a group becomes. */
export function countEvents(group: CommonCauseGroup): number {
  const m = group.members.length;
  let count = m;
  for (let size = 2; size <= m; size++) if (shareOf(group, size) !== 0) count += binomial(m, size);
  return count;
}

/** The independent events that take the place of a group; those without probability are left out. */
export function expandGroup(group: CommonCauseGroup): CommonCauseEvent[] {
  const { members } = group;
  const events: CommonCauseEvent[] = [];
  for (let size = 1; size <= members.length; size++) {
    const value = shareOf(group, size);
    if (value === 0 && size > 1) continue;
    const share = group.model === 'basic' ? { fixed: value } : { factor: value };
    for (const set of setsOf(members, size)) events.push({ name: `[${set.join(' ')}]`, members: set, share });
  }
  return events;
}

/** What becomes of a member's state in one of the events that take its place. */
export function shared(state: EventState, { share }: CommonCauseEvent): EventState {
  if ('fixed' in share) return { q: share.fixed, a: 1 - share.fixed, intensity: undefined, repairs: undefined };
  const { factor } = share;
  return {
    q: factor * state.q,
    a: state.a + (1 - factor) * state.q,
    intensity: state.intensity === undefined ? undefined : factor * state.intensity,
    repairs: state.repairs === undefined ? undefined : factor * state.repairs,
  };
}

/** Qₖ/Q of a set of `size` members; Qₖ itself where it is given. */
function shareOf(group: CommonCauseGroup, size: number): number {
  return group.model === 'basic' ? (group.probabilities[size - 1] ?? 0) : factorOf(group, size, group.members.length);
}

/** Qₖ/Q for sets of k of m. */
function factorOf(group: Exclude<CommonCauseModel, { model: 'basic' }>, k: number, m: number): number {
  switch (group.model) {
    case 'beta':
      return k === m ? group.beta : k === 1 ? 1 - group.beta : 0;
    case 'mgl': {
      const rho = (i: number): number => (i > m ? 0 : (group.factors[i - 2] ?? 0));
      let product = 1 - rho(k + 1);
      for (let i = 2; i <= k; i++) product *= rho(i);
      return product / binomial(m - 1, k - 1);
    }
    case 'alpha': {
      const alpha = group.factors[k - 1] ?? 0;
      if (group.testing === 'staggered') return alpha / binomial(m - 1, k - 1);
      const mean = group.factors.reduce((sum, factor, index) => sum + (index + 1) * factor, 0);
      return (k * alpha) / mean / binomial(m - 1, k - 1);
    }
    case 'phi':
      return group.factors[k - 1] ?? 0;
  }
}

function binomial(n: number, k: number): number {
  let result = 1;
  for (let i = 1; i <= k; i++) result = (result * (n - k + i)) / i;
  return result;
}

/** All sets of `size` of a list, in its order. */
function* setsOf<T>(list: readonly T[], size: number): Generator<T[]> {
  const chosen = Array.from({ length: size }, (_, index) => index);
  for (;;) {
    yield chosen.map((index) => list[index]!);
    let place = size - 1;
    while (place >= 0 && chosen[place] === list.length - size + place) place--;
    if (place < 0) return;
    chosen[place]!++;
    for (let next = place + 1; next < size; next++) chosen[next] = chosen[next - 1]! + 1;
  }
}

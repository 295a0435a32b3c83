/** What one part holds of an object, as far as was looked. */
export type Copy =
  | { readonly state: 'unreachable'; readonly why: string }
  | { readonly state: 'absent' }
  | { readonly state: 'damaged'; readonly why: string }
  | {
      readonly state: 'present';
      /** Copies with the same version are of the same content. */
      readonly version: string;
      /** Of two versions the one with the greater order is later; equal where nobody can tell. */
      readonly order: string;
      /** Which of the shards it is. Of a mirror: the part's own number, as each copy is all. */
      readonly index: number;
    };

export interface Observation {
  /** By number of the part. */
  readonly copies: readonly Copy[];
  /** Of a write that waits to take the place of what the parts have: shards beside them. */
  readonly staged: readonly Copy[];
  /** Parts that missed the last change of the object that is known of: what they have is not believed. */
  readonly behind: ReadonlySet<number>;
  /** Parts that missed so much that it was not noted what; never a removal. */
  readonly doubtful: ReadonlySet<number>;
}

/** The parts whose copy is of this version. */
export function holdersOf<P extends { readonly number: number }>(parts: readonly P[], copies: readonly Copy[], version: string): P[] {
  return parts.filter(({ number }) => {
    const copy = copies[number]!;
    return copy.state === 'present' && copy.version === version;
  });
}

export interface Target {
  readonly part: number;
  /** The shard it is to have. */
  readonly index: number;
}

export type RepairPlan =
  /** Every part that answers has what it should; nothing staged is needed any more. */
  | { readonly verdict: 'whole'; readonly version: string }
  | { readonly verdict: 'absent' }
  | { readonly verdict: 'write'; readonly version: string; readonly targets: readonly Target[] }
  | { readonly verdict: 'remove'; readonly targets: readonly Target[] }
  /** Who could decide does not answer. */
  | { readonly verdict: 'wait'; readonly why: string }
  /** Nothing can rebuild it: there may have been enough copies, and too many are damaged. */
  | { readonly verdict: 'lost'; readonly why: string }
  /** Fewer copies than ever made an object: a write or a removal that was not finished and never acknowledged, or the rest of a loss. */
  | { readonly verdict: 'remnant'; readonly targets: readonly Target[] }
  /** As many copies say this as say that, and nobody knows which is right. */
  | { readonly verdict: 'conflict'; readonly versions: readonly string[] };

interface Version {
  readonly version: string;
  order: string;
  readonly indexes: Set<number>;
  /** How many parts that are believed have it. */
  believed: number;
}

/**
 * What makes an object whole again. Pure.
 *
 * Parts that missed the last change are not believed: they get what the others have, or lose what the others do not have. Among those that
 * are believed the union counts: what enough of them have exists, so what is missing somewhere is written there. A part is never told to
 * remove anything on the strength of less than all others.
 *
 * @param needed how many copies make the object: 1 of a mirror, k of k + m shards
 */
export function planRepair({ copies, staged, behind, doubtful }: Observation, needed: number): RepairPlan {
  const notBehind = copies.map((_, part) => !behind.has(part) && !doubtful.has(part));
  // Where all are said to be behind, what is said is of no use; nothing is removed on the strength of it.
  const believed = notBehind.includes(true) ? notBehind : copies.map(() => true);
  const plan = planAmong(copies, staged, believed, needed);
  if (behind.size === 0 && doubtful.size > 0 && (plan.verdict === 'absent' || plan.verdict === 'remnant' || plan.verdict === 'remove'))
    return planAmong(
      copies,
      staged,
      copies.map(() => true),
      needed,
    );
  return plan;
}

function planAmong(copies: readonly Copy[], staged: readonly Copy[], believed: readonly boolean[], needed: number): RepairPlan {
  const judges = copies.filter((_, part) => believed[part]);
  const winner = findWinner(copies, staged, believed, needed);
  if (winner === 'conflict') return { verdict: 'conflict', versions: [...versionsOf(copies, staged, believed).keys()] };
  if (winner !== undefined) {
    // A later one that those who are away may complete was perhaps acknowledged: nothing older takes its place meanwhile.
    const silent = judges.filter(({ state }) => state === 'unreachable').length;
    const later = [...versionsOf(copies, staged, believed).values()].some(
      ({ order, indexes, believed: voices }) =>
        order > winner.order && voices > 0 && indexes.size < needed && indexes.size + silent >= needed,
    );
    if (later) return { verdict: 'wait', why: 'a part that does not answer may have a later version' };
    const targets = targetsOf(copies, winner);
    return targets.length === 0 ? { verdict: 'whole', version: winner.version } : { verdict: 'write', version: winner.version, targets };
  }
  const unreachable = judges.filter(({ state }) => state === 'unreachable').length;
  const held = judges.filter(({ state }) => state === 'present' || state === 'damaged').length;
  // As many as a version could have had before some were damaged.
  const most = mostAlike(judges) + judges.filter(({ state }) => state === 'damaged').length;
  if (unreachable > 0) return { verdict: 'wait', why: `${unreachable} of the parts that know of it do not answer` };
  if (most >= needed) return { verdict: 'lost', why: `${held} parts hold it, fewer than ${needed} of them whole and alike` };
  const left = copies.flatMap((copy, part) => (copy.state === 'present' || copy.state === 'damaged' ? [{ part, index: part }] : []));
  if (left.length === 0) return { verdict: 'absent' };
  return { verdict: held === 0 && judges.length < copies.length ? 'remove' : 'remnant', targets: left };
}

function mostAlike(copies: readonly Copy[]): number {
  const counts = new Map<string, number>();
  for (const copy of copies) if (copy.state === 'present') counts.set(copy.version, (counts.get(copy.version) ?? 0) + 1);
  return Math.max(0, ...counts.values());
}

/** The latest version that can be had whole, if a part that is believed speaks for it. */
function findWinner(
  copies: readonly Copy[],
  staged: readonly Copy[],
  believed: readonly boolean[],
  needed: number,
): Version | 'conflict' | undefined {
  const exists = copies.some((copy, part) => believed[part] && (copy.state === 'present' || copy.state === 'damaged'));
  // What was to take the place of an object that is gone is not wanted any more.
  const versions = versionsOf(copies, exists ? staged : [], believed);
  const whole = [...versions.values()].filter(({ indexes, believed: voices }) => indexes.size >= needed && voices > 0);
  whole.sort((a, b) => (a.order === b.order ? b.believed - a.believed : a.order < b.order ? 1 : -1));
  const [first, second] = whole;
  if (first !== undefined && second !== undefined && first.order === second.order && first.believed === second.believed) return 'conflict';
  return first;
}

function versionsOf(copies: readonly Copy[], staged: readonly Copy[], believed: readonly boolean[]): Map<string, Version> {
  const versions = new Map<string, Version>();
  const count = (copy: Copy, voice: boolean): void => {
    if (copy.state !== 'present') return;
    const known = versions.get(copy.version) ?? { version: copy.version, order: copy.order, indexes: new Set<number>(), believed: 0 };
    versions.set(copy.version, known);
    known.indexes.add(copy.index);
    if (copy.order > known.order) known.order = copy.order;
    if (voice) known.believed += 1;
  };
  for (const [part, copy] of copies.entries()) count(copy, believed[part]!);
  for (const copy of staged) count(copy, true);
  return versions;
}

/** Parts that answer and lack the version, or have a shard that another one has too; each with a shard that nobody has, its own if it can be. */
function targetsOf(copies: readonly Copy[], { version }: Version): Target[] {
  const free = new Set(copies.keys());
  const lacking: number[] = [];
  for (const [part, copy] of copies.entries()) {
    const has = copy.state === 'present' && copy.version === version && free.delete(copy.index);
    if (!has) lacking.push(part);
  }
  const targets: Target[] = [];
  const give = (part: number, index: number | undefined): void => {
    if (index === undefined) return;
    free.delete(index);
    targets.push({ part, index });
  };
  const own = lacking.filter((part) => free.has(part));
  for (const part of own) give(part, part);
  for (const part of lacking.filter((one) => !own.includes(one))) give(part, free.values().next().value);
  return targets.filter(({ part }) => copies[part]!.state !== 'unreachable');
}

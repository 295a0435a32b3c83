import type { Snapshot } from '../repository.ts';
import { groupSnapshots, hasAllTags, type GroupBy, type GroupKey } from './group.ts';
import { before, formatCalendarSpan, isEmptySpan, isoWeek, parseStamp, type CalendarSpan, type Stamp } from './stamp.ts';

/** How many of a kind are kept; `all` has no end. */
export type KeepCount = number | 'all';

/** What is kept; a snapshot stays when one rule wants it. As `restic forget --keep-…`. */
export interface KeepRules {
  readonly last?: KeepCount;
  readonly hourly?: KeepCount;
  readonly daily?: KeepCount;
  readonly weekly?: KeepCount;
  readonly monthly?: KeepCount;
  readonly yearly?: KeepCount;
  /** All that are younger than this, counted back from the youngest snapshot of the group: what is no longer backed up does not vanish. */
  readonly within?: CalendarSpan;
  readonly withinHourly?: CalendarSpan;
  readonly withinDaily?: CalendarSpan;
  readonly withinWeekly?: CalendarSpan;
  readonly withinMonthly?: CalendarSpan;
  readonly withinYearly?: CalendarSpan;
  /** All that have every tag of one of these lists; an empty tag stands for "no tags". */
  readonly tags?: readonly (readonly string[])[];
}

export interface ForgetOptions {
  readonly rules: KeepRules;
  /** Rules hold for each group by itself. Default: host and paths, as restic. */
  readonly groupBy?: GroupBy;
  /** The present, in milliseconds since 1970-01-01 UTC: a snapshot from the future is not what `within` counts back from. */
  readonly nowMs: number;
  /** A reason for which a snapshot must stay whatever the rules say, for example a point in time that still needs it. */
  readonly neededBy?: (snapshot: Snapshot) => string | undefined;
}

export interface Kept {
  readonly snapshot: Snapshot;
  /** In restic's words, for example `daily snapshot`; at least one. */
  readonly reasons: readonly string[];
}

export interface ForgetGroup {
  readonly key: GroupKey;
  /** Youngest first. */
  readonly keep: readonly Kept[];
  readonly remove: readonly Snapshot[];
}

type Bucket = (stamp: Stamp, index: number) => number;

const kinds = {
  last: (_: Stamp, index: number) => index,
  hourly: (at: Stamp) => ((at.year * 100 + at.month) * 100 + at.day) * 100 + at.hour,
  daily: (at: Stamp) => (at.year * 100 + at.month) * 100 + at.day,
  weekly: (at: Stamp) => isoWeek(at).year * 100 + isoWeek(at).week,
  monthly: (at: Stamp) => at.year * 100 + at.month,
  yearly: (at: Stamp) => at.year,
} as const satisfies Record<string, Bucket>;

/** Whether the rules keep anything at all: without any, nothing is to be forgotten. */
export function areEmptyRules(rules: KeepRules): boolean {
  return countedRules(rules).length + spanRules(rules).length + (rules.tags?.length ?? 0) === 0 && emptyWithin(rules.within);
}

/**
 * Which snapshots rules keep, and why, and which they let go: the same choice as restic's (internal/data/snapshot_policy.go). With empty
 * rules all are kept.
 */
export function decideForget(snapshots: readonly Snapshot[], options: ForgetOptions): ForgetGroup[] {
  return groupSnapshots(snapshots, options.groupBy ?? { host: true, paths: true }).map(({ key, snapshots: members }) => ({
    key,
    ...decideGroup(members, options),
  }));
}

function decideGroup(members: readonly Snapshot[], { rules, nowMs, neededBy }: ForgetOptions): Pick<ForgetGroup, 'keep' | 'remove'> {
  const dated = members
    .map((snapshot) => ({ snapshot, at: parseStamp(snapshot.time) }))
    .toSorted((a, b) => (a.at.ns === b.at.ns ? 0 : a.at.ns < b.at.ns ? 1 : -1));
  const nowNs = BigInt(Math.trunc(nowMs)) * 1_000_000n;
  const reference = dated.find(({ at }) => at.ns < nowNs)?.at;
  const judges = [...countedRules(rules), ...spanRules(rules).map((rule) => rule(reference))];
  const empty = areEmptyRules(rules);
  const keep: Kept[] = [];
  const remove: Snapshot[] = [];
  for (const [index, { snapshot, at }] of dated.entries()) {
    const reasons: string[] = [];
    if (empty) reasons.push('no rules');
    const needed = neededBy?.(snapshot);
    if (needed !== undefined) reasons.push(needed);
    for (const tags of rules.tags ?? []) if (hasAllTags(snapshot, tags)) reasons.push(`has tags [${tags.join(', ')}]`);
    if (rules.within !== undefined && !isEmptySpan(rules.within) && isWithin(at, reference, rules.within)) {
      reasons.push(`within ${formatCalendarSpan(rules.within)}`);
    }
    for (const judge of judges) {
      const reason = judge(at, index, index === dated.length - 1);
      if (reason !== undefined) reasons.push(reason);
    }
    if (reasons.length > 0) keep.push({ snapshot, reasons });
    else remove.push(snapshot);
  }
  return { keep, remove };
}

/** Asked of each snapshot of a group, youngest first; says why it stays. */
type Judge = (at: Stamp, index: number, isOldest: boolean) => string | undefined;

/** The youngest of each hour, day … as long as some are left to be kept; then the oldest of all, so that history reaches as far as it can. */
function countedRules(rules: KeepRules): Judge[] {
  return (Object.keys(kinds) as (keyof typeof kinds)[]).flatMap((kind) => {
    let left = rules[kind] === 'all' ? Infinity : (rules[kind] ?? 0);
    if (left <= 0) return [];
    const isNew = distinguish(kinds[kind]);
    const judge: Judge = (at, index, isOldest) => {
      if (left <= 0) return undefined;
      const first = isNew(at, index);
      if (!first && !isOldest) return undefined;
      left -= 1;
      return `${first ? '' : 'oldest '}${kind} snapshot`;
    };
    return [judge];
  });
}

/** The youngest of each hour, day … within a span. */
function spanRules(rules: KeepRules): ((reference: Stamp | undefined) => Judge)[] {
  return (['Hourly', 'Daily', 'Weekly', 'Monthly', 'Yearly'] as const).flatMap((name) => {
    const span = rules[`within${name}`];
    if (emptyWithin(span)) return [];
    const kind = name.toLowerCase() as Lowercase<typeof name>;
    return [
      (reference: Stamp | undefined): Judge => {
        const isNew = distinguish(kinds[kind]);
        return (at, index, isOldest) => {
          if (!isWithin(at, reference, span as CalendarSpan)) return undefined;
          const first = isNew(at, index);
          return first || isOldest ? `${first ? '' : 'oldest '}${kind} within ${formatCalendarSpan(span as CalendarSpan)}` : undefined;
        };
      },
    ];
  });
}

/** Whether a stamp lies in another bucket than the one before. */
function distinguish(bucket: Bucket): (at: Stamp, index: number) => boolean {
  let last = -1;
  return (at, index) => {
    const value = bucket(at, index);
    if (value === last) return false;
    last = value;
    return true;
  };
}

/** Without a reference, when all lie in the future, everything is young. */
function isWithin(at: Stamp, reference: Stamp | undefined, span: CalendarSpan): boolean {
  return reference === undefined || at.ns > before(reference, span);
}

function emptyWithin(span: CalendarSpan | undefined): boolean {
  return span === undefined || isEmptySpan(span);
}

import { HoldfastError } from '../../core/errors.ts';
import { formatLsn } from '../../core/lsn.ts';
import type { RecoveryTarget } from '../../core/recovery-target.ts';
import { divergence, type TimelineHistory } from '../../core/timeline.ts';
import type { Reach, WalPosition } from '../journal/coverage.ts';
import type { FileId } from '../repository.ts';
import type { BaseFacts } from './base.ts';

export interface BaseChoice {
  readonly snapshotId: FileId;
  readonly facts: BaseFacts;
}

/** What a recovery reads: judged before anything is written. */
export interface RecoveryPlan {
  readonly base: BaseChoice;
  readonly timeline: number;
  /** Up to where the WAL that is stored reaches. */
  readonly reached: WalPosition;
}

/** What can be said of a base without choosing it. */
export interface Candidate extends BaseChoice {
  readonly reach: Reach;
  /** When the server sent the last WAL within reach, in ms since 1970. */
  readonly reachedMs: number | undefined;
}

/** Bases from which recovery along a history is possible at all. */
export function onHistory(bases: readonly BaseChoice[], history: TimelineHistory): BaseChoice[] {
  return bases.filter(({ facts }) => divergence({ timeline: facts.start.timeline, lsn: facts.endLsn }, history) === undefined);
}

/**
 * The newest base from which the target is reached with the WAL that is stored: the least to replay.
 * @param restorePoint where the one that the target names lies; undefined when it lies nowhere
 * @throws BACKUP_TARGET_UNREACHABLE, which tells what can be reached
 */
export function decideRecovery(
  candidates: readonly Candidate[],
  timeline: number,
  target: RecoveryTarget,
  restorePoint?: bigint,
): RecoveryPlan {
  const consistent = candidates.filter(({ facts, reach }) => reach.reached.lsn >= facts.endLsn);
  const able = consistent
    .filter((candidate) => reaches(candidate, target, restorePoint))
    .toSorted((a, b) => compare(a.facts.endLsn, b.facts.endLsn));
  const best = able.at(-1);
  if (best !== undefined) return { base: { snapshotId: best.snapshotId, facts: best.facts }, timeline, reached: best.reach.reached };
  throw unreachable(candidates, consistent, target);
}

function reaches({ facts, reach, reachedMs }: Candidate, target: RecoveryTarget, restorePoint: bigint | undefined): boolean {
  switch (target.kind) {
    // A gap before the newest WAL would quietly make something else of "latest".
    case 'latest':
      return reach.missing === undefined;
    case 'time':
      return facts.endMs <= target.timeMs && reachedMs !== undefined && target.timeMs <= reachedMs;
    case 'lsn':
      return facts.endLsn <= target.lsn && target.lsn <= reach.reached.lsn;
    case 'name':
      return restorePoint !== undefined && facts.endLsn <= restorePoint && restorePoint < reach.reached.lsn;
  }
}

function unreachable(all: readonly Candidate[], consistent: readonly Candidate[], target: RecoveryTarget): HoldfastError {
  const oldestFirst = consistent.toSorted((a, b) => compare(a.facts.endLsn, b.facts.endLsn));
  const windows = oldestFirst
    // From an older one as much is reached.
    .filter(({ reach }, index) => oldestFirst.findIndex((other) => other.reach.reached.lsn === reach.reached.lsn) === index)
    .map(windowOf);
  const noneConsistent = all.length === 0 ? 'there is no base backup on this timeline' : 'WAL of the time of every base backup is missing';
  const why = consistent.length === 0 ? noneConsistent : 'the copies do not hold it';
  return new HoldfastError('BACKUP_TARGET_UNREACHABLE', `${nameOf(target)} can not be reached: ${why}`, {
    hint: windows.length === 0 ? 'Make a base backup; see `holdfast snapshots`.' : `Within reach: ${windows.join('; ')}.`,
  });
}

/** From where to where a base leads. WAL that has just come may reach beyond the base, and no time be known of it yet: then only by LSN. */
function windowOf({ facts, reach, reachedMs }: Candidate): string {
  const gap = reach.missing === undefined ? '' : `, then WAL is missing from ${formatLsn(reach.missing.start)}`;
  const [from, to] = [formatLsn(facts.endLsn), formatLsn(reach.reached.lsn)];
  if (reachedMs === undefined || reachedMs < facts.endMs) return `LSN ${from} to ${to}, of which no time is known yet${gap}`;
  return `${iso(facts.endMs)} (${from}) to ${iso(reachedMs)} (${to})${gap}`;
}

function nameOf(target: RecoveryTarget): string {
  switch (target.kind) {
    case 'latest':
      return 'the newest state';
    case 'time':
      return iso(target.timeMs);
    case 'lsn':
      return formatLsn(target.lsn);
    case 'name':
      return `the restore point '${target.name}'`;
  }
}

function iso(ms: number): string {
  return new Date(ms).toISOString();
}

function compare(a: bigint, b: bigint): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

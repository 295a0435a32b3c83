import { HoldfastError } from '../../core/errors.ts';
import { formatLsn } from '../../core/lsn.ts';
import type { RecoveryTarget } from '../../core/recovery-target.ts';
import type { TimelineHistory } from '../../core/timeline.ts';
import type { JournalMarks } from '../journal/marks.ts';
import type { WalFiles } from '../journal/wal-files.ts';
import type { Repository } from '../repository.ts';
import { baseFactsOf } from './base.ts';
import { locateRestorePoint } from './restore-points.ts';
import { decideRecovery, onHistory, type BaseChoice, type Candidate, type RecoveryPlan } from './target.ts';

export interface RecoveryOrder {
  readonly service: string;
  readonly target: RecoveryTarget;
  /** Default: the newest of which anything is stored. */
  readonly timeline?: number;
  readonly signal: AbortSignal;
}

/**
 * Base backups of a service, oldest first; of one database: `systemId` tells which, where several had this name.
 * @throws BACKUP_NO_BASE, BACKUP_DATABASE_AMBIGUOUS
 */
export async function findBases(
  repository: Repository,
  { service, systemId, signal }: { readonly service: string; readonly systemId?: string; readonly signal: AbortSignal },
): Promise<BaseChoice[]> {
  const bases: BaseChoice[] = [];
  for await (const snapshot of repository.readableSnapshots({ signal })) {
    const facts = baseFactsOf(snapshot);
    if (facts?.service === service && (systemId ?? facts.systemId) === facts.systemId) bases.push({ snapshotId: snapshot.id, facts });
  }
  if (bases.length === 0) {
    throw new HoldfastError(
      'BACKUP_NO_BASE',
      `the repository has no base backup of ${service}${systemId === undefined ? '' : ` with the system identifier ${systemId}`}`,
      {
        hint: '`holdfast snapshots` lists what there is.',
      },
    );
  }
  const systems = [...new Set(bases.map(({ facts }) => facts.systemId))];
  if (systems.length > 1) {
    throw new HoldfastError(
      'BACKUP_DATABASE_AMBIGUOUS',
      `the repository has base backups of ${systems.length} databases named ${service}: ${systems.join(', ')}`,
      {
        hint: 'Name the system identifier of the one that is meant.',
      },
    );
  }
  return bases.toSorted((a, b) => a.facts.endMs - b.facts.endMs);
}

/**
 * How a target is reached with what is stored. Reads, and writes nothing. Up to a time that is reached everything is there: where nothing was
 * committed between it and the end of what is stored, that end is the point.
 * @throws BACKUP_TARGET_UNREACHABLE, BACKUP_TARGET_AMBIGUOUS, BACKUP_UNREACHABLE (unknown timeline)
 */
export async function planRecovery(
  bases: readonly BaseChoice[],
  wal: WalFiles,
  { target, timeline, signal }: RecoveryOrder,
): Promise<RecoveryPlan> {
  const along = timeline ?? wal.newestTimeline ?? Math.max(...bases.map(({ facts }) => facts.start.timeline));
  const history = wal.historyOf(along);
  const possible = onHistory(bases, history);
  const marks = await wal.marks({ signal });
  if (target.kind === 'time') refuseAmbiguous(target.timeMs, possible, history, marks);
  const candidates = await Promise.all(
    possible.map(async (base): Promise<Candidate> => {
      const reach = wal.reach(base.facts.start, along);
      const reachedMs = marks.seenAt(reach.reached) ?? (await wal.sentMs(reach.reached, { signal }));
      return { ...base, reach, reachedMs: reachedMs === 0 ? undefined : reachedMs };
    }),
  );
  if (target.kind !== 'name') return decideRecovery(candidates, along, target);
  const at = await locateRestorePoint(wal, candidates, history, target.name, { signal });
  return decideRecovery(candidates, along, target, at);
}

/** PostgreSQL stops at the first transaction of a later time: one before the clock went back, whichever is meant. */
function refuseAmbiguous(timeMs: number, bases: readonly BaseChoice[], history: TimelineHistory, marks: JournalMarks): void {
  const first = bases.reduce<bigint | undefined>(
    (least, { facts }) => (least === undefined || facts.endLsn < least ? facts.endLsn : least),
    undefined,
  );
  const step = first === undefined ? undefined : marks.stepOver(timeMs, history, first);
  if (step === undefined) return;
  const [time, from, to] = [timeMs, step.fromMs, step.toMs].map((ms) => new Date(ms).toISOString());
  const lsn = formatLsn(step.position.lsn);
  throw new HoldfastError(
    'BACKUP_TARGET_AMBIGUOUS',
    `${time} names two points: the server's clock went back from ${from} to ${to} at ${lsn}`,
    {
      hint: `Name an LSN instead, up to ${lsn} for the first of the two, or a time before ${to} or after ${from}.`,
    },
  );
}

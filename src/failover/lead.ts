import { HoldfastError } from '../core/errors.ts';
import type { Acknowledgement, EngineObservation, Position } from '../engine/engine.ts';
import { leaderDeadlineBootMs } from './lease.ts';
import type { Member } from './member.ts';
import type { LeadershipRecord, Versioned } from './records.ts';

/** The leadership as this member knows it, while it is its own. @throws FAILOVER_LOST_RACE */
export function ownRecord(member: Member): Versioned<LeadershipRecord> {
  const record = member.deps.store.leadership;
  if (!record || record.value.leader !== member.node)
    throw new HoldfastError('FAILOVER_LOST_RACE', `${member.node} does not lead ${member.service} any more`, { retryable: true });
  return record;
}

/** A number that no timeline has had yet, for a promotion that is about to be claimed. */
export function nextTimeline(member: Member, record: LeadershipRecord): number {
  if (!member.deps.engine.capabilities.replicated) return 0;
  return Math.max(record.timeline, member.engineState.position?.timeline ?? 0) + 1;
}

/** Whether this member's data would have to be promoted to become a primary's. */
export function isReplica(state: EngineObservation): boolean {
  return state.role === 'replica' || state.stoppedAs === 'replica';
}

/**
 * Makes the database take writes for a leadership that is this member's: started as the primary that it was, or promoted. The guard is armed
 * before the first write.
 * @returns where what it writes begins
 * @throws FAILOVER_LOST_RACE when the lease has ended meanwhile
 */
export async function beginToLead(member: Member, record: LeadershipRecord, signal: AbortSignal): Promise<Position> {
  const configuration = record.roster.at(-1)!;
  member.servingTerm = record.term;
  member.releasedTerm = 0;
  try {
    const deadline = leaderDeadlineBootMs(member);
    if (deadline === undefined)
      throw new HoldfastError('FAILOVER_LOST_RACE', 'The lease ended before the database could be started', { retryable: true });
    await member.deps.fence.arm(deadline);
    const begin = await startOrPromote(member, configuration, record.timeline, signal);
    member.engineState = await member.deps.engine.inspect({ signal });
    member.effective = { configuration, lsn: begin.lsn };
    member.deps.announce();
    return begin;
  } catch (error) {
    member.servingTerm = 0;
    throw error;
  }
}

/** The engine refuses what does not fit what it finds, so the state seen last, by which the leadership was claimed, is enough to ask by. */
async function startOrPromote(member: Member, configuration: Acknowledgement, timeline: number, signal: AbortSignal): Promise<Position> {
  const { engine } = member.deps;
  const acknowledge = configuration.k === 0 ? null : configuration;
  if (engine.capabilities.replicated && isReplica(member.engineState)) return engine.promote({ acknowledge, timeline, signal });
  await engine.startPrimary({ acknowledge, signal });
  const started = await engine.inspect({ signal });
  return started.position ?? { timeline: 0, lsn: 0n };
}

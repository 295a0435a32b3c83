import type { Acknowledgement } from '../engine/engine.ts';
import type { Member } from './member.ts';
import { sameAcknowledgement, type InForce } from './quorum.ts';

/** What the database waits for, if that is what this member last applied. */
export function inForce(member: Member): InForce {
  const observed = member.engineState.acknowledge;
  const known = member.effective !== undefined && observed !== undefined && sameAcknowledgement(member.effective.configuration, observed);
  return known ? observed : 'unknown';
}

/** Whether k voters have flushed all that was acknowledged before this configuration took effect. */
export function isCaughtUp(member: Member, configuration: Acknowledgement): boolean {
  const since = member.effective;
  if (since === undefined || !sameAcknowledgement(since.configuration, configuration)) return false;
  const flushed = member.engineState.replicas.filter(
    (replica) => configuration.voters.includes(replica.node) && replica.state === 'streaming' && replica.flushLsn >= since.lsn,
  );
  return flushed.length >= configuration.k;
}

import { HoldfastError } from '../core/errors.ts';
import { formatLsn } from '../core/lsn.ts';
import { comparePositions, type Acknowledgement, type Position } from '../engine/engine.ts';
import { fromWire, type TakeOver } from './messages.ts';
import type { Member } from './member.ts';
import { sameAcknowledgement } from './quorum.ts';
import type { LeadershipRecord, Roster } from './records.ts';
import { beginToLead, nextTimeline } from './lead.ts';

const CATCH_UP_MS = 3_000;
const CATCH_UP_POLL_MS = 5;

/**
 * Claims the leadership for this member and makes it the primary. The fence was made for exactly the record at `order.revision`: if the
 * record has changed since, the claim fails and nothing has happened.
 * @throws FAILOVER_LOST_RACE, FAILOVER_BEHIND
 */
export async function takeOver(member: Member, order: TakeOver, signal: AbortSignal): Promise<{ term: number; tookMs: number }> {
  const beganMs = member.now() - order.startedMsAgo;
  if (member.pledged > order.term)
    throw new HoldfastError('FAILOVER_LOST_RACE', `Term ${member.pledged} was promised meanwhile`, { retryable: true });
  await member.promise(order.term);
  if (order.position !== undefined) {
    await catchUp(member, fromWire(order.position), order.from, signal);
    // A leader that hands over has ended: nothing more can come from it.
    if (order.why !== 'switchover' && member.deps.engine.capabilities.replicated) await member.deps.engine.freeze({ signal });
  }
  const record = await claim(member, order, signal);
  member.deps.announce();
  const remembered = member.see(record.term);
  remembered.catch(() => {});
  const position = await beginToLead(member, record, signal);
  await remembered;
  const tookMs = Math.round(member.now() - beganMs);
  member.addHistory({
    term: record.term,
    leader: member.node,
    at: record.since,
    why: order.why,
    ...(position.timeline > 0 ? { timeline: position.timeline, switchLsn: formatLsn(position.lsn) } : {}),
    tookMs,
  });
  return { term: record.term, tookMs };
}

async function claim(member: Member, order: TakeOver, signal: AbortSignal): Promise<LeadershipRecord> {
  const known = member.deps.store.leadership;
  const current = known && known.revision.toString() === order.revision ? known : await member.deps.store.refresh(signal);
  if (current === null || current.revision.toString() !== order.revision) {
    throw new HoldfastError('FAILOVER_LOST_RACE', 'The leadership has changed since the promises were given', { retryable: true });
  }
  const session = member.deps.sessions.current;
  if (session === undefined)
    throw new HoldfastError('FAILOVER_LOST_RACE', 'This member has no session in the coordination store', { retryable: true });
  const next: LeadershipRecord = {
    term: order.term,
    leader: member.node,
    session: session.id,
    since: new Date(member.deps.runtime.clock.wallMs()).toISOString(),
    roster: [...rosterAfter(member, current.value, order)],
    timeline: nextTimeline(member, current.value),
    systemId: current.value.systemId,
    ...(current.value.restored === undefined ? {} : { restored: current.value.restored }),
  };
  const swapped = await member.deps.store.swap(next, current.revision, signal);
  if (swapped === undefined)
    throw new HoldfastError('FAILOVER_LOST_RACE', 'Another member claimed the leadership first', { retryable: true });
  member.deps.record('leadership.claimed', { term: order.term });
  return next;
}

/** The old configurations still count until the new leader's quorum has flushed what they acknowledged; the new one comes last. */
function rosterAfter(member: Member, record: LeadershipRecord, order: TakeOver): Roster {
  const next = firstAcknowledgement(member, record, order);
  return [...record.roster.filter((configuration) => !sameAcknowledgement(configuration, next)), next];
}

function firstAcknowledgement(member: Member, record: LeadershipRecord, order: TakeOver): Acknowledgement {
  const { policy } = member.options;
  if (policy.acknowledge === 0 || !member.deps.engine.capabilities.replicated) return { k: 0, voters: [] };
  // A leader that failed is not counted on before it is back, unless nobody else is there.
  const planned = order.why === 'switchover';
  const present = order.granted.filter((node) => node !== member.node && (planned || node !== record.leader));
  const known = [...new Set([...record.roster.flatMap((configuration) => [...configuration.voters]), record.leader])].filter(
    (node) => node !== member.node,
  );
  const floor = Math.min(policy.minimum, known.length);
  const missing = known.filter((node) => !present.includes(node)).slice(0, Math.max(0, floor - present.length));
  const voters = [...present, ...missing].toSorted();
  return voters.length === 0 ? { k: 0, voters: [] } : { k: Math.min(policy.acknowledge, voters.length), voters };
}

/** Receives what is missing from a member that has more. */
async function catchUp(member: Member, until: Position, from: string | undefined, signal: AbortSignal): Promise<void> {
  const { engine, runtime } = member.deps;
  const deadlineMs = member.now() + CATCH_UP_MS;
  let following = false;
  for (;;) {
    const state = (member.engineState = await engine.inspect({ signal }));
    if (state.position !== undefined && comparePositions(state.position, until) >= 0) return;
    if (member.now() > deadlineMs) {
      throw new HoldfastError(
        'FAILOVER_BEHIND',
        `This member has not everything that ${from ?? 'the old leader'} had (it is at ${state.position?.lsn ?? 'nothing'}, needs ${until.lsn})`,
        { retryable: true },
      );
    }
    const address = from === undefined ? undefined : member.addressOf(from);
    if (!following && address !== undefined && state.upstream?.node !== from) {
      await engine.follow(address, { signal });
      following = true;
    }
    await runtime.clock.sleep(CATCH_UP_POLL_MS, signal);
  }
}

import { HoldfastError, hasCode, messageOf } from '../core/errors.ts';
import { fenceReplySchema, fromWire, takeOverReplySchema, toWire, type FenceRequest, type TakeOver } from './messages.ts';
import type { Member } from './member.ts';
import { choose, coversAcknowledged, fenceState, isLeaseFenced, type Grant } from './quorum.ts';
import type { LeadershipRecord, Versioned } from './records.ts';
import { takeOver } from './take-over.ts';

const GRANT_TIMEOUT_MS = 1_500;
const TAKE_OVER_TIMEOUT_MS = 10_000;
/** After a failed attempt: so long, and up to as much again, until the next. */
const RETRY_MS = 400;

export interface ElectionOrder {
  readonly why: 'failover' | 'operator';
  /** An operator's word replaces suspicion, never the fence. */
  readonly forced: boolean;
  readonly wish?: string | undefined;
}

/**
 * Ends the present leadership and brings in the best member: promises of enough members, then the most advanced of them takes over.
 * @returns who leads now, at which term
 * @throws FAILOVER_NOT_FENCED, FAILOVER_NO_CANDIDATE, FAILOVER_LOST_RACE
 */
export async function elect(member: Member, order: ElectionOrder, signal: AbortSignal): Promise<{ leader: string; term: number }> {
  const startedMs = member.suspectedSinceMs ?? member.now();
  try {
    const record = await member.deps.store.refresh(signal);
    if (record === null) throw new HoldfastError('FAILOVER_LOST_RACE', 'The leadership record is gone from the store', { retryable: true });
    if (!order.forced && !member.suspects) throw new HoldfastError('FAILOVER_LOST_RACE', 'The leader is no longer suspected', { retryable: true });
    const highest = Math.max(record.value.term, member.pledged, ...member.peerViews().map((peer) => peer.state.promised));
    const term = highest + 1;
    member.deps.record('election.began', { term, leader: record.value.leader, why: member.decision.why });
    const { grants, leaseEnded } = await gather(member, record.value, term, order, signal);
    const fence = fenceState(record.value.roster, record.value.leader, grants, leaseEnded);
    if (!fence.fenced || !coversAcknowledged(record.value.roster, record.value.leader, grants, leaseEnded)) {
      const detail = fence.fenced ? 'too few voters promised to be sure of every acknowledged commit' : fence.detail;
      throw new HoldfastError('FAILOVER_NOT_FENCED', `${record.value.leader} could still acknowledge commits at term ${record.value.term}: ${detail}`, {
        retryable: true,
        hint: 'Bring back one of the missing members; nobody may take over before that without risking acknowledged commits.',
      });
    }
    return await appoint(member, record, term, order, grants, startedMs, signal);
  } catch (error) {
    const { clock, random } = member.deps.runtime;
    member.holdStillUntilMs = clock.monotonicMs() + RETRY_MS * (1 + random.next());
    throw error;
  }
}

/** Asks everybody, and returns as soon as what came is enough, or nobody else can answer. */
async function gather(member: Member, record: LeadershipRecord, term: number, order: ElectionOrder, signal: AbortSignal): Promise<{ grants: Grant[]; leaseEnded: boolean }> {
  const leaseEnded = isLeaseFenced(record.roster) ? !(await member.deps.store.isSessionAlive(record.session, signal)) : false;
  const request: FenceRequest = { service: member.service, term, leader: record.leader, leaderTerm: record.term, forced: order.forced };
  const grants: Grant[] = [];
  const enough = (): boolean => fenceState(record.roster, record.leader, grants, leaseEnded).fenced && coversAcknowledged(record.roster, record.leader, grants, leaseEnded);
  const own = async (): Promise<Grant> => {
    await member.promise(term);
    const replicated = member.deps.engine.capabilities.replicated;
    const position = replicated ? await member.deps.engine.freeze({ signal }) : { timeline: 0, lsn: 0n };
    return { node: member.node, position, eligible: !member.options.nofailover, priority: member.options.priority };
  };
  const others = member.peerViews().filter((peer) => peer.alive);
  const asked = [own(), ...others.map((peer) => askGrant(member, peer.node, request, signal))];
  // Where a lease is the fence no quorum tells who has most: everybody who can answer is heard.
  const everybody = isLeaseFenced(record.roster);
  await new Promise<void>((resolve, reject) => {
    let open = asked.length;
    for (const [index, answer] of asked.entries()) {
      answer
        .then((grant) => {
          if (grant !== undefined) grants.push(grant);
          const ownIn = grants.some((one) => one.node === member.node);
          if (!everybody && ownIn && enough()) resolve();
        })
        .catch((error: unknown) => {
          if (index === 0) reject(error);
        })
        .finally(() => {
          if (--open === 0) resolve();
        });
    }
  });
  return { grants: [...grants], leaseEnded };
}

async function askGrant(member: Member, node: string, request: FenceRequest, signal: AbortSignal): Promise<Grant | undefined> {
  try {
    const reply = fenceReplySchema.parse(await member.deps.peers.network.request(node, 'fence', request, { timeoutMs: GRANT_TIMEOUT_MS, signal }));
    if (!reply.granted) {
      member.deps.runtime.logger.info('election.grant.refused', { node, term: request.term, why: reply.why });
      return undefined;
    }
    const position = reply.position === undefined ? undefined : fromWire(reply.position);
    return { node, position, eligible: reply.eligible, priority: reply.priority };
  } catch (error) {
    member.deps.runtime.logger.info('election.grant.failed', { node, term: request.term, error: messageOf(error) });
    return undefined;
  }
}

/** Lets the best of those that promised take over: this member itself, or another by request. */
async function appoint(
  member: Member,
  record: Versioned<LeadershipRecord>,
  term: number,
  order: ElectionOrder,
  grants: readonly Grant[],
  startedMs: number,
  signal: AbortSignal,
): Promise<{ leader: string; term: number }> {
  const choice = choose(grants, order.wish);
  if (choice.promote === undefined) throw new HoldfastError('FAILOVER_NO_CANDIDATE', `Nobody can be promoted: ${choice.detail}`, { retryable: true });
  const from = 'catchUpFrom' in choice ? grants.find((grant) => grant.node === choice.catchUpFrom) : undefined;
  const message: TakeOver = {
    service: member.service,
    term,
    revision: record.revision.toString(),
    why: order.why,
    ...(from?.position === undefined ? {} : { position: toWire(from.position), from: from.node }),
    granted: grants.map((grant) => grant.node),
    startedMsAgo: Math.max(0, member.now() - startedMs),
  };
  if (choice.promote === member.node) {
    await takeOver(member, message, signal);
  } else {
    try {
      const reply = await member.deps.peers.network.request(choice.promote, 'take-over', message, { timeoutMs: TAKE_OVER_TIMEOUT_MS, signal });
      takeOverReplySchema.parse(reply);
    } catch (error) {
      if (hasCode(error, 'PEER_REFUSED') || hasCode(error, 'PEER_UNREACHABLE') || hasCode(error, 'PEER_TIMEOUT')) {
        throw new HoldfastError('FAILOVER_LOST_RACE', `${choice.promote} did not take over: ${messageOf(error)}`, { retryable: true, cause: error });
      }
      throw error;
    }
  }
  return { leader: choice.promote, term };
}

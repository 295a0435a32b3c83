import { HoldfastError, hasCode, messageOf } from '../core/errors.ts';
import { fenceReplySchema, fromWire, takeOverReplySchema, toWire, type FenceRequest, type TakeOver } from './messages.ts';
import type { Member } from './member.ts';
import { choose, coversAcknowledged, fenceState, isLeaseFenced, type FenceState, type Grant } from './quorum.ts';
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

/** One attempt to end one leadership. */
interface Attempt {
  readonly record: LeadershipRecord;
  readonly term: number;
  readonly forced: boolean;
  /** Where the lease is the fence: it has ended, and this member confirms nothing to the leader any more. */
  readonly leaseEnded: boolean;
}

/** A yes: a promise, or only the word that one would be given. */
interface Answer extends Grant {
  readonly promised: number;
}

/**
 * Ends the present leadership and brings in the best member: the others are sounded, then promises of enough of them, then the most advanced
 * takes over.
 * @returns who leads now, at which term
 * @throws FAILOVER_NOT_FENCED, FAILOVER_NO_CANDIDATE, FAILOVER_LOST_RACE
 */
export async function elect(member: Member, order: ElectionOrder, signal: AbortSignal): Promise<{ leader: string; term: number }> {
  const startedMs = member.suspectedSinceMs ?? member.now();
  try {
    const record = await member.deps.store.refresh(signal);
    if (record === null) throw new HoldfastError('FAILOVER_LOST_RACE', 'The leadership record is gone from the store', { retryable: true });
    if (!order.forced && !member.suspects)
      throw new HoldfastError('FAILOVER_LOST_RACE', 'The leader is no longer suspected', { retryable: true });
    const term = await sound(member, record.value, order, signal);
    member.deps.record('election.began', { term, leader: record.value.leader, why: member.decision.why });
    const grants = await gather(member, record.value, term, order, signal);
    member.deps.record('election.fenced', { term, granted: grants.map((grant) => grant.node) });
    return await appoint(member, record, term, order, grants, startedMs, signal);
  } catch (error) {
    const { clock, random } = member.deps.runtime;
    member.holdStillUntilMs = clock.monotonicMs() + RETRY_MS * (1 + random.next());
    throw error;
  }
}

/** Whether enough would promise; nothing has happened yet. @returns a term that none of them has promised. @throws FAILOVER_NOT_FENCED */
async function sound(member: Member, record: LeadershipRecord, order: ElectionOrder, signal: AbortSignal): Promise<number> {
  const heard = Math.max(record.term, member.pledged, ...member.peerViews().map((peer) => peer.state.promised));
  if (order.forced) return heard + 1;
  const attempt: Attempt = { record, term: heard + 1, forced: false, leaseEnded: await hasLeaseEnded(member, record, signal) };
  const own = Promise.resolve({ node: member.node, promised: member.pledged, position: undefined, eligible: true, priority: 0 });
  const answers = await ask(member, attempt, 'sound', own, (given) => fenceOf(attempt, given).fenced, signal);
  requireFence(attempt, fenceOf(attempt, answers));
  return Math.max(heard, ...answers.map((answer) => answer.promised)) + 1;
}

/** @throws FAILOVER_NOT_FENCED */
async function gather(member: Member, record: LeadershipRecord, term: number, order: ElectionOrder, signal: AbortSignal): Promise<Grant[]> {
  // From here on this member confirms nothing to the leader any more, whatever the disk still does.
  const promised = member.promise(term);
  promised.catch(() => {});
  const leaseEnded = await hasLeaseEnded(member, record, signal);
  const attempt: Attempt = { record, term, forced: order.forced, leaseEnded };
  const enough = (grants: readonly Grant[]): boolean => fenceOf(attempt, grants).fenced && covers(attempt, grants);
  const grants = await ask(member, attempt, 'promise', ownGrant(member, promised, signal), enough, signal);
  requireFence(attempt, fenceOf(attempt, grants));
  if (!covers(attempt, grants))
    requireFence(attempt, { fenced: false, missing: 'voters', detail: 'too few voters promised to be sure of every acknowledged commit' });
  return grants;
}

async function ownGrant(member: Member, promised: Promise<void>, signal: AbortSignal): Promise<Answer> {
  await promised;
  const { engine } = member.deps;
  const position = engine.capabilities.replicated ? await engine.freeze({ signal }) : { timeline: 0, lsn: 0n };
  const impaired = member.engineState.impairment !== undefined;
  return {
    node: member.node,
    promised: member.promised,
    position,
    eligible: member.eligible(),
    impaired,
    priority: member.options.priority,
  };
}

/**
 * A lease counts as ended once the store says so, and any word that this member gave to a leader without store has run out. (Such a leader
 * goes on only while every member gives its word: this one's silence is enough.)
 */
async function hasLeaseEnded(member: Member, record: LeadershipRecord, signal: AbortSignal): Promise<boolean> {
  if (!isLeaseFenced(record.roster) || member.now() < member.confirmedUntilMs) return false;
  return !(await member.deps.store.isSessionAlive(record.session, signal));
}

function fenceOf(attempt: Attempt, grants: readonly Grant[]): FenceState {
  return fenceState(attempt.record.roster, attempt.record.leader, grants, attempt.leaseEnded);
}

function covers(attempt: Attempt, grants: readonly Grant[]): boolean {
  return coversAcknowledged(attempt.record.roster, attempt.record.leader, grants, attempt.leaseEnded);
}

function requireFence(attempt: Attempt, fence: FenceState): void {
  if (fence.fenced) return;
  throw new HoldfastError(
    'FAILOVER_NOT_FENCED',
    `${attempt.record.leader} could still acknowledge commits at term ${attempt.record.term}: ${fence.detail}`,
    {
      retryable: true,
      hint: 'Bring back one of the missing members; nobody may take over before that without risking acknowledged commits.',
    },
  );
}

/** Asks everybody, and returns as soon as what came is enough, or nobody else can answer. */
async function ask(
  member: Member,
  attempt: Attempt,
  mode: FenceRequest['mode'],
  own: Promise<Answer>,
  enough: (answers: readonly Answer[]) => boolean,
  signal: AbortSignal,
): Promise<Answer[]> {
  const { record, term, forced } = attempt;
  const request: FenceRequest = { service: member.service, mode, term, leader: record.leader, leaderTerm: record.term, forced };
  const others = member.peerViews().filter((peer) => peer.alive);
  const asked = [own, ...others.map((peer) => askOne(member, peer.node, request, signal))];
  // Where a lease is the fence no quorum tells who has most: everybody who can answer is heard.
  const everybody = mode === 'promise' && isLeaseFenced(record.roster);
  const answers: Answer[] = [];
  await new Promise<void>((resolve, reject) => {
    let open = asked.length;
    for (const answer of asked) {
      answer
        .then((given) => {
          if (given !== undefined) answers.push(given);
          const ownIn = answers.some((one) => one.node === member.node);
          if (!everybody && ownIn && enough(answers)) resolve();
        })
        // Only its own grant can fail; who does not answer gives none.
        .catch(reject)
        .finally(() => {
          if (--open === 0) resolve();
        });
    }
  });
  return [...answers];
}

async function askOne(member: Member, node: string, request: FenceRequest, signal: AbortSignal): Promise<Answer | undefined> {
  try {
    const reply = fenceReplySchema.parse(
      await member.deps.peers.network.request(node, 'fence', request, { timeoutMs: GRANT_TIMEOUT_MS, signal }),
    );
    if (!reply.granted) {
      member.deps.runtime.logger.info('election.grant.refused', { node, term: request.term, why: reply.why });
      return undefined;
    }
    const position = reply.position === undefined ? undefined : fromWire(reply.position);
    return { node, promised: reply.promised, position, eligible: reply.eligible, impaired: reply.impaired, priority: reply.priority };
  } catch (error) {
    member.deps.runtime.logger.info('election.grant.failed', { node, term: request.term, error: messageOf(error) });
    return undefined;
  }
}

/**
 * Where commits waited for nobody, no quorum shows what there was. Whoever never followed the last leader, or had fallen far behind it, is not
 * promoted by itself: only by an operator who names it.
 * @throws FAILOVER_BEHIND
 */
function requireFresh(member: Member, record: LeadershipRecord, order: ElectionOrder, grants: readonly Grant[], chosen: string): void {
  const position = grants.find((grant) => grant.node === chosen)?.position;
  if (
    record.roster.some((configuration) => configuration.k > 0) ||
    order.wish === chosen ||
    position === undefined ||
    position.timeline === 0
  )
    return;
  const leader = member.peerViews().find((peer) => peer.node === record.leader)?.state.position;
  const behind = leader?.timeline === position.timeline ? BigInt(leader.lsn) - position.lsn : 0n;
  if (position.timeline >= record.timeline && behind <= BigInt(member.options.policy.voterLagBytesMax)) return;
  const what =
    position.timeline < record.timeline
      ? `it ends on timeline ${position.timeline}, ${record.leader} wrote timeline ${record.timeline}`
      : `it is ${behind} bytes behind ${record.leader}`;
  throw new HoldfastError('FAILOVER_BEHIND', `The best that is left, ${chosen}, lacks much of what was written: ${what}`, {
    retryable: true,
    hint: `Bring back ${record.leader}, or a member that followed it; to go on with the loss: \`holdfast failover ${member.service} --to ${chosen}\`.`,
  });
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
  if (choice.promote === undefined)
    throw new HoldfastError('FAILOVER_NO_CANDIDATE', `Nobody can be promoted: ${choice.detail}`, { retryable: true });
  requireFresh(member, record.value, order, grants, choice.promote);
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
      const reply = await member.deps.peers.network.request(choice.promote, 'take-over', message, {
        timeoutMs: TAKE_OVER_TIMEOUT_MS,
        signal,
      });
      takeOverReplySchema.parse(reply);
    } catch (error) {
      if (hasCode(error, 'PEER_REFUSED') || hasCode(error, 'PEER_UNREACHABLE') || hasCode(error, 'PEER_TIMEOUT')) {
        throw new HoldfastError('FAILOVER_LOST_RACE', `${choice.promote} did not take over: ${messageOf(error)}`, {
          retryable: true,
          cause: error,
        });
      }
      throw error;
    }
  }
  return { leader: choice.promote, term };
}

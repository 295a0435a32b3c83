import { z } from 'zod';
import type { Member } from './member.ts';
import { isLeaseFenced } from './quorum.ts';

/** How late a guard may be: 48 ms at worst on a saturated machine (docs of the guard). A lease must not end before the database has. */
const GUARD_LATE_MS = 100;

/**
 * Until when (boot time, ms) this leader's database may live without another renewal; undefined: leave the deadline where it is.
 *
 * Where every commit waits for voters, they are the fence, and the deadline only guards against an agent that is stalled or gone: now +
 * agent grace. Where commits wait for nobody, the lease is the fence: the deadline is the session's validity, or what all members confirmed.
 */
export function leaderDeadlineBootMs(member: Member): number | undefined {
  const { clock } = member.deps.runtime;
  const record = member.deps.store.leadership?.value;
  const bootMs = clock.bootMs();
  if (record === undefined || record.leader !== member.node || record.term > member.servingTerm) return undefined;
  if (!isLeaseFenced(record.roster)) return bootMs + member.options.policy.agentGraceMs;
  const session = member.deps.sessions.current;
  const leaseUntilMs = session !== undefined && session.id === record.session ? session.validUntilMs : -Infinity;
  const untilMs = Math.max(leaseUntilMs, member.confirmedByAllUntilMs);
  const remainingMs = untilMs - GUARD_LATE_MS - clock.monotonicMs();
  return remainingMs > 0 ? bootMs + remainingMs : undefined;
}

/** How long a confirmation holds, and how much earlier than its lease's end a leader without store asks for one. */
const CONFIRM_FOR_MS = 3_000;
const CONFIRM_TIMEOUT_MS = 1_000;
const CONFIRM_EVERY_MS = 500;
const confirmReplySchema = z.object({ confirmed: z.boolean() });

/**
 * The store is down, the lease runs out, and commits wait for nobody: the leader may go on only while *every* configured member confirms that it
 * will not stand for election meanwhile. Counted from before the first question was sent, for less than what was promised.
 */
export function confirmWithAll(member: Member): void {
  const record = member.deps.store.leadership?.value;
  if (record === undefined || record.leader !== member.node || member.servingTerm !== record.term) return;
  if (!isLeaseFenced(record.roster) || member.deps.sessions.reachable) return;
  const sentMs = member.now();
  if (sentMs < member.confirmAskedMs + CONFIRM_EVERY_MS) return;
  member.confirmAskedMs = sentMs;
  const peers = member.peerViews();
  if (member.deps.peers.unheard(member.options.peersExpected) > 0) return;
  const request = { service: member.service, term: record.term, leader: member.node, forMs: CONFIRM_FOR_MS };
  const asked = peers.map(async (peer) => {
    const reply = await member.deps.peers.network.request(peer.node, 'confirm', request, {
      timeoutMs: CONFIRM_TIMEOUT_MS,
      signal: member.signal,
    });
    return confirmReplySchema.parse(reply).confirmed;
  });
  void Promise.all(asked).then(
    (replies) => {
      if (replies.every(Boolean)) member.confirmedByAllUntilMs = sentMs + CONFIRM_FOR_MS * 0.85;
    },
    () => {},
  );
}

import { HoldfastError } from '../core/errors.ts';
import type { Decision } from './decide.ts';
import { elect } from './election.ts';
import { endDatabase } from './end-database.ts';
import { follow, provision, rejoin } from './follow.ts';
import { beginToLead, isReplica, nextTimeline, ownRecord } from './lead.ts';
import { leaderDeadlineBootMs } from './lease.ts';
import type { Member } from './member.ts';
import { isLeaseFenced, sameAcknowledgement } from './quorum.ts';
import type { LeadershipRecord, Roster, Versioned } from './records.ts';

const STOP_TIMEOUT_MS = 10_000;

/** Performs one decision. Each step may be interrupted or crash anywhere: the next observation shows what is left to do. */
export async function perform(member: Member, decision: Decision, signal: AbortSignal): Promise<void> {
  switch (decision.act) {
    case 'nothing':
      return;
    case 'bootstrap':
      return bootstrap(member, signal);
    case 'reestablish':
      return reestablish(member, decision.term, signal);
    case 'reclaim':
      return reclaim(member, decision.term, decision.start, signal);
    case 'roster':
      return changeRoster(member, decision, signal);
    case 'stop':
      return demote(member);
    case 'release':
      return release(member, decision.stop);
    case 'follow':
      return follow(member, decision.leader, signal);
    case 'rejoin':
      return rejoin(member, decision.leader, signal);
    case 'provision':
      return provision(member, decision.leader, decision.setAside, signal);
    case 'elect':
      await elect(member, { why: 'failover', forced: false }, signal);
  }
}

function sessionOf(member: Member): string {
  const session = member.deps.sessions.current;
  if (session === undefined)
    throw new HoldfastError('COORD_UNREACHABLE', 'There is no session in the coordination store', { retryable: true });
  return session.id;
}

function stamp(member: Member): string {
  return new Date(member.deps.runtime.clock.wallMs()).toISOString();
}

/** Swaps the leadership to this member. @throws FAILOVER_LOST_RACE */
async function assume(
  member: Member,
  next: LeadershipRecord,
  expect: bigint | 'absent',
  signal: AbortSignal,
): Promise<Versioned<LeadershipRecord>> {
  const swapped = await member.deps.store.swap(next, expect, signal);
  if (swapped === undefined) throw new HoldfastError('FAILOVER_LOST_RACE', 'Another member was faster', { retryable: true });
  await member.see(next.term);
  return swapped;
}

async function bootstrap(member: Member, signal: AbortSignal): Promise<void> {
  const { engine } = member.deps;
  const existing = await member.deps.store.refresh(signal);
  const order = member.deps.copies?.restore;
  const isRestoreDue = existing !== null && existing.value.systemId !== null && existing.value.restored !== order?.order;
  if (existing !== null && existing.value.leader !== member.node && !(order !== undefined && isRestoreDue)) return;
  const state = await engine.inspect({ signal });
  // Before anything is claimed: a point that can not be reached is to be told, and changes nothing.
  await using source = state.data === 'absent' ? await order?.open({ signal }) : undefined;
  const term = Math.max(existing?.value.term ?? 0, member.pledged, member.seen) + 1;
  const first: LeadershipRecord = {
    term,
    leader: member.node,
    session: sessionOf(member),
    since: stamp(member),
    roster: [{ k: 0, voters: [] }],
    timeline: 0,
    systemId: null,
    ...(order === undefined ? {} : { restored: order.order }),
  };
  const claimed = await assume(member, first, existing?.revision ?? 'absent', signal);
  await member.promise(term);
  if (state.data === 'absent') await engine.bootstrap({ ...(source === undefined ? {} : { restore: source }), signal });
  await beginToLead(member, first, signal);
  const made = await engine.inspect({ signal });
  await assume(
    member,
    { ...first, timeline: made.position?.timeline ?? 0, systemId: made.systemId ?? member.service },
    claimed.revision,
    signal,
  );
  member.addHistory({
    term,
    leader: member.node,
    at: first.since,
    why: source === undefined ? 'bootstrap' : 'restore',
    ...(made.position ? { timeline: made.position.timeline } : {}),
  });
  member.deps.announce();
}

async function reestablish(member: Member, term: number, signal: AbortSignal): Promise<void> {
  const state = await member.deps.engine.inspect({ signal });
  const existing = await member.deps.store.refresh(signal);
  if (existing !== null && existing.value.term >= member.seen)
    throw new HoldfastError('FAILOVER_LOST_RACE', 'The store has its records again', { retryable: true });
  const next: LeadershipRecord = {
    term,
    leader: member.node,
    session: sessionOf(member),
    since: stamp(member),
    roster: [state.acknowledge ?? { k: 0, voters: [] }],
    timeline: state.position?.timeline ?? 0,
    systemId: state.systemId ?? member.service,
    // There are data: what was configured for when there are none is not to be performed later.
    ...(member.deps.copies?.restore === undefined ? {} : { restored: member.deps.copies.restore.order }),
  };
  await member.promise(term);
  await assume(member, next, existing?.revision ?? 'absent', signal);
  member.addHistory({ term, leader: member.node, at: next.since, why: 'reclaim' });
}

/** Renews this member's own leadership: after an agent restart, a lost session, a promise that led nowhere, or to start its database again. */
async function reclaim(member: Member, term: number, start: boolean, signal: AbortSignal): Promise<void> {
  const beganMs = member.now();
  const record = ownRecord(member);
  await member.promise(term);
  const next: LeadershipRecord = {
    ...record.value,
    term,
    session: sessionOf(member),
    timeline: timelineOf(member, record.value, start),
    systemId: record.value.systemId ?? member.engineState.systemId ?? null,
    ...(term === record.value.term ? {} : { since: stamp(member) }),
  };
  await assume(member, next, record.revision, signal);
  if (start) {
    member.failedStarts++;
    await beginToLead(member, next, signal);
  } else {
    member.servingTerm = term;
    member.releasedTerm = 0;
    const deadline = leaderDeadlineBootMs(member);
    if (deadline !== undefined) await member.deps.fence.arm(deadline);
  }
  if (term !== record.value.term) {
    member.addHistory({ term, leader: member.node, at: next.since, why: 'reclaim', tookMs: Math.round(member.now() - beganMs) });
  }
  member.deps.announce();
}

async function changeRoster(member: Member, decision: Extract<Decision, { act: 'roster' }>, signal: AbortSignal): Promise<void> {
  const { step } = decision;
  if (step.step === 'apply') {
    const lsn = await member.deps.engine.acknowledge(step.acknowledge.k === 0 ? null : step.acknowledge, { signal });
    member.effective = { configuration: step.acknowledge, lsn };
    member.deps.record('roster.applied', { k: step.acknowledge.k, voters: step.acknowledge.voters });
    return;
  }
  const record = ownRecord(member);
  if (!sameRoster(record.value.roster, decision.from))
    throw new HoldfastError('FAILOVER_LOST_RACE', 'The roster has changed since this step was decided', { retryable: true });
  await assume(member, { ...record.value, roster: [...step.roster] }, record.revision, signal);
  member.deps.record('roster.changed', { step: step.step, roster: step.roster });
}

/** Promoted, it begins a new one; a primary goes on with that which it writes. */
function timelineOf(member: Member, record: LeadershipRecord, start: boolean): number {
  const { engineState } = member;
  if (start && isReplica(engineState)) return nextTimeline(member, record);
  return engineState.role === 'primary' ? (engineState.position?.timeline ?? record.timeline) : record.timeline;
}

function sameRoster(a: Roster, b: Roster): boolean {
  return a.length === b.length && a.every((configuration, index) => sameAcknowledgement(configuration, b[index]));
}

/** Stops the database at once, whatever its clients are waiting for: a clean stop could acknowledge them. */
async function demote(member: Member): Promise<void> {
  member.servingTerm = 0;
  await member.deps.engine.stop('immediate', { timeoutMs: STOP_TIMEOUT_MS });
  member.deps.fence.renew('never');
  member.deps.announce();
}

async function release(member: Member, stop: boolean): Promise<void> {
  const record = ownRecord(member).value;
  // Also of a database that has died: backends may be left that still work.
  const stopping = endDatabase(member.deps.engine, STOP_TIMEOUT_MS);
  // Where a quorum acknowledges, its promises are the fence: a disk that stands still can keep killed processes for long.
  if (stop && isLeaseFenced(record.roster)) await stopping;
  if (member.releasedTerm !== record.term) {
    member.releasedTerm = record.term;
    member.deps.record('leadership.released', { term: record.term, why: member.decision.why });
    member.deps.announce();
  }
  await stopping;
}

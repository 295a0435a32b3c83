import { deadline } from '../core/deadline.ts';
import { HoldfastError, hasCode, messageOf } from '../core/errors.ts';
import { formatLsn } from '../core/lsn.ts';
import type { Position } from '../engine/engine.ts';
import { takeOverReplySchema, toWire, type Outcome, type TakeOver } from './messages.ts';
import type { ReplicaSource } from './copies-source.ts';
import { elect } from './election.ts';
import { openCopiesOfLeader } from './follow.ts';
import { beginToLead, ownRecord } from './lead.ts';
import type { LeadershipRecord, Versioned } from './records.ts';
import { holdRouters, resumeRouters } from './routers.ts';
import type { Member } from './member.ts';
import type { PeerView } from './observation.ts';

const CHECKPOINT_TIMEOUT_MS = 60_000;
const CLEAN_STOP_MS = 5_000;
/** How often a reinit stops a database that keeps coming up. */
const STOPS_MAX = 3;
const TAKE_OVER_TIMEOUT_MS = 5_000;
const LAG_BYTES_MAX = 16n * 1024n * 1024n;

/** Why this member can not become leader in a planned hand-over right now; undefined: it can. */
function unfit(member: Member, peer: PeerView): string | undefined {
  if (!peer.alive) return 'it is not reachable';
  if (peer.state.nofailover) return 'it is marked nofailover';
  if (!member.deps.engine.capabilities.replicated) return undefined;
  if (!peer.state.eligible) return `it is ${peer.state.state}`;
  const replica = member.engineState.replicas.find((one) => one.node === peer.node);
  if (replica?.state !== 'streaming') return 'it does not stream from the leader';
  const lag = (member.engineState.position?.lsn ?? 0n) - replica.flushLsn;
  return lag > LAG_BYTES_MAX ? `it is ${lag} bytes behind` : undefined;
}

/**
 * Planned hand-over, run by the leader: checkpoint, hold the routers, stop cleanly (replicas get everything), let the successor claim and
 * promote. If the successor does not, this member claims the leadership again.
 * @throws SWITCHOVER_REFUSED, SWITCHOVER_FAILED
 */
export async function switchover(member: Member, to: string | undefined): Promise<Outcome> {
  const record = member.deps.store.leadership?.value;
  if (record === undefined || record.leader !== member.node || member.servingTerm !== record.term) {
    throw new HoldfastError('SWITCHOVER_REFUSED', `${member.node} does not lead ${member.service} now`, {
      retryable: true,
      hint: 'See `holdfast status` for who leads.',
    });
  }
  const peers = member.peerViews();
  const named = to === undefined ? undefined : peers.find((peer) => peer.node === to);
  if (to === member.node) throw new HoldfastError('SWITCHOVER_REFUSED', `${to} leads already`);
  if (to !== undefined && named === undefined) {
    throw new HoldfastError('SWITCHOVER_REFUSED', `${to} is not a member of ${member.service}`, {
      hint: `Members are: ${[member.node, ...peers.map((peer) => peer.node)].join(', ')}.`,
    });
  }
  const candidates = (named === undefined ? peers : [named]).toSorted(
    (a, b) => b.state.priority - a.state.priority || (a.node < b.node ? -1 : 1),
  );
  const successor = candidates.find((peer) => unfit(member, peer) === undefined);
  if (successor === undefined) {
    const reasons = candidates.map((peer) => `${peer.node}: ${unfit(member, peer)}`).join('; ');
    throw new HoldfastError(
      'SWITCHOVER_REFUSED',
      `Nobody can take over ${member.service} without loss: ${reasons || 'there is no other member'}`,
      {
        retryable: true,
        hint: 'Wait until a replica streams and has caught up, then try again.',
      },
    );
  }
  return member.occupied('handing over', () => handOver(member, successor.node));
}

async function handOver(member: Member, successor: string): Promise<Outcome> {
  const { engine, fence } = member.deps;
  return member.gate.run(async (signal) => {
    await checkpoint(member, signal);
    const held = ownRecord(member).value.term;
    const beganMs = member.now();
    const record = await holdAndConfirm(member, held, signal);
    const term = Math.max(record.value.term, member.pledged, ...member.peerViews().map((peer) => peer.state.promised)) + 1;
    await member.promise(term);
    const stopping = stopInOrder(member);
    const position = await stopping.final;
    member.servingTerm = 0;
    // From here on nothing interrupts it: that another leads is what it is for, even while the database has yet to end.
    const asked = position && askToTakeOver(member, successor, { term, revision: record.revision, position, beganMs });
    asked?.catch(() => {});
    await stopping.ended;
    member.engineState = await engine.inspect({ signal: member.signal });
    fence.renew('never');
    if (asked === undefined)
      throw new HoldfastError('SWITCHOVER_FAILED', `The database on ${member.node} did not stop cleanly in time; it leads again`, {
        retryable: true,
      });
    await asked;
    return { leader: successor, term, tookMs: Math.round(member.now() - beganMs) };
  });
}

/** `final` comes as soon as the database serves nobody any more and all that it wrote is on disk; its processes need a little longer to end. */
function stopInOrder(member: Member): { final: Promise<Position | undefined>; ended: Promise<unknown> } {
  const { engine } = member.deps;
  const early = Promise.withResolvers<Position | undefined>();
  const ended = engine.stop('clean', { timeoutMs: CLEAN_STOP_MS, onFinal: early.resolve });
  if (!engine.capabilities.replicated) return { final: ended.then(() => ({ timeline: 0, lsn: 0n })), ended };
  ended.then(early.resolve, early.reject);
  return { final: early.promise, ended };
}

/** @throws SWITCHOVER_FAILED */
async function askToTakeOver(
  member: Member,
  successor: string,
  from: { term: number; revision: bigint; position: Position; beganMs: number },
): Promise<void> {
  const alive = member.peerViews().filter((peer) => peer.alive);
  const order: TakeOver = {
    service: member.service,
    term: from.term,
    revision: from.revision.toString(),
    why: 'switchover',
    position: toWire(from.position),
    from: member.node,
    granted: [member.node, ...alive.map((peer) => peer.node)],
    startedMsAgo: Math.max(0, member.now() - from.beganMs),
  };
  try {
    const reply = await member.deps.peers.network.request(successor, 'take-over', order, {
      timeoutMs: TAKE_OVER_TIMEOUT_MS,
      signal: member.signal,
    });
    takeOverReplySchema.parse(reply);
  } catch (error) {
    throw new HoldfastError(
      'SWITCHOVER_FAILED',
      `${successor} did not take over from ${formatLsn(from.position.lsn)}: ${messageOf(error)}; ${member.node} leads again`,
      { retryable: true, cause: error },
    );
  }
}

/** From here on clients wait. The leadership is looked at once more when they do: it may have taken a while. */
async function holdAndConfirm(member: Member, term: number, signal: AbortSignal): Promise<Versioned<LeadershipRecord>> {
  try {
    await holdRouters(member, term, signal);
    const record = await member.deps.store.refresh(signal);
    if (record === null || record.value.leader !== member.node || record.value.term !== term)
      throw new HoldfastError('SWITCHOVER_REFUSED', `${member.node} does not lead ${member.service} any more`);
    return record;
  } catch (error) {
    resumeRouters(member, term);
    throw error;
  }
}

/**
 * Failover by an operator, run by any member that may vote: no suspicion needed, but the fence stays. With a leader in good health it is a
 * switchover.
 */
export async function forceFailover(member: Member, to: string | undefined): Promise<Outcome> {
  const beganMs = member.now();
  const leader = member.deps.store.leadership?.value.leader;
  if (to !== undefined && to === leader) throw new HoldfastError('FAILOVER_REFUSED', `${to} leads already`);
  const { leader: now, term } = await member.occupied('electing', () =>
    member.gate.run((signal) => elect(member, { why: 'operator', forced: true, wish: to }, signal), true),
  );
  return { leader: now, term, tookMs: Math.round(member.now() - beganMs) };
}

/** Restarts this member's database in place. A leader keeps its leadership. */
export async function restart(member: Member): Promise<Outcome> {
  const beganMs = member.now();
  const record = member.deps.store.leadership?.value;
  if (!member.engineState.running)
    throw new HoldfastError('RESTART_REFUSED', `The database of ${member.service} on ${member.node} does not run`);
  await member.occupied('restarting', () =>
    member.gate.run(async (signal) => {
      const { engine } = member.deps;
      if (record?.leader === member.node && member.engineState.role === 'primary') {
        await checkpoint(member, signal);
        await engine.stop('clean', { timeoutMs: CLEAN_STOP_MS * 2 });
        // By the leadership as it is then: its quorum may have changed, its lease may have ended.
        await beginToLead(member, ownRecord(member).value, signal);
      } else {
        await engine.stop('clean', { timeoutMs: CLEAN_STOP_MS * 2 });
        const address = record === undefined ? undefined : member.addressOf(record.leader);
        if (address !== undefined && member.pledged <= record!.term) await engine.follow(address, { signal });
      }
      member.engineState = await engine.inspect({ signal });
    }),
  );
  member.deps.announce();
  return { leader: record?.leader ?? '', term: record?.term ?? 0, tookMs: Math.round(member.now() - beganMs) };
}

export interface ReinitWishes {
  readonly from?: ReplicaSource | undefined;
  /** Go over the old data, of which nothing is kept: only what differs is written. */
  readonly reuse?: boolean | undefined;
}

/**
 * Sets this member's data aside; the loop then makes them anew, where `from` says if that can be. Never on the leader.
 * @throws REINIT_REFUSED, and, where copies are wished for that can not be had, why: nothing has been touched then
 */
export async function reinit(member: Member, { from, reuse = false }: ReinitWishes = {}): Promise<Outcome> {
  const beganMs = member.now();
  const record = member.deps.store.leadership?.value;
  if (record === undefined || record.leader === member.node || member.servingTerm > 0) {
    throw new HoldfastError('REINIT_REFUSED', `${member.node} leads ${member.service}: its data are the ones to keep`, {
      hint: 'Switch over to another member first.',
    });
  }
  const leader = member.peerViews().find((peer) => peer.node === record.leader);
  if (leader?.alive !== true || leader.state.serving !== record.term) {
    throw new HoldfastError(
      'REINIT_REFUSED',
      `Nobody serves ${member.service} now: the data of ${member.node} may be the last that are complete`,
      {
        retryable: true,
        hint: 'Wait until a leader serves, from which they can be copied anew.',
      },
    );
  }
  if (reuse && from !== 'copies') {
    throw new HoldfastError('REINIT_REFUSED', `Only copies can be laid over the data of ${member.node}`, {
      hint: 'Wish for copies too, or let the data be set aside.',
    });
  }
  if (from === 'copies') await (await openCopiesOfLeader(member, { anew: true, signal: member.signal }))[Symbol.asyncDispose]();
  await member.occupied('reinitialising', () =>
    member.gate.run(async (signal) => {
      member.wishedSource = from;
      const where = await stopAndSetAside(member, reuse, signal);
      if (where !== undefined) member.deps.record('member.data.set-aside', { where });
      member.engineState = await member.deps.engine.inspect({ signal });
      member.needs('follow');
    }, true),
  );
  return { leader: record.leader, term: record.term, tookMs: Math.round(member.now() - beganMs) };
}

async function checkpoint(member: Member, signal: AbortSignal): Promise<void> {
  const late = (): Error =>
    new HoldfastError('SWITCHOVER_REFUSED', `The checkpoint took longer than ${CHECKPOINT_TIMEOUT_MS} ms`, {
      retryable: true,
      hint: 'Try again when the database is less busy.',
    });
  using limit = deadline(member.deps.runtime.clock, CHECKPOINT_TIMEOUT_MS, late, signal);
  await member.deps.engine.checkpoint({ signal: limit.signal });
}

/** A start that was under way when it was interrupted may come up after the stop: then it is stopped again. Undefined: there were no data. */
async function stopAndSetAside(member: Member, toReuse: boolean, signal: AbortSignal): Promise<string | undefined> {
  const { engine } = member.deps;
  for (let stops = 1; ; stops++) {
    await engine.stop('immediate', { timeoutMs: CLEAN_STOP_MS });
    const state = await engine.inspect({ signal });
    if (state.data === 'absent') return undefined;
    try {
      return await engine.setAside('reinit', { toReuse });
    } catch (error) {
      if (!hasCode(error, 'ENGINE_RUNNING') || stops >= STOPS_MAX) throw error;
    }
  }
}

import { HoldfastError } from '../core/errors.ts';
import type { Position } from '../engine/engine.ts';
import { endDatabase } from './end-database.ts';
import { refuseGrant } from './grant.ts';
import {
  commandSchema,
  holdSchema,
  confirmRequestSchema,
  fenceRequestSchema,
  takeOverSchema,
  toWire,
  type FenceReply,
  type FenceRequest,
} from './messages.ts';
import type { Member } from './member.ts';
import { forceFailover, reinit, restart, switchover } from './operate.ts';
import type { Peers } from './peers.ts';
import type { LocalRouters } from './routers.ts';
import { takeOver } from './take-over.ts';

/** After promising somebody else: so long it leaves the attempt to them. */
const AFTER_GRANT_MS = 1_000;
/** After telling somebody that it would promise: the request itself is on its way, and a rival would only interrupt it. */
const AFTER_SOUND_MS = 300;
/** Members notice a death within milliseconds of each other; one that is asked first waits so long for its own evidence. */
const SUSPECT_TOO_MS = 300;
const STOP_TIMEOUT_MS = 5_000;

/** What peers may ask of the members on this node. Callers are proven members of the cluster; forms are checked here. */
export function answerRequests(
  peers: Peers,
  memberOf: (service: string) => Member | undefined,
  routersOf: (service: string) => LocalRouters | undefined,
): void {
  const find = async (service: string): Promise<Member> => {
    const member = memberOf(service);
    if (member === undefined) throw new HoldfastError('SERVICE_UNKNOWN', `This node has no member of the service ${service}`);
    await member.ready;
    return member;
  };
  const { network } = peers;
  network.handle('fence', async (from, body) => {
    const request = fenceRequestSchema.parse(body);
    return grant(await find(request.service), request, from);
  });
  network.handle('take-over', async (_from, body) => {
    const order = takeOverSchema.parse(body);
    const member = await find(order.service);
    if (!member.mayLead()) throw new HoldfastError('FAILOVER_NO_CANDIDATE', 'This member may not lead');
    return member.occupied('promoting', () => member.gate.run((signal) => takeOver(member, order, signal), true));
  });
  network.handle('confirm', async (from, body) => {
    const request = confirmRequestSchema.parse(body);
    return { confirmed: confirm(await find(request.service), request, from) };
  });
  network.handle('hold', async (_from, body) => {
    const { service, term } = holdSchema.parse(body);
    await routersOf(service)?.hold(term);
  });
  network.handle('resume', async (_from, body) => {
    const { service, term } = holdSchema.parse(body);
    routersOf(service)?.resume(term);
  });
  network.handle('command', async (_from, body) => {
    const request = commandSchema.parse(body);
    const member = await find(request.service);
    if (request.command === 'credentials') {
      const credentials = await member.deps.engine.credentials();
      if (credentials === undefined)
        throw new HoldfastError('ENGINE_NO_CREDENTIALS', 'This member has no credentials yet', { retryable: true });
      return credentials;
    }
    if (request.command === 'switchover') return switchover(member, request.to);
    if (request.command === 'restart') return restart(member);
    if (request.command === 'failover') return forceFailover(member, request.to);
    return reinit(member, request);
  });
}

/** Promises durably, stops receiving, and says how far it got. Nothing of the old leader's is acknowledged by this member after that. */
async function grant(member: Member, request: FenceRequest, from: string): Promise<FenceReply> {
  if (!request.forced && !member.suspects) await member.untilSuspects(SUSPECT_TOO_MS);
  const known = member.deps.store.leadership?.value;
  const why = refuseGrant(request, {
    promised: member.pledged,
    leadership: known,
    self: member.node,
    servingTerm: member.servingTerm > 0 && member.engineState.running ? member.servingTerm : 0,
    releasedTerm: member.releasedTerm,
    suspectsLeader: member.suspects || known === undefined,
    paused: member.deps.store.paused,
    confirmedUntilMs: member.confirmedUntilMs,
    nowMs: member.now(),
  });
  if (why !== undefined) return { granted: false, promised: member.pledged, why };
  if (request.mode === 'sound') {
    member.holdStillUntilMs = Math.max(member.holdStillUntilMs, member.now() + AFTER_SOUND_MS);
    return { granted: true, promised: member.pledged, eligible: member.eligible(), priority: member.options.priority };
  }
  member.holdStillUntilMs = member.now() + AFTER_GRANT_MS;
  await member.promise(request.term);
  const position = await member.occupied('voting', () => member.gate.run((signal) => stopReceiving(member, signal), true));
  member.deps.record('promise.given', { term: request.term, to: from });
  const eligible = position !== undefined && member.eligible();
  return {
    granted: true,
    promised: member.promised,
    ...(position === undefined ? {} : { position: toWire(position) }),
    eligible,
    impaired: member.engineState.impairment !== undefined,
    priority: member.options.priority,
  };
}

async function stopReceiving(member: Member, signal: AbortSignal): Promise<Position | undefined> {
  const { engine } = member.deps;
  let state = await engine.inspect({ signal });
  if (state.role === 'primary' || member.deps.store.leadership?.value.leader === member.node) {
    // A leader that gives way. It stops even where it was not promoted yet: a promotion that is under way would be finished by the database alone.
    member.servingTerm = 0;
    await endDatabase(engine, STOP_TIMEOUT_MS);
    state = await engine.inspect({ signal });
  }
  member.engineState = state;
  if (!engine.capabilities.replicated) return { timeline: 0, lsn: 0n };
  // A primary's data may hold what nobody acknowledged, and what a later leader does not have: how far it reaches says nothing.
  return state.role === 'replica' || state.stoppedAs === 'replica' ? engine.freeze({ signal }) : undefined;
}

/** A leader that is cut off from the store asks to be left alone: granted by everybody whom it still reaches as leader. */
function confirm(member: Member, request: { term: number; leader: string; forMs: number }, from: string): boolean {
  const known = member.deps.store.leadership?.value;
  const stillLeads = known !== undefined && known.leader === request.leader && known.term === request.term && from === request.leader;
  if (!stillLeads || member.pledged > request.term) return false;
  member.confirmedUntilMs = member.now() + request.forMs;
  return true;
}

import { HoldfastError, hasCode, messageOf } from '../core/errors.ts';
import type { EngineCredentials, MemberAddress } from '../engine/engine.ts';
import type { Member } from './member.ts';

const CREDENTIALS_TIMEOUT_MS = 3_000;
const STOP_TIMEOUT_MS = 10_000;

/**
 * What it takes to make this member follow the leader of a term. Only what the engine says of the data themselves leads from one to the next:
 * a leader that can not be reached says nothing about them.
 */
export type Remedy = 'follow' | 'rejoin' | 'provision';

export async function follow(member: Member, leader: string, signal: AbortSignal): Promise<void> {
  await prepareToFollow(member, leader, signal);
  try {
    await member.deps.engine.follow(upstream(member, leader), { signal });
    member.followedMs = member.now();
  } catch (error) {
    if (!hasCode(error, 'ENGINE_DIVERGED')) throw error;
    member.needs('rejoin');
    member.deps.record('member.diverged', { leader, why: messageOf(error) });
  }
}

/** Brings diverged data back onto the leader's history. */
export async function rejoin(member: Member, leader: string, signal: AbortSignal): Promise<void> {
  await prepareToFollow(member, leader, signal);
  try {
    await member.deps.engine.rejoin(upstream(member, leader), { signal });
    member.followedMs = member.now();
    member.needs('follow');
    member.deps.record('member.rejoined', { leader });
  } catch (error) {
    if (hasCode(error, 'ENGINE_REJOIN_FAILED')) member.needs('provision');
    throw error;
  }
}

/** Copies all data anew; those that are there are set aside first. */
export async function provision(member: Member, leader: string, setAside: boolean, signal: AbortSignal): Promise<void> {
  const { engine } = member.deps;
  await prepareToFollow(member, leader, signal);
  if (setAside) {
    await engine.stop('immediate', { timeoutMs: STOP_TIMEOUT_MS });
    member.deps.record('member.data.set-aside', { where: await engine.setAside('diverged') });
  }
  member.needs('follow');
  await engine.provision(upstream(member, leader), { signal });
  member.deps.record('member.provisioned', { leader });
}

function upstream(member: Member, leader: string): MemberAddress {
  const address = member.addressOf(leader);
  if (address === undefined) throw new HoldfastError('PEER_UNREACHABLE', `Nothing is known of ${leader}`, { retryable: true });
  return address;
}

/** A replica is not guarded by a deadline, and needs the passwords that the first leader made. */
async function prepareToFollow(member: Member, leader: string, signal: AbortSignal): Promise<void> {
  member.servingTerm = 0;
  // Without a deadline, but there: a promotion need not wait for it to start.
  await member.deps.fence.arm('never');
  if ((await member.deps.engine.credentials()) !== undefined) return;
  const body = { service: member.service, command: 'credentials' };
  const reply = await member.deps.peers.network.request(leader, 'command', body, { timeoutMs: CREDENTIALS_TIMEOUT_MS, signal });
  if (!isCredentials(reply))
    throw new HoldfastError('PEER_MALFORMED', `${leader} sent credentials of an unknown form`, { retryable: true });
  await member.deps.engine.acceptCredentials(reply);
}

function isCredentials(value: unknown): value is EngineCredentials {
  return typeof value === 'object' && value !== null && Object.values(value).every((one) => typeof one === 'string');
}

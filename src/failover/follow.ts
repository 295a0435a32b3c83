import { HoldfastError, hasCode, messageOf } from '../core/errors.ts';
import type { DataCopies } from '../core/data-copies.ts';
import type { EngineCredentials, MemberAddress } from '../engine/engine.ts';
import { makeOfCopies, type ReplicaSource } from './copies-source.ts';
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

/** Makes all data anew, of the leader's or of copies; those that are there are set aside first. */
export async function provision(member: Member, leader: string, setAside: boolean, signal: AbortSignal): Promise<void> {
  const { engine } = member.deps;
  await prepareToFollow(member, leader, signal);
  if (setAside) {
    await engine.stop('immediate', { timeoutMs: STOP_TIMEOUT_MS });
    member.deps.record('member.data.set-aside', { where: await engine.setAside('diverged') });
  }
  member.needs('follow');
  await makeReplica(member, leader, signal);
}

/** From the first source that can. */
async function makeReplica(member: Member, leader: string, signal: AbortSignal): Promise<void> {
  const { record } = member.deps;
  const wished = member.wishedSource === undefined ? [] : [member.wishedSource];
  const sources = [...new Set([...wished, ...(member.options.createReplica ?? ['leader' as const])])];
  for (const [index, source] of sources.entries()) {
    try {
      await provisionFrom(member, source, upstream(member, leader), signal);
      member.wishedSource = undefined;
      return record('member.provisioned', { leader, from: source });
    } catch (error) {
      if (signal.aborted || index === sources.length - 1) throw error;
      record('member.provision.failed', { from: source, error: messageOf(error), next: sources[index + 1] });
    }
  }
}

async function provisionFrom(member: Member, source: ReplicaSource, leader: MemberAddress, signal: AbortSignal): Promise<void> {
  if (source === 'leader') return await member.deps.engine.provision(leader, { signal });
  const make = async (anew: boolean): Promise<void> => {
    await using copies = await openCopiesOfLeader(member, { anew, signal });
    await member.deps.engine.provision(leader, { copies, signal });
  };
  await makeOfCopies(make, member.deps.runtime.clock, signal);
}

/** Copies of what the present leader serves. @throws REINIT_REFUSED where none are made; BACKUP_…, STORAGE_… */
export async function openCopiesOfLeader(
  member: Member,
  { anew = false, signal }: { readonly anew?: boolean; readonly signal: AbortSignal },
): Promise<DataCopies> {
  const { copies, store } = member.deps;
  const record = store.leadership?.value;
  if (copies === undefined || record === undefined || record.systemId === null) {
    throw new HoldfastError('REINIT_REFUSED', `There are no copies of ${member.service} that ${member.node} knows of`, {
      hint: 'Give the service a backup in the configuration of this node, or copy from the leader.',
    });
  }
  return await copies.open({ systemId: record.systemId, timeline: record.timeline }, { anew, signal });
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

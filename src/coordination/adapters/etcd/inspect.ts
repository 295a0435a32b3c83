import { HoldfastError, messageOf } from '../../../core/errors.ts';
import type { Runtime } from '../../../core/runtime.ts';
import { EtcdClient } from './client.ts';
import type { EtcdConfig } from './config.ts';
import { Layout } from './layout.ts';
import { maintenance, type Member } from './maintenance.ts';
import { compareCreated, requestPut, rpc } from './messages.ts';
import { flawsOf, isTooOld } from './versions.ts';

/** How long one member may take to answer. */
const ANSWER_MS_MAX = 3_000;

export interface InspectedMember {
  /** As configured. */
  readonly endpoint: string;
  /** `unreachable`: nothing answered, or not etcd, or it refused us; `detail` says why. `leaderless`: it runs, but has no quorum. */
  readonly role: 'leader' | 'follower' | 'learner' | 'leaderless' | 'unreachable';
  readonly version: string;
  readonly detail: string;
  /** What it complains of, as it says it. */
  readonly alarms: readonly string[];
  /** Hexadecimal; empty when unreachable. */
  readonly clusterId: string;
}

export interface Finding {
  readonly level: 'ok' | 'warning' | 'problem';
  readonly message: string;
  /** What to do; empty where nothing is to be done. */
  readonly hint: string;
}

export interface StoreInspection {
  readonly members: readonly InspectedMember[];
  readonly findings: readonly Finding[];
}

/**
 * Looks at a cluster as an operator would. Changes nothing in it, but for a lease that is revoked again at once.
 * @param options.ttlMs the TTL that sessions will ask for
 * @throws the signal's reason
 */
export async function inspectStore(
  config: EtcdConfig,
  runtime: Runtime,
  options: { ttlMs: number; signal: AbortSignal },
): Promise<StoreInspection> {
  const { signal } = options;
  const members = await Promise.all(config.endpoints.map((endpoint) => inspectMember(endpoint, config, runtime, signal)));
  signal.throwIfAborted();
  const findings = [...members.flatMap(judgeMember), ...judgeEndpoints(members), ...judgeTransport(config)];
  const serving = members.filter(({ role }) => role === 'leader' || role === 'follower');
  if (serving.length > 0) {
    const endpoints = serving.map(({ endpoint }) => endpoint);
    await using client = new EtcdClient({ ...config, endpoints }, runtime);
    for (const judge of [judgeMembership, judgeAuthentication, judgePrefix, judgeTtl]) {
      findings.push(...(await judge(client, config, options).catch((error: unknown) => [problem(messageOf(error), hintOf(error))])));
      signal.throwIfAborted();
    }
  }
  return { members, findings };
}

async function inspectMember(endpoint: string, config: EtcdConfig, runtime: Runtime, signal: AbortSignal): Promise<InspectedMember> {
  await using client = new EtcdClient({ ...config, endpoints: [endpoint] }, runtime);
  try {
    const { header, version, leader, errors, isLearner } = await client.repeat(maintenance.status, undefined, {
      signal,
      timeoutMs: ANSWER_MS_MAX,
    });
    const role = isLearner ? 'learner' : leader === 0n ? 'leaderless' : leader === header.memberId ? 'leader' : 'follower';
    return { endpoint, role, version, detail: '', alarms: errors, clusterId: header.clusterId.toString(16) };
  } catch (error) {
    const detail = [messageOf(error), hintOf(error)].filter((part) => part !== '').join('. ');
    return { endpoint, role: 'unreachable', version: '', detail, alarms: [], clusterId: '' };
  }
}

function judgeMember({ endpoint, role, version, detail, alarms }: InspectedMember): Finding[] {
  if (role === 'unreachable') return [problem(`${endpoint} can not be asked: ${detail}`, '')];
  const findings: Finding[] = [];
  if (role === 'leaderless')
    findings.push(problem(`${endpoint} runs, but has no leader`, 'Start the other members, and check that they reach each other.'));
  if (role === 'learner') findings.push(warning(`${endpoint} is a learner: it serves no clients`, 'Promote it, or take it off the list.'));
  for (const alarm of alarms.filter((text) => !/no leader/.test(text)))
    findings.push(problem(`${endpoint} complains: ${alarm}`, alarmHint(alarm)));
  if (isTooOld(version)) findings.push(problem(`${endpoint} is etcd ${version}`, 'Holdfast needs etcd 3.4 or newer.'));
  for (const { flaw, fixedIn } of flawsOf(version)) {
    findings.push(warning(`${endpoint} is etcd ${version}, in which ${flaw}; Holdfast survives it`, `Update etcd to ${fixedIn} or newer.`));
  }
  return findings.length > 0 ? findings : [{ level: 'ok', message: `${endpoint} is etcd ${version}, ${role}`, hint: '' }];
}

function judgeEndpoints(members: readonly InspectedMember[]): Finding[] {
  const clusters = new Set(members.map(({ clusterId }) => clusterId).filter((id) => id !== ''));
  if (clusters.size > 1)
    return [problem(`the endpoints belong to ${clusters.size} different clusters`, 'List the members of one cluster only.')];
  return [];
}

function judgeTransport({ endpoints, username }: EtcdConfig): Finding[] {
  const open = endpoints.filter((url) => url.startsWith('http:') && !/^http:\/\/(localhost|127\.|\[::1\])/.test(url));
  if (open.length === 0) return [];
  const what = username === undefined ? 'what is locked and by whom' : 'the password of etcd, and what is locked and by whom,';
  return [warning(`${what} goes over the network in clear (${open.join(', ')})`, 'Give etcd certificates and use https:// endpoints.')];
}

async function judgeMembership(client: EtcdClient, config: EtcdConfig, { signal }: { signal: AbortSignal }): Promise<Finding[]> {
  const { members } = await client.repeat(maintenance.memberList, undefined, { signal, timeoutMs: ANSWER_MS_MAX });
  const names = members.map(nameOf).join(', ');
  if (members.length === 1) {
    return [
      warning(
        'the cluster has one member: while it is down, nothing can be acquired or renewed',
        'Run three, on machines that fail independently.',
      ),
    ];
  }
  const findings: Finding[] = [];
  if (members.length % 2 === 0) {
    findings.push(
      warning(
        `the cluster has ${members.length} members (${names}): it bears the loss of no more than one less would`,
        'Run three or five.',
      ),
    );
  }
  if (config.endpoints.length < members.length) {
    findings.push(
      warning(
        `${config.endpoints.length} of ${members.length} members (${names}) are listed: Holdfast can go to no other when those stop`,
        'List all of them.',
      ),
    );
  }
  return findings.length > 0 ? findings : [{ level: 'ok', message: `the cluster has ${members.length} members: ${names}`, hint: '' }];
}

function nameOf({ name, id, clientUrls }: Member): string {
  return `${name === '' ? id.toString(16) : name} at ${clientUrls.join(' and ') || 'no client URL yet'}`;
}

async function judgeAuthentication(
  client: EtcdClient,
  { username, password }: EtcdConfig,
  { signal }: { signal: AbortSignal },
): Promise<Finding[]> {
  if (username === undefined || password === undefined) return [];
  try {
    await client.repeat(rpc.authenticate, { name: username, password: password.reveal() }, { signal, timeoutMs: ANSWER_MS_MAX });
    return [];
  } catch (error) {
    if (!/authentication is not enabled/.test(messageOf(error))) throw error;
    return [warning('a user is configured, but etcd asks nobody for a password', 'Enable it: etcdctl auth enable.')];
  }
}

/** Writing is asked for in a branch that is never taken: etcd judges the permission for it all the same. */
async function judgePrefix(client: EtcdClient, { prefix }: EtcdConfig, { signal }: { signal: AbortSignal }): Promise<Finding[]> {
  const key = new Layout(prefix).key('doctor');
  const txn = { compare: [compareCreated(key, '=', -1n)], success: [requestPut(key, '', 0n)] };
  await client.repeat(rpc.txn, txn, { signal, timeoutMs: ANSWER_MS_MAX });
  return [{ level: 'ok', message: `keys below ${prefix} may be read and written`, hint: '' }];
}

async function judgeTtl(client: EtcdClient, _: EtcdConfig, { ttlMs, signal }: { ttlMs: number; signal: AbortSignal }): Promise<Finding[]> {
  const lease = await client.repeat(rpc.leaseGrant, { ttlS: BigInt(Math.ceil(ttlMs / 1000)) }, { signal, timeoutMs: ANSWER_MS_MAX });
  await client.repeat(rpc.leaseRevoke, { id: lease.id }, { signal, timeoutMs: ANSWER_MS_MAX });
  const grantedMs = Number(lease.ttlS) * 1000;
  if (grantedMs < ttlMs + 1000) return [{ level: 'ok', message: `a TTL of ${ttlMs} ms is granted as ${grantedMs} ms`, hint: '' }];
  const message = `a TTL of ${ttlMs} ms becomes ${grantedMs} ms, and take-over after a death as much slower`;
  return [warning(message, 'Lower --election-timeout of etcd, or set a longer TTL.')];
}

function alarmHint(alarm: string): string {
  if (/NOSPACE/.test(alarm)) return 'Its database reached the quota and it refuses writes: compact, defragment, then etcdctl alarm disarm.';
  if (/CORRUPT/.test(alarm)) return 'Its data differ from those of other members: replace it from a healthy one.';
  return '';
}

function hintOf(error: unknown): string {
  return error instanceof HoldfastError ? error.hint : '';
}

function problem(message: string, hint: string): Finding {
  return { level: 'problem', message, hint };
}

function warning(message: string, hint: string): Finding {
  return { level: 'warning', message, hint };
}

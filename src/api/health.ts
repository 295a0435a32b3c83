import type { LocalMember } from './control.ts';
import { parsePostgresSize } from './size.ts';

// The health endpoints that load balancers of this field know, with the meanings and status codes of Patroni 4 (its documentation, "Patroni
// REST API"), so that what asks a Patroni can ask an agent. Pure: judged in memory, without asking the database.

/** Checks of one member. Each is served at `/NAME` for the first PostgreSQL service of the node (or its first), and at `/SERVICE/NAME`. */
export const memberChecks = [
  '',
  'primary',
  'master',
  'leader',
  'standby-leader',
  'standby_leader',
  'read-write',
  'replica',
  'read-only',
  'synchronous',
  'sync',
  'quorum',
  'asynchronous',
  'async',
  'read-only-sync',
  'read-only-synchronous',
  'read-only-quorum',
  'health',
  'readiness',
  'patroni',
] as const;
export type MemberCheck = (typeof memberChecks)[number];

/** Parameters of a check, as they came. */
export type CheckQuery = Readonly<Record<string, string | undefined>>;

/** A replica further behind than this is not ready, unless the check says otherwise: Patroni's `maximum_lag_on_failover`. */
const readyLagBytesMax = 1024 * 1024;

/** Whether the member passes: 200 or 503 for whoever asks. */
export function passes(check: MemberCheck, member: LocalMember, query: CheckQuery): boolean {
  const isPrimary = member.leader && member.accepting && member.role === 'primary';
  const isReplica = isUsableReplica(member, query) && hasTags(member, query);
  switch (check) {
    case '':
    case 'primary':
    case 'master':
    case 'read-write':
      return isPrimary;
    case 'leader':
      return member.leader;
    case 'standby-leader':
    case 'standby_leader':
      // Clusters that follow another cluster are not there yet.
      return false;
    case 'replica':
      return isReplica;
    case 'read-only':
      return (isPrimary && hasTags(member, query)) || isReplica;
    case 'synchronous':
    case 'sync':
    case 'quorum':
      return isReplica && member.sync;
    case 'asynchronous':
    case 'async':
      return isReplica && !member.sync;
    case 'read-only-sync':
    case 'read-only-synchronous':
    case 'read-only-quorum':
      return (isPrimary && hasTags(member, query)) || (isReplica && member.sync);
    case 'health':
      return member.accepting;
    case 'readiness':
      return isReady(member, query);
    case 'patroni':
      return true;
  }
}

/** The member that checks without a service's name are about. */
export function defaultMember(members: readonly LocalMember[]): LocalMember | undefined {
  return members.find((member) => member.engine === 'postgres') ?? members[0];
}

function isUsableReplica(member: LocalMember, query: CheckQuery): boolean {
  if (member.role !== 'replica' || !member.accepting || member.noloadbalance) return false;
  if (query['replication_state'] !== undefined && query['replication_state'] !== replicationState(member)) return false;
  return query['lag'] === undefined || isWithin(member.lagBytes, parsePostgresSize(query['lag']));
}

/** What is not known, or asked in words that are not understood, is not promised. */
function isWithin(lagBytes: number | undefined, lagBytesMax: number | undefined): boolean {
  return lagBytes !== undefined && lagBytesMax !== undefined && lagBytes <= lagBytesMax;
}

function isReady(member: LocalMember, query: CheckQuery): boolean {
  if (member.leader) return true;
  if (!member.accepting || !member.streaming) return false;
  const limit = query['lag'] === undefined ? readyLagBytesMax : parsePostgresSize(query['lag']);
  return isWithin(query['mode'] === 'write' ? receiveLag(member) : member.lagBytes, limit);
}

/** How far what it has on disk is behind, replayed or not. */
function receiveLag({ lagBytes, lsn, replayLsn }: LocalMember): number | undefined {
  if (lagBytes === undefined || lsn === undefined || replayLsn === undefined) return lagBytes;
  return Math.max(0, lagBytes - Number(lsn - replayLsn));
}

/** `tag_NAME=VALUE`: tags that a member does not have are never met. */
function hasTags(member: LocalMember, query: CheckQuery): boolean {
  const tags: Readonly<Record<string, string>> = tagsOf(member);
  return Object.entries(query).every(([name, value]) => !name.startsWith('tag_') || tags[name.slice('tag_'.length)] === value);
}

function tagsOf(member: LocalMember): Record<string, string> {
  return { noloadbalance: String(member.noloadbalance) };
}

function replicationState(member: LocalMember): string | undefined {
  return member.role === 'replica' && member.streaming ? 'streaming' : undefined;
}

/** The body of a check: Patroni's fields as far as they have a meaning here, and Holdfast's own under `holdfast`. */
export function describeMember(member: LocalMember, names: { cluster: string; node: string; version: string }): object {
  const isReplica = member.role === 'replica';
  const xlog = isReplica
    ? { received_location: asNumber(member.lsn), replayed_location: asNumber(member.replayLsn), replayed_timestamp: null, paused: false }
    : { location: asNumber(member.lsn) };
  return {
    state: member.accepting ? 'running' : member.role === 'none' ? 'stopped' : 'starting',
    role: member.role,
    ...(member.version === undefined ? {} : { server_version: serverVersionNumber(member.version) }),
    ...(member.lsn === undefined ? {} : { xlog }),
    ...(member.timeline === undefined ? {} : { timeline: member.timeline }),
    ...(replicationState(member) === undefined ? {} : { replication_state: replicationState(member) }),
    ...(isReplica && member.sync ? { sync_standby: true, quorum_standby: true } : {}),
    ...(member.leaderKnown ? {} : { cluster_unlocked: true }),
    ...(member.paused ? { pause: true } : {}),
    ...(member.pendingRestart ? { pending_restart: true } : {}),
    ...(member.noloadbalance ? { tags: { noloadbalance: true } } : {}),
    patroni: { version: names.version, scope: member.service, name: names.node },
    holdfast: {
      cluster: names.cluster,
      service: member.service,
      node: names.node,
      term: member.term,
      leader: member.leader,
      lagBytes: member.lagBytes ?? null,
    },
  };
}

/** `17.10` → 170010, as PostgreSQL's server_version_num; 0 when it is not a version. */
export function serverVersionNumber(version: string): number {
  const [, major, minor] = /^(\d+)(?:\.(\d+))?/.exec(version) ?? [];
  return major === undefined ? 0 : Number(major) * 10_000 + Number(minor ?? 0);
}

function asNumber(lsn: bigint | undefined): number | null {
  return lsn === undefined ? null : Number(lsn);
}

import type { AgentControl, LocalMember } from './control.ts';
import { serverVersionNumber } from './health.ts';

/** One value for Prometheus, with its full name. */
type Sample = ReturnType<AgentControl['metrics']>[number];

/** Media type of Prometheus' text format 0.0.4. */
export const expositionType = 'text/plain; version=0.0.4; charset=utf-8';

/** Samples in Prometheus' text format (its documentation, "Exposition formats"): each metric's help and type once, its samples together. */
export function exposition(samples: readonly Sample[]): string {
  const byName = Map.groupBy(samples, (sample) => sample.name);
  return [...byName]
    .map(([name, group]) => `# HELP ${name} ${escapeHelp(group[0]!.help)}\n# TYPE ${name} ${group[0]!.type}\n${group.map(line).join('')}`)
    .join('');
}

function line({ name, labels, value }: Sample): string {
  const pairs = Object.entries(labels).map(([label, text]) => `${label}="${escapeLabel(text)}"`);
  return `${name}${pairs.length > 0 ? `{${pairs.join(',')}}` : ''} ${numberText(value)}\n`;
}

function escapeHelp(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n');
}

function escapeLabel(text: string): string {
  return escapeHelp(text).replaceAll('"', '\\"');
}

function numberText(value: number): string {
  if (Number.isNaN(value)) return 'NaN';
  return Number.isFinite(value) ? String(value) : value > 0 ? '+Inf' : '-Inf';
}

/**
 * The same members under Patroni's metric names and labels (its documentation, "Monitoring endpoint"), so that dashboards and alerts
 * made for it go on; `scope` is the service.
 */
export function patroniSamples(members: readonly LocalMember[], node: string): Sample[] {
  return members.filter((member) => member.engine === 'postgres').flatMap((member) => patroniSamplesOf(member, node));
}

function patroniSamplesOf(member: LocalMember, node: string): Sample[] {
  const labels = { scope: member.service, name: node };
  const isPrimary = member.role === 'primary' && member.leader;
  const isReplica = member.role === 'replica';
  const lsn = Number(member.lsn ?? 0n);
  const of =
    (type: Sample['type']) =>
    (name: string, help: string, value: number | boolean): Sample => ({
      name: `patroni_${name}`,
      help,
      type,
      labels,
      value: Number(value),
    });
  const gauge = of('gauge');
  const counter = of('counter');
  return [
    gauge('postgres_running', 'Value is 1 if Postgres is running, 0 otherwise.', member.accepting),
    gauge('primary', 'Value is 1 if this node is the leader, 0 otherwise.', isPrimary),
    counter('xlog_location', 'Current location of the Postgres transaction log, 0 if this node is not the leader.', isPrimary ? lsn : 0),
    gauge('replica', 'Value is 1 if this node is a replica, 0 otherwise.', isReplica),
    gauge('sync_standby', 'Value is 1 if commits can wait for this node, 0 otherwise.', isReplica && member.sync),
    gauge('quorum_standby', 'Value is 1 if this node is a quorum standby replica, 0 otherwise.', isReplica && member.sync),
    counter(
      'xlog_received_location',
      'Current location of the received Postgres transaction log, 0 if this node is not a replica.',
      isReplica ? lsn : 0,
    ),
    counter(
      'xlog_replayed_location',
      'Current location of the replayed Postgres transaction log, 0 if this node is not a replica.',
      isReplica ? Number(member.replayLsn ?? 0n) : 0,
    ),
    gauge('postgres_streaming', 'Value is 1 if Postgres is streaming, 0 otherwise.', member.streaming),
    gauge(
      'postgres_server_version',
      'Version of Postgres (if running), 0 otherwise.',
      member.version === undefined ? 0 : serverVersionNumber(member.version),
    ),
    gauge('cluster_unlocked', 'Value is 1 if the cluster is unlocked, 0 if locked.', !member.leaderKnown),
    counter('postgres_timeline', 'Postgres timeline of this node (if running), 0 otherwise.', member.timeline ?? 0),
    gauge('pending_restart', 'Value is 1 if the node needs a restart, 0 otherwise.', member.pendingRestart),
    gauge('is_paused', 'Value is 1 if auto failover is disabled, 0 otherwise.', member.paused),
  ];
}

import type { AgentControl } from '../api/control.ts';
import type { CopiesState } from '../failover/messages.ts';
import type { NodeReport } from './status.ts';

type Sample = ReturnType<AgentControl['metrics']>[number];

/** What Prometheus gets of this agent. Names end in their unit. */
export function agentMetrics(
  own: NodeReport,
  services: readonly { service: string; term: number; paused: boolean }[],
  storeReachable: boolean,
  peersConnected: number,
  wallMs: number,
): Sample[] {
  const samples: Sample[] = [
    gauge('coordination_reachable', 'Whether the coordination store answers', {}, Number(storeReachable)),
    gauge('peers_connected', 'Agents to which a connection is open', {}, peersConnected),
    gauge('process_resident_memory_bytes', 'Memory of the agent', {}, process.memoryUsage.rss()),
  ];
  for (const { service, term, paused } of services) {
    samples.push(
      gauge('term', 'Highest leadership term known', { service }, term),
      gauge('paused', 'Whether automatic failover is paused', { service }, Number(paused)),
    );
  }
  for (const member of own.heartbeat.members) {
    const labels = { service: member.service };
    samples.push(
      gauge('leader', 'Whether this member leads and takes writes', labels, Number(member.serving > 0)),
      gauge('database_running', 'Whether the database process runs', labels, Number(member.running)),
      gauge('database_accepting', 'Whether the database answers queries', labels, Number(member.accepting)),
      gauge('streaming', 'Whether this replica receives WAL', labels, Number(member.streamingFrom !== undefined)),
      gauge(
        'disk_impaired',
        'Whether the disk of the data is full, or does not finish writing',
        labels,
        Number(member.impairment !== undefined),
      ),
      gauge(
        'damaged_pages',
        'How often a page with a wrong checksum was read since the statistics began',
        labels,
        member.damagedPages ?? 0,
      ),
      gauge('promised_term', 'Highest term promised', labels, member.promised),
    );
    if (member.position !== undefined) {
      samples.push(
        gauge('timeline', 'Timeline of the data', labels, member.position.timeline),
        gauge('wal_position_bytes', 'Flushed WAL position', labels, Number(member.position.lsn)),
      );
    }
  }
  samples.push(...own.heartbeat.copies.flatMap((copies) => copiesSamples(copies, wallMs)));
  for (const router of own.heartbeat.routers) {
    const labels = { service: router.service };
    const program = { ...labels, router: router.kind };
    samples.push(
      gauge('router_term', 'Highest term in force for the clients of the router', program, router.term),
      gauge('router_holding', 'Whether new writers wait', program, Number(router.holding)),
      gauge(
        'router_obeys',
        'Whether the program that carries the clients does what it is told',
        program,
        Number(router.problem === undefined),
      ),
    );
    for (const [kind, value] of Object.entries(router.connections))
      samples.push(gauge('router_connections', 'Client connections of the router', { ...labels, kind }, value));
    samples.push(
      counter('router_cut_total', 'Connections cut at a new term', labels, router.cutTotal),
      counter('router_refused_total', 'Connections refused', labels, router.refusedTotal),
    );
  }
  return samples;
}

/** Of the agent that leads: it cares for the copies. */
function copiesSamples({ service, location, parts, last, journal, alarms }: CopiesState, wallMs: number): Sample[] {
  const labels = { service, location };
  const samples = [gauge('backup_alarms', 'What somebody should look at, of the copies of a service', labels, alarms.length)];
  if (last !== undefined) {
    samples.push(
      gauge('backup_last_timestamp_seconds', 'When the last good copy was consistent, since 1970', labels, last.atMs / 1_000),
      gauge('backup_last_age_seconds', 'Age of the last good copy', labels, Math.max(0, wallMs - last.atMs) / 1_000),
    );
  }
  if (journal !== undefined) {
    samples.push(
      gauge('backup_journal_running', 'Whether WAL is copied as it comes', labels, Number(journal.state === 'running')),
      gauge('backup_journal_lag_seconds', 'Since when not all WAL is stored', labels, journal.lagMs / 1_000),
      gauge('backup_journal_lag_bytes', 'WAL that is not stored yet', labels, journal.lagBytes),
      gauge('backup_journal_gaps', 'Gaps in the WAL that is stored, after the last base backup', labels, journal.gaps),
    );
    if (journal.folded !== undefined) {
      const { ageMs, parts: left } = journal.folded;
      samples.push(
        gauge(
          'backup_journal_folded_age_seconds',
          'Since when no full segments of WAL became files of the repository',
          labels,
          ageMs / 1_000,
        ),
        gauge('backup_journal_parts', 'Small objects of which the journal consisted then', labels, left),
      );
    }
  }
  for (const { name, state, behindObjects, behindBytes } of parts) {
    const part = { service, location: name };
    samples.push(
      gauge('backup_location_healthy', 'Whether a location, or a part of one, answers and has everything', part, Number(state === 'ok')),
      gauge('backup_location_behind_objects', 'Changes that a location has not got yet', part, behindObjects),
      gauge('backup_location_behind_bytes', 'Bytes that a location has not got yet', part, behindBytes),
    );
  }
  return samples;
}

function gauge(name: string, help: string, labels: Record<string, string>, value: number): Sample {
  return { name, help, type: 'gauge', labels, value };
}

function counter(name: string, help: string, labels: Record<string, string>, value: number): Sample {
  return { name, help, type: 'counter', labels, value };
}

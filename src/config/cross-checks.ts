import { formatAddress } from '../core/address.ts';
import type { Address } from '../core/address.ts';
import { nearest } from '../core/nearest.ts';
import { journalSettings } from './copies.ts';
import type { Finding, Path } from './problem.ts';
import { formatPath } from './problem.ts';
import type { HoldfastConfig } from './schema.ts';

/** What is wrong between parts that are each right: references, ports, directories, numbers that do not fit together. Pure. */
export function crossCheck(config: HoldfastConfig): readonly Finding[] {
  return [
    ...references(config),
    ...circles(config),
    ...checkLocations(config),
    ...listenConflicts(config),
    ...reachability(config),
    ...directoryConflicts(config),
    ...quorums(config),
    ...sources(config),
    ...synchronousJournals(config),
    ...duplicates(config),
  ];
}

function* references(config: HoldfastConfig): Iterable<Finding> {
  const services = Object.keys(config.services);
  const locations = Object.keys(config.locations);
  for (const [service, { after, backup, bootstrap, postgres }] of Object.entries(config.services)) {
    for (const [index, other] of after.entries()) yield* unknown(['services', service, 'after', index], other, 'service', services);
    if (backup) yield* unknown(['services', service, 'backup', 'to'], backup.to, 'location', locations);
    if (bootstrap) yield* restoreOf(['services', service, 'bootstrap', 'restore'], bootstrap.restore, { locations, backup, postgres });
    if (postgres?.createReplica.includes('copies') && !backup)
      yield {
        path: ['services', service, 'postgres', 'createReplica'],
        message: `${service} has no backup that its data could be made of`,
      };
  }
  for (const [index, { restore }] of config.drills.entries()) {
    const path = ['drills', index, 'restore'];
    yield* unknown(path, restore, 'service', services);
    if (config.services[restore] && !config.services[restore].backup)
      yield { path, message: `${restore} has no backup that could be restored` };
  }
}

/** What is wrong between locations. */
export function* checkLocations({ locations }: Pick<HoldfastConfig, 'locations'>): Iterable<Finding> {
  const names = Object.keys(locations);
  for (const [location, { mirror, parity }] of Object.entries(locations)) {
    for (const [index, other] of (mirror ?? []).entries())
      yield* unknown(['locations', location, 'mirror', index], other, 'location', names);
    for (const [index, other] of (parity?.over ?? []).entries())
      yield* unknown(['locations', location, 'parity', 'over', index], other, 'location', names);
    if (parity && parity.over.length !== parity.data + parity.parity) {
      const message = `must name data + parity = ${parity.data + parity.parity} locations, not ${parity.over.length}`;
      yield { path: ['locations', location, 'parity', 'over'], message };
    }
  }
  const over = (location: string): readonly string[] => locations[location]?.mirror ?? locations[location]?.parity?.over ?? [];
  for (const location of names) {
    if (reaches(location, over)) yield { path: ['locations', location], atKey: true, message: `${location} would contain itself` };
  }
}

function* restoreOf(
  path: Path,
  { from }: { readonly from?: string | undefined },
  { locations, backup, postgres }: { readonly locations: readonly string[]; readonly backup: unknown; readonly postgres: unknown },
): Iterable<Finding> {
  if (from !== undefined) yield* unknown([...path, 'from'], from, 'location', locations);
  else if (!backup) yield { path, message: 'names no location (`from`), and the service has no backup' };
  if (!postgres) yield { path, message: 'is for PostgreSQL services with a member on this node' };
}

/** What is copied of a service must be what it has. */
function* sources(config: HoldfastConfig): Iterable<Finding> {
  for (const [service, { backup, process, postgres, files }] of Object.entries(config.services)) {
    if (backup === undefined) continue;
    const at = (key: string): Path => ['services', service, 'backup', key];
    const given = (['paths', 'command'] as const).filter((key) => backup[key] !== undefined);
    if (process !== undefined && given.length !== 1) {
      yield { path: at('paths'), message: 'of a process either paths or the output of a command are copied: name one of the two' };
    }
    if (process === undefined) for (const key of given) yield { path: at(key), message: 'is for a process only' };
    if (postgres !== undefined) {
      if (backup.journal === undefined)
        yield { path: at('journal'), message: 'must be there, such as 1s: without WAL nothing can be recovered from a base backup' };
      for (const key of ['before', 'after'] as const)
        if (backup[key] !== undefined) yield { path: at(key), message: 'is not for PostgreSQL, which is copied while it runs' };
      if (backup.exclude.length > 0) yield { path: at('exclude'), message: 'is not for PostgreSQL: all of its files are needed' };
    }
    if (process === undefined && files === undefined) continue;
    if (typeof backup.journal === 'number') yield { path: at('journal'), message: 'is for PostgreSQL only: nothing else has WAL' };
    if (backup.fold !== undefined) yield { path: at('fold'), message: 'is for PostgreSQL only: nothing else has WAL' };
  }
}

function* unknown(path: Path, name: string, what: string, known: readonly string[]): Iterable<Finding> {
  if (known.includes(name)) return;
  const meant = nearest(name, known);
  const ending =
    meant !== undefined ? `; did you mean '${meant}'?` : known.length > 0 ? `; there are: ${known.join(', ')}` : '; there is none';
  yield { path, message: `there is no ${what} '${name}'${ending}` };
}

function* circles(config: HoldfastConfig): Iterable<Finding> {
  const after = (service: string): readonly string[] => config.services[service]?.after ?? [];
  for (const service of Object.keys(config.services)) {
    if (reaches(service, after)) yield { path: ['services', service, 'after'], message: `${service} would have to be up before itself` };
  }
}

/** Whether one gets from `start` back to `start`. */
function reaches(start: string, next: (name: string) => readonly string[]): boolean {
  const seen = new Set<string>();
  const open = [...next(start)];
  for (let name = open.pop(); name !== undefined; name = open.pop()) {
    if (name === start) return true;
    if (!seen.has(name)) open.push(...next(name));
    seen.add(name);
  }
  return false;
}

/** Everything of this file that listens on this machine. */
export function listeners(config: HoldfastConfig): readonly { path: Path; address: Address }[] {
  const found: { path: Path; address: Address }[] = [{ path: ['node', 'listen'], address: config.node.listen }];
  for (const [service, { postgres, process, router }] of Object.entries(config.services)) {
    if (process?.listen) found.push({ path: ['services', service, 'process', 'listen'], address: process.listen });
    if (postgres) found.push({ path: ['services', service, 'postgres', 'listen'], address: postgres.listen });
    for (const side of ['write', 'read'] as const) {
      const address = router?.[side];
      if (address) found.push({ path: ['services', service, 'router', side], address });
    }
  }
  return found;
}

const wildcards = ['0.0.0.0', '::', '*'];

export function isWildcard(host: string): boolean {
  return wildcards.includes(host);
}

function* listenConflicts(config: HoldfastConfig): Iterable<Finding> {
  const all = listeners(config).filter(({ address }) => address.port !== 0);
  for (const [index, { path, address }] of all.entries()) {
    const other = all.slice(0, index).find((one) => one.address.port === address.port && sameHost(one.address.host, address.host));
    if (other) yield { path, message: `${formatAddress(address)} is taken already by ${formatPath(other.path)}` };
  }
}

function sameHost(a: string, b: string): boolean {
  return a === b || isWildcard(a) || isWildcard(b);
}

function* reachability(config: HoldfastConfig): Iterable<Finding> {
  const { node, peers, coordination } = config;
  const own = node.advertise ?? node.listen;
  if (node.advertise && isWildcard(node.advertise.host))
    yield { path: ['node', 'advertise'], message: `${node.advertise.host} is no address that others could connect to` };
  if (peers.length > 0 && isWildcard(own.host)) {
    yield {
      path: ['node', 'listen'],
      message: `others can not connect to ${own.host}: add node.advertise with the address at which they reach this node`,
    };
  }
  for (const [index, peer] of peers.entries()) {
    const path = ['peers', index];
    if (formatAddress(peer) === formatAddress(own) || formatAddress(peer) === formatAddress(node.listen))
      yield { path, message: 'is this node itself; peers are the others' };
    if (coordination.embedded !== undefined && !isThisMachine(peer.host, own.host)) {
      yield { path, message: 'is another machine, and the embedded store is one of a single machine: use etcd or zookeeper' };
    }
  }
}

function isThisMachine(host: string, own: string): boolean {
  return host === own || host === 'localhost' || host === '::1' || host.startsWith('127.');
}

function* directoryConflicts(config: HoldfastConfig): Iterable<Finding> {
  const all: { path: Path; directory: string }[] = [{ path: ['node', 'state'], directory: config.node.state }];
  for (const [service, { postgres }] of Object.entries(config.services)) {
    if (postgres) all.push({ path: ['services', service, 'postgres', 'data'], directory: postgres.data });
  }
  for (const [index, { path, directory }] of all.entries()) {
    const other = all.slice(0, index).find((one) => within(one.directory, directory) || within(directory, one.directory));
    if (other) yield { path, message: `${directory} and ${other.directory} of ${formatPath(other.path)} lie within each other` };
  }
}

function within(outer: string, inner: string): boolean {
  return inner === outer || inner.startsWith(outer.endsWith('/') ? outer : `${outer}/`);
}

/** How many replicas each commit of a service waits for: as configured, else 1 from three members on, and none with fewer. */
export function acknowledgeOf(config: HoldfastConfig, service: string): number {
  const postgres = config.services[service]?.postgres;
  return postgres ? (postgres.replication.acknowledge ?? (config.peers.length >= 2 ? 1 : 0)) : 0;
}

function* quorums(config: HoldfastConfig): Iterable<Finding> {
  const replicas = config.peers.length;
  for (const [service, { failover }] of Object.entries(config.services)) {
    const acknowledge = acknowledgeOf(config, service);
    if (acknowledge > replicas) {
      const message = `each commit would wait for ${acknowledge} ${acknowledge === 1 ? 'replica' : 'replicas'}, but there can be only ${replicas}: name more peers, or lower it`;
      yield { path: ['services', service, 'postgres', 'replication', 'acknowledge'], message };
    }
    if (acknowledge > 0 && failover.minimum > replicas) {
      yield {
        path: ['services', service, 'failover', 'minimum'],
        message: `must be at most ${replicas}, the number of peers, not ${failover.minimum}`,
      };
    }
  }
}

/** Connections of a database that neither members nor its journal take: base backups, checks between members, a rejoin. */
const otherSendersMax = 4;
/** PostgreSQL's setting as an engine has it when nothing is written. */
const walSenders = 16;

function* synchronousJournals(config: HoldfastConfig): Iterable<Finding> {
  const others = config.peers.length;
  for (const [service, { backup, postgres }] of Object.entries(config.services)) {
    if (journalSettings(backup?.journal)?.sync !== true) continue;
    const path = ['services', service, 'backup', 'journal'];
    if (postgres === undefined) {
      yield { path, message: 'sync is for PostgreSQL: nothing else waits for a journal' };
      continue;
    }
    if (others > 0 && acknowledgeOf(config, service) === 0) {
      yield {
        path,
        message:
          'sync needs postgres.replication.acknowledge of at least 1 where there are other members: a failover would go on without commits that only the journal has',
      };
    }
    const senders = Number(postgres.parameters['max_wal_senders'] ?? walSenders);
    // Each other member may be a voter, which the journal has a connection to outweigh (rule.ts of the engine).
    const needed = others + Math.max(1, others) + otherSendersMax;
    if (needed > senders) {
      yield {
        path,
        message: `sync takes as many connections as there are other members: set max_wal_senders to at least ${needed}, not ${senders}`,
      };
    }
  }
}

function* duplicates(config: HoldfastConfig): Iterable<Finding> {
  yield* twice(config.peers.map(formatAddress), (index) => ['peers', index]);
  yield* twice(
    (config.security?.tokens ?? []).map(({ name }) => name),
    (index) => ['security', 'tokens', index, 'name'],
  );
}

function* twice(values: readonly string[], path: (index: number) => Path): Iterable<Finding> {
  for (const [index, value] of values.entries()) {
    if (values.indexOf(value) < index) yield { path: path(index), message: `'${value}' stands here a second time` };
  }
}

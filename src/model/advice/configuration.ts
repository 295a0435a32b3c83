import type { Design } from './design.ts';
import { minimumOf, placesOf, shortTime, storeMembers } from './design.ts';
import { locationsOf } from './keeping.ts';
import type { Requirements } from './schema.ts';
import { siteName } from './topology.ts';

/** `holdfast.yaml` of one node: plain data, in the notation of the file. */
export interface NodeConfiguration {
  readonly node: string;
  readonly configuration: Readonly<Record<string, unknown>>;
}

/** Networks for documentation, one for each place (RFC 5737). They are to be replaced. */
const networks = ['192.0.2', '198.51.100', '203.0.113'] as const;
const agentPort = 7400;

/** Hours between two runs, as the five fields of crontab(5); undefined where these can not say it. */
export function cronOf(hours: number): string | undefined {
  const minutes = Math.round(hours * 60);
  if (minutes < 60) return 60 % minutes === 0 ? `*/${minutes} * * * *` : undefined;
  if (hours === 1) return '0 * * * *';
  if (hours < 24) return 24 % hours === 0 ? `0 */${hours} * * *` : undefined;
  const known: Readonly<Record<number, string>> = {
    1: '0 3 * * *',
    7: '0 3 * * 0',
    30: '0 3 1 * *',
    90: '0 3 1 */3 *',
    180: '0 3 1 */6 *',
    365: '0 3 1 1 *',
  };
  return known[hours / 24];
}

/** The configuration of each member. Addresses, names of machines and buckets are examples; everything else is the design. */
export function configurationsOf(input: Requirements, design: Design): NodeConfiguration[] {
  const places = placesOf(design);
  const nodes = places.map((site, member) => ({
    name: `db${member + 1}`,
    site,
    host: hostOf(site, places.slice(0, member).filter((place) => place === site).length),
  }));
  return nodes.map(({ name, site, host }) => ({
    node: name,
    configuration: {
      cluster: input.service,
      node: { name, site: siteName(site), listen: `${host}:${agentPort}` },
      security: { ca: 'ca.pem', cert: `${name}.pem`, key: `${name}.key` },
      coordination: coordinationOf(design, nodes),
      ...(nodes.length > 1 ? { peers: nodes.filter((other) => other.name !== name).map((other) => `${other.host}:${agentPort}`) } : {}),
      services: { [input.service]: serviceOf(input, design, host) },
      locations: locationsFor(input, design),
      ...(design.drills === undefined
        ? {}
        : {
            drills: [{ restore: input.service, at: 'random', schedule: cronOf(design.drills)!.replace('0 3', '0 5'), checks: ['amcheck'] }],
          }),
    },
  }));
}

function hostOf(site: number, index: number): string {
  return `${networks[site]}.${index + 1}`;
}

/** The store runs beside the first members, and on witnesses where these are too few. */
function coordinationOf({ store, members, sites }: Design, nodes: readonly { readonly host: string }[]): Readonly<Record<string, unknown>> {
  if (store === 'embedded') return { embedded: '/var/lib/holdfast/coordination.db' };
  const hosts = nodes.slice(0, storeMembers).map(({ host }) => host);
  for (let witness = 0; hosts.length < storeMembers; witness++) hosts.push(`${networks[(members + witness) % sites]}.${10 + witness}`);
  if (store === 'etcd') return { etcd: { endpoints: hosts.map((host) => `http://${host}:2379`) } };
  return { zookeeper: { servers: hosts.map((host) => `${host}:2181`) } };
}

function serviceOf(input: Requirements, design: Design, host: string): Readonly<Record<string, unknown>> {
  const { availability, rto, rpo } = input.needs;
  const objectives = {
    ...(availability === undefined ? {} : { availability: `${Number((availability * 100).toPrecision(12))}%` }),
    ...(rto === undefined ? {} : { rto: shortTime(rto) }),
    ...(rpo === undefined ? {} : { rpo: shortTime(rpo) }),
  };
  const { members, acknowledge, copies, backup, journal } = design;
  return {
    ...(Object.keys(objectives).length > 0 ? { objectives } : {}),
    postgres: {
      data: `/var/lib/holdfast/${input.service}`,
      listen: `${host}:5432`,
      ...(members > 1 ? { replication: { acknowledge } } : {}),
    },
    router: { write: '0.0.0.0:6432', ...(members > 1 ? { read: '0.0.0.0:6433' } : {}) },
    ...(members > 1 ? { failover: { minimum: minimumOf(design) } } : {}),
    backup: {
      to: repositoryOf(input, copies),
      schedule: cronOf(backup)!,
      journal: shortTime(journal),
      keep: { last: 3, daily: 7, weekly: 4 },
    },
  };
}

/** The location that stands for all of them: the single one, or the combination. */
function repositoryOf(input: Requirements, copies: string): string {
  return input.catalogue.copies[copies]!.location ?? 'copies';
}

function locationsFor(input: Requirements, { copies }: Design): Readonly<Record<string, unknown>> {
  const way = input.catalogue.copies[copies]!;
  // Everything in the repository is encrypted with it.
  const password = '${HOLDFAST_REPOSITORY_PASSWORD}';
  const single = Object.fromEntries(
    locationsOf(way).map((name) => [name, { ...placeOf(name, input), ...(way.location === name ? { password } : {}) }] as const),
  );
  if (way.mirror) return { ...single, copies: { mirror: way.mirror, password } };
  return way.parity ? { ...single, copies: { parity: way.parity, password } } : single;
}

function placeOf(name: string, { service, catalogue }: Requirements): Readonly<Record<string, unknown>> {
  switch (catalogue.locations[name]!.kind) {
    case 'path':
      return { path: `/backup/${name}` };
    case 's3':
      return { s3: { bucket: `${service}-${name}`, region: 'eu-west-3' } };
    case 'sftp':
      return { sftp: { host: `${name}.example.net`, user: 'holdfast', path: `/${service}` } };
  }
}

import { randomBytes, randomInt } from 'node:crypto';
import { chmod, mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { dirname, join, resolve } from 'node:path';
import { formatConfig } from '../../config/format.ts';
import { HoldfastError } from '../../core/errors.ts';
import { createAuthorityFiles, createNodeFiles } from '../certificates.ts';

export const DEMO_SERVICE = 'orders';
const ROUTER = 'router';
const HOST = '127.0.0.1';
const PORT_MIN = 15_000;
const PORT_MAX = 32_000;
const PORT_TRIES_MAX = 1_000;

export interface DemoOptions {
  readonly directory: string;
  readonly nodes: number;
  /** embedded | etcd:URL[,URL…] | zookeeper:HOST:PORT[,…] */
  readonly coordination: string;
  readonly acknowledge: number;
  /** Addresses of as many hosts as there are nodes: each node has one to itself, and routes too. Absent: all on loopback, and one more that only routes. */
  readonly hosts?: readonly string[];
  /** Copies are made, in three locations of which any two are enough. */
  readonly copies?: boolean;
  /** Members without data get them from the copies, as of then: an ISO time. */
  readonly restoreTo?: string;
}

/** The three directories that stand for three sites, and the location that is made of them. */
const COPIES = ['copies1', 'copies2', 'copies3'] as const;
const COPIES_LOCATION = 'copies';

export interface DemoNode {
  readonly name: string;
  /** Address at which it listens. */
  readonly host: string;
  readonly configFile: string;
  readonly agentPort: number;
  /** Undefined on the node that only routes. */
  readonly databasePort: number | undefined;
}

export interface DemoLayout {
  readonly directory: string;
  readonly nodes: readonly DemoNode[];
  readonly caFile: string;
  readonly token: string;
  readonly password: string;
  readonly writePort: number;
  readonly readPort: number;
  /** Directories of the locations of copies; none when none are made. */
  readonly copies: readonly string[];
}

/** Makes, or completes, the directory of a demo: certificates, secrets, ports, one configuration per node. What is there already stays. */
export async function layOut(options: DemoOptions): Promise<DemoLayout> {
  const directory = resolve(options.directory);
  await mkdir(directory, { recursive: true });
  await requireTraversable(directory);
  const members = Array.from({ length: options.nodes }, (_, index) => `node${index + 1}`);
  const names = options.hosts === undefined ? [...members, ROUTER] : members;
  const hostOf = (name: string): string => options.hosts?.[members.indexOf(name)] ?? HOST;
  const token = await secret(join(directory, 'token'));
  const password = await secret(join(directory, 'password'));
  await certificates(directory, names, hostOf);
  const ports = await choosePorts(join(directory, 'ports.json'), [
    ...names.map((name) => `${name}.agent`),
    ...members.map((name) => `${name}.database`),
    'write',
    'read',
  ]);
  const copies = options.copies === true ? COPIES.map((name) => join(directory, name)) : [];
  for (const one of copies) await mkdir(one, { recursive: true, mode: 0o700 });
  if (copies.length > 0) await secret(join(directory, 'copies.password'));
  const nodes: DemoNode[] = [];
  for (const name of names) {
    const databasePort = members.includes(name) ? ports[`${name}.database`]! : undefined;
    const configFile = join(directory, name, 'holdfast.yaml');
    nodes.push({ name, host: hostOf(name), configFile, agentPort: ports[`${name}.agent`]!, databasePort });
  }
  for (const node of nodes) {
    await mkdir(dirname(node.configFile), { recursive: true });
    await writeFile(node.configFile, configOf(directory, node, nodes, ports, options), { mode: 0o600 });
  }
  return {
    directory,
    nodes,
    caFile: join(directory, 'tls', 'ca.pem'),
    token,
    password,
    writePort: ports['write']!,
    readPort: ports['read']!,
    copies,
  };
}

function configOf(
  directory: string,
  node: DemoNode,
  nodes: readonly DemoNode[],
  ports: Readonly<Record<string, number>>,
  options: DemoOptions,
): string {
  const isMember = node.databasePort !== undefined;
  const postgres = {
    data: join(directory, node.name, 'data'),
    listen: `${node.host}:${node.databasePort}`,
    superuser: { password: `file:${join(directory, 'password')}` },
    replication: { acknowledge: options.acknowledge },
  };
  const router = { write: `${node.host}:${ports['write']}`, read: `${node.host}:${ports['read']}` };
  return formatConfig({
    cluster: 'demo',
    node: { name: node.name, site: 'here', listen: `${node.host}:${node.agentPort}`, state: join(directory, node.name, 'state') },
    security: {
      ca: join(directory, 'tls', 'ca.pem'),
      cert: join(directory, 'tls', `${node.name}.pem`),
      key: join(directory, 'tls', `${node.name}.key`),
      tokens: [{ name: 'demo', role: 'admin', secret: `file:${join(directory, 'token')}` }],
    },
    coordination: coordinationOf(directory, options.coordination),
    peers: nodes.filter((other) => other !== node && other.databasePort !== undefined).map((other) => `${other.host}:${other.agentPort}`),
    services: {
      [DEMO_SERVICE]: {
        ...(isMember && { postgres }),
        ...((!isMember || options.hosts !== undefined) && { router }),
        ...(options.copies === true && { backup: { to: COPIES_LOCATION, schedule: '0 3 * * *', journal: '1s' } }),
        ...(isMember && options.restoreTo !== undefined && { bootstrap: { restore: { to: options.restoreTo } } }),
      },
    },
    ...(options.copies === true && { locations: locationsOf(directory) }),
  });
}

function locationsOf(directory: string): object {
  return {
    ...Object.fromEntries(COPIES.map((name) => [name, { path: join(directory, name) }])),
    [COPIES_LOCATION]: { parity: { data: 2, parity: 1, over: [...COPIES] }, password: `file:${join(directory, 'copies.password')}` },
  };
}

/** @throws CLI_BAD_COORDINATION */
function coordinationOf(directory: string, text: string): object {
  const [, kind, rest = ''] = /^(embedded|etcd|zookeeper)(?::(.*))?$/.exec(text) ?? [];
  const list = rest.split(',').filter((one) => one !== '');
  if (kind === 'embedded') return { embedded: rest === '' ? join(directory, 'coordination.sqlite') : resolve(rest), ttl: '3s' };
  if (kind === 'etcd' && list.length > 0)
    return { etcd: { endpoints: list.map((one) => (one.includes('://') ? one : `http://${one}`)) }, ttl: '3s' };
  if (kind === 'zookeeper' && list.length > 0) return { zookeeper: { servers: list }, ttl: '3s' };
  throw new HoldfastError('CLI_BAD_COORDINATION', `'${text}' names no coordination store`, {
    hint: 'Write embedded, etcd:http://HOST:PORT or zookeeper:HOST:PORT.',
  });
}

async function secret(file: string): Promise<string> {
  try {
    return (await readFile(file, 'utf8')).trim();
  } catch {
    const value = randomBytes(24).toString('hex');
    await writeFile(file, `${value}\n`, { mode: 0o600 });
    return value;
  }
}

async function certificates(directory: string, names: readonly string[], hostOf: (name: string) => string): Promise<void> {
  const folder = join(directory, 'tls');
  await mkdir(folder, { recursive: true });
  await chmod(folder, 0o700);
  const exists = async (file: string): Promise<boolean> =>
    stat(join(folder, file)).then(
      () => true,
      () => false,
    );
  if (!(await exists('ca.pem'))) await createAuthorityFiles(folder, { cluster: 'demo' });
  for (const node of names) {
    if (!(await exists(`${node}.pem`)))
      await createNodeFiles(folder, { authorityDirectory: folder, node, hosts: [...new Set([HOST, 'localhost', hostOf(node)])] });
  }
}

/**
 * The ports of the last run as far as they are still free, so that connection strings stay; others anew, side by side, and below those that the system
 * gives to outgoing connections: one of these could have the port of an agent that starts again.
 */
async function choosePorts(file: string, names: readonly string[]): Promise<Record<string, number>> {
  const before = await readFile(file, 'utf8').then(
    (text) => JSON.parse(text) as Record<string, number>,
    (): Record<string, number> => ({}),
  );
  const ports: Record<string, number> = {};
  let next = randomInt(PORT_MIN, PORT_MAX);
  for (const name of names) {
    const wanted = before[name];
    const used = new Set(Object.values(ports));
    let port = wanted !== undefined && !used.has(wanted) && (await isFree(wanted)) ? wanted : undefined;
    for (let tries = 0; port === undefined; tries++) {
      if (tries === PORT_TRIES_MAX)
        throw new HoldfastError('DEMO_NO_PORTS', `No free port was found between ${PORT_MIN} and ${PORT_MAX}`, {
          hint: 'End programs that listen there.',
        });
      next = next + 1 < PORT_MAX ? next + 1 : PORT_MIN;
      if (!used.has(next) && (await isFree(next))) port = next;
    }
    ports[name] = port;
  }
  await writeFile(file, `${JSON.stringify(ports)}\n`, { mode: 0o600 });
  return ports;
}

async function isFree(port: number): Promise<boolean> {
  return new Promise((done) => {
    const server = createServer();
    server.once('error', () => done(false));
    server.listen(port, HOST, () => server.close(() => done(true)));
  });
}

/** PostgreSQL runs as an unprivileged user when we are root: that user must be able to reach the directory. */
async function requireTraversable(directory: string): Promise<void> {
  if (process.getuid?.() !== 0) return;
  for (let at = directory; ; at = dirname(at)) {
    const { mode } = await stat(at);
    if ((mode & 0o001) === 0) {
      if (at === directory) {
        await chmod(at, mode | 0o011);
        continue;
      }
      throw new HoldfastError('CLI_DIRECTORY_CLOSED', `${at} can not be entered by the unprivileged user that PostgreSQL runs as`, {
        hint: 'Choose another --dir, for example one below /var/tmp.',
      });
    }
    if (at === dirname(at)) return;
  }
}

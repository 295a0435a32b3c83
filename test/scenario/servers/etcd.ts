import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import type { Clock } from '../../../src/core/clock.ts';
import { makeCertificates, type TestCertificates } from './certificates.ts';
import { freePorts, LOOPBACK, ServerProcess, type ServerPlace, within } from './server-process.ts';

const run = promisify(execFile);

/** How often a cluster is started on other ports when someone took one meanwhile. */
const STARTS_MAX = 5;
const READY_MS_MAX = 30_000;
const READY_POLL_MS = 50;
const ETCDCTL_MS_MAX = 15_000;

export interface EtcdOptions {
  /** Default 1. */
  readonly members?: 1 | 3;
  /** Clients need a certificate of the cluster's CA. */
  readonly tls?: boolean;
  /** User `holdfast` with password `secret`, who may read and write below /holdfast; `root` with password `root`. */
  readonly auth?: boolean;
  /** How long an authentication token is good for; used ones are good for longer. Default: etcd's 5 minutes. */
  readonly tokenTtlS?: number;
  /** Default 1000. The least TTL of a lease is 1.5 times it, rounded up to seconds. */
  readonly electionMs?: number;
  /** Where each member runs. Default: on loopback. */
  readonly places?: readonly ServerPlace[];
}

/** Whether etcd and etcdctl are installed. With HOLDFAST_REQUIRE=all their absence is an error. */
export function hasEtcd(): boolean {
  const directories = (process.env['PATH'] ?? '').split(delimiter);
  const found = ['etcd', 'etcdctl'].every((program) => directories.some((directory) => existsSync(join(directory, program))));
  if (!found && process.env['HOLDFAST_REQUIRE'] === 'all')
    throw new Error('etcd and etcdctl are required (HOLDFAST_REQUIRE=all) and not on PATH');
  return found;
}

/** Real etcd, of one member or three, in a directory of its own under the system's temporary one. */
export class EtcdCluster implements AsyncDisposable {
  readonly members: readonly EtcdMember[];
  readonly certificates: TestCertificates | undefined;
  readonly #directory: string;
  readonly #clock: Clock;
  #authenticated = false;

  private constructor(members: readonly EtcdMember[], certificates: TestCertificates | undefined, directory: string, clock: Clock) {
    this.members = members;
    this.certificates = certificates;
    this.#directory = directory;
    this.#clock = clock;
  }

  /** Resolves when all members are healthy. */
  static async start(clock: Clock, options: EtcdOptions = {}): Promise<EtcdCluster> {
    for (let starts = 1; ; starts += 1) {
      const directory = await mkdtemp(join(tmpdir(), 'holdfast-etcd-'));
      const certificates = options.tls === true ? await makeCertificates(directory) : undefined;
      const members = await describeMembers(directory, clock, options, certificates);
      const cluster = new EtcdCluster(members, certificates, directory, clock);
      try {
        for (const member of members) member.start();
        await cluster.ready();
        if (members.some((member) => !member.running)) throw new Error('a member of etcd ended by itself');
        if (options.auth === true) await cluster.#enableAuth();
        return cluster;
      } catch (error) {
        const portTaken = (await Promise.all(members.map((member) => member.log()))).some((log) => log.includes('address already in use'));
        await cluster[Symbol.asyncDispose]();
        if (!portTaken || starts === STARTS_MAX) throw error;
      }
    }
  }

  get endpoints(): string[] {
    return this.members.map((member) => member.url);
  }

  /** Resolves when every running member serves, with a leader. */
  async ready(): Promise<void> {
    const deadlineMs = this.#clock.monotonicMs() + READY_MS_MAX;
    for (;;) {
      const running = this.members.filter((member) => member.running);
      try {
        await this.etcdctl('--endpoints', running.map((member) => member.url).join(','), 'endpoint', 'health');
        return;
      } catch (error) {
        if (running.length === 0 || this.#clock.monotonicMs() > deadlineMs) throw error;
      }
      await this.#clock.sleep(READY_POLL_MS);
    }
  }

  /** The member that leads now; asks only those that can answer. */
  async leader(): Promise<EtcdMember> {
    const statuses = await this.#statuses();
    const leading = statuses.find((status) => status['MemberID'] === status['Leader']);
    const member = this.members.find(({ url }) => url === leading?.['Endpoint']);
    if (member === undefined) throw new Error('no member that answers leads');
    return member;
  }

  /** Makes another member the leader. Resolves with it when it leads. */
  async moveLeader(): Promise<EtcdMember> {
    const old = await this.leader();
    const heir = (await this.#statuses()).find((status) => status['Endpoint'] !== old.url);
    if (heir === undefined) throw new Error('there is no other member');
    await this.etcdctl('--endpoints', old.url, 'move-leader', BigInt(heir['MemberID']!).toString(16));
    const member = this.members.find(({ url }) => url === heir['Endpoint'])!;
    await this.ready();
    return member;
  }

  /** Forgets all changes up to now. */
  async compact(): Promise<void> {
    const revisions = (await this.#statuses()).map((status) => BigInt(status['Revision']!));
    await this.etcdctl('compact', String(revisions.reduce((a, b) => (a > b ? a : b))));
  }

  /** Runs etcdctl against the members that run; resolves with what it printed. */
  async etcdctl(...args: readonly string[]): Promise<string> {
    const running = this.members.filter((member) => member.running && !member.paused).map((member) => member.url);
    const endpoints = args.includes('--endpoints') ? [] : ['--endpoints', running.join(',')];
    const tls = this.certificates && [
      '--cacert',
      this.certificates.ca,
      '--cert',
      this.certificates.client.cert,
      '--key',
      this.certificates.client.key,
    ];
    const env = { ...process.env, ETCDCTL_API: '3', ...(this.#authenticated && { ETCDCTL_USER: 'root:root' }) };
    const { stdout } = await run('etcdctl', ['--dial-timeout', '2s', '--command-timeout', '5s', ...endpoints, ...(tls ?? []), ...args], {
      env,
      timeout: ETCDCTL_MS_MAX,
    });
    return stdout;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.members.map((member) => member.kill()));
    await rm(this.#directory, { recursive: true, force: true });
  }

  /** What each member that answers says of itself. Not as JSON, in which etcdctl rounds 64-bit numbers. */
  async #statuses(): Promise<Record<string, string>[]> {
    const output = await this.etcdctl('endpoint', 'status', '-w', 'fields');
    return output
      .trim()
      .split(/\n\s*\n/)
      .map((block) => Object.fromEntries([...block.matchAll(/^"([^"]+)" : "?([^"\n]*)"?$/gm)].map(([, name, value]) => [name!, value!])));
  }

  async #enableAuth(): Promise<void> {
    await this.etcdctl('role', 'add', 'root').catch(() => {});
    for (const command of [
      ['user', 'add', 'root:root'],
      ['user', 'grant-role', 'root', 'root'],
      ['role', 'add', 'holdfast'],
      ['role', 'grant-permission', '--prefix=true', 'holdfast', 'readwrite', '/holdfast'],
      ['user', 'add', 'holdfast:secret'],
      ['user', 'grant-role', 'holdfast', 'holdfast'],
      ['auth', 'enable'],
    ]) {
      await this.etcdctl(...command);
    }
    this.#authenticated = true;
  }
}

/** One etcd process and its data. */
export class EtcdMember extends ServerProcess {
  readonly name: string;
  /** Client URL. */
  readonly url: string;
  readonly port: number;
  /** Where the others reach it. */
  readonly peerPort: number;

  constructor(
    name: string,
    urls: { client: string; peer: string },
    place: ServerPlace,
    args: readonly string[],
    logFile: string,
    clock: Clock,
  ) {
    super({ ...within(place, 'etcd', args), logFile }, clock);
    this.name = name;
    this.url = urls.client;
    this.port = Number(new URL(urls.client).port);
    this.peerPort = Number(new URL(urls.peer).port);
  }

  /** Kills it and starts it again on the same data and ports. See `EtcdCluster.ready`. */
  async restart(): Promise<void> {
    await this.kill();
    this.start();
  }
}

async function describeMembers(
  directory: string,
  clock: Clock,
  options: EtcdOptions,
  certificates: TestCertificates | undefined,
): Promise<EtcdMember[]> {
  const names = Array.from({ length: options.members ?? 1 }, (_, n) => `m${n + 1}`);
  const ports = await freePorts(names.length * 2);
  const places = names.map((_, n) => options.places?.[n] ?? LOOPBACK);
  const peers = places.map(({ address }, n) => `http://${address}:${ports[2 * n + 1]}`);
  const electionMs = options.electionMs ?? 1000;
  return names.map((name, n) => {
    const url = `${certificates ? 'https' : 'http'}://${places[n]!.address}:${ports[2 * n]}`;
    const flags: Record<string, string> = {
      name,
      'data-dir': join(directory, name),
      logger: 'zap',
      'log-outputs': 'stderr',
      'log-level': 'warn',
      'listen-client-urls': url,
      'advertise-client-urls': url,
      'listen-peer-urls': peers[n]!,
      'initial-advertise-peer-urls': peers[n]!,
      'initial-cluster': names.map((other, m) => `${other}=${peers[m]}`).join(','),
      'initial-cluster-token': directory,
      'heartbeat-interval': String(electionMs / 10),
      'election-timeout': String(electionMs),
    };
    if (options.tokenTtlS !== undefined) flags['auth-token-ttl'] = String(options.tokenTtlS);
    if (certificates !== undefined) {
      const { server, ca } = certificates;
      Object.assign(flags, { 'cert-file': server.cert, 'key-file': server.key, 'trusted-ca-file': ca, 'client-cert-auth': 'true' });
    }
    const args = Object.entries(flags).map(([flag, value]) => `--${flag}=${value}`);
    return new EtcdMember(name, { client: url, peer: peers[n]! }, places[n]!, args, join(directory, `${name}.log`), clock);
  });
}

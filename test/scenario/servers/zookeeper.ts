import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import type { Clock } from '../../../src/core/clock.ts';
import { makeCertificates, type TestCertificates } from './certificates.ts';
import { freePorts, ServerProcess } from './server-process.ts';

const JAR = '/usr/share/java/zookeeper.jar';
/** Without it, ZooKeeper logs nothing. */
const LOGGING_JAR = '/usr/share/java/slf4j-simple.jar';
const LOG_SHOWN = 3_000;
/** How often an ensemble is started on other ports when someone took one meanwhile. */
const STARTS_MAX = 5;
const READY_MS_MAX = 40_000;
const READY_POLL_MS = 50;
const WORD_MS_MAX = 1_000;

export interface ZooKeeperOptions {
  /** Default 1: standalone. */
  readonly servers?: 1 | 3;
  /** Default 500. Sessions last at least two ticks. */
  readonly tickMs?: number;
  /** Ticks that a follower may be behind or silent before it is dropped, and after which it drops a silent leader. Default 3. */
  readonly syncLimit?: number;
  /** A second client port of each server, where clients need a certificate of the ensemble's CA. */
  readonly tls?: boolean;
  /** Four-letter words that are allowed. Default `srvr`, as ZooKeeper's own. */
  readonly words?: string;
  /** Whether the leader serves clients. Default true. */
  readonly leaderServes?: boolean;
  /** Further lines of zoo.cfg. */
  readonly extra?: readonly string[];
}

/** Whether Java and ZooKeeper (Debian's package `zookeeper`) are installed. With HOLDFAST_REQUIRE=all their absence is an error. */
export function hasZooKeeper(): boolean {
  const directories = (process.env['PATH'] ?? '').split(delimiter);
  const found = existsSync(JAR) && directories.some((directory) => existsSync(join(directory, 'java')));
  if (!found && process.env['HOLDFAST_REQUIRE'] === 'all') throw new Error(`java on PATH and ${JAR} are required (HOLDFAST_REQUIRE=all)`);
  return found;
}

/** Real ZooKeeper on loopback, one server or three, in a directory of its own under the system's temporary one. */
export class ZooKeeperEnsemble implements AsyncDisposable {
  readonly servers: readonly ZooKeeperServer[];
  readonly certificates: TestCertificates | undefined;
  readonly #directory: string;
  readonly #clock: Clock;

  private constructor(servers: readonly ZooKeeperServer[], certificates: TestCertificates | undefined, directory: string, clock: Clock) {
    this.servers = servers;
    this.certificates = certificates;
    this.#directory = directory;
    this.#clock = clock;
  }

  /** Resolves when all servers serve. */
  static async start(clock: Clock, options: ZooKeeperOptions = {}): Promise<ZooKeeperEnsemble> {
    for (let starts = 1; ; starts += 1) {
      const directory = await mkdtemp(join(tmpdir(), 'holdfast-zookeeper-'));
      const certificates = options.tls === true ? await makeCertificates(directory) : undefined;
      const servers = await makeServers(directory, clock, options, certificates);
      const ensemble = new ZooKeeperEnsemble(servers, certificates, directory, clock);
      try {
        for (const server of servers) server.process.start();
        await ensemble.ready();
        return ensemble;
      } catch (error) {
        const logs = await Promise.all(servers.map((server) => server.process.log()));
        await ensemble[Symbol.asyncDispose]();
        if (starts === STARTS_MAX || !logs.some((log) => log.includes('Address already in use'))) throw error;
      }
    }
  }

  /** `host:port` of each server. */
  get addresses(): string[] {
    return this.servers.map(({ port }) => `127.0.0.1:${port}`);
  }

  /** Resolves when all servers that run, and are not paused, serve. */
  async ready(): Promise<void> {
    const deadlineMs = this.#clock.monotonicMs() + READY_MS_MAX;
    for (;;) {
      const awaited = this.servers.filter(({ process }) => process.running && !process.paused);
      if (awaited.length === 0) throw new Error('no server runs');
      const modes = await Promise.all(awaited.map((server) => server.mode()));
      if (modes.every((mode) => mode !== undefined)) return;
      if (this.#clock.monotonicMs() > deadlineMs) throw await this.#silence(`not all servers serve: ${modes.join(', ')}`);
      await this.#clock.sleep(READY_POLL_MS);
    }
  }

  /** The server that leads now, of those that can answer; waits until there is one. */
  async leader(): Promise<ZooKeeperServer> {
    const deadlineMs = this.#clock.monotonicMs() + READY_MS_MAX;
    for (;;) {
      for (const server of this.servers)
        if (server.process.running && !server.process.paused && /leader|standalone/.test((await server.mode()) ?? '')) return server;
      if (this.#clock.monotonicMs() > deadlineMs) throw await this.#silence('no server leads');
      await this.#clock.sleep(READY_POLL_MS);
    }
  }

  async followers(): Promise<ZooKeeperServer[]> {
    const leader = await this.leader();
    return this.servers.filter((server) => server !== leader);
  }

  /** Kills the leader and starts it again once another leads. */
  async changeLeader(): Promise<void> {
    const old = await this.leader();
    await old.process.kill();
    await this.leader();
    old.process.start();
    await this.ready();
  }

  /** What the servers say of it. */
  async #silence(what: string): Promise<Error> {
    const logs = await Promise.all(
      this.servers.map(async ({ port, process }) => `--- ${port} ${process.running}\n${(await process.log()).slice(-LOG_SHOWN)}`),
    );
    return new Error(`${what}\n${logs.join('\n')}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.servers.map(({ process }) => process.kill()));
    await rm(this.#directory, { recursive: true, force: true });
  }
}

/** One server process and its data. */
export class ZooKeeperServer {
  readonly port: number;
  /** With `tls` only. */
  readonly securePort: number | undefined;
  readonly process: ServerProcess;
  readonly #clock: Clock;

  constructor(ports: { client: number; secure: number | undefined }, process: ServerProcess, clock: Clock) {
    this.port = ports.client;
    this.securePort = ports.secure;
    this.process = process;
    this.#clock = clock;
  }

  /** What it says that it is; undefined when it does not serve. */
  async mode(): Promise<string | undefined> {
    return /^Mode: (\S+)/m.exec(await this.ask('srvr'))?.[1];
  }

  /** Its answer to a four-letter word; what came of it, when it does not answer. */
  async ask(word: string): Promise<string> {
    const socket = connect(this.port, '127.0.0.1');
    using _limit = this.#clock.after(WORD_MS_MAX, () => socket.destroy());
    let answer = '';
    socket.on('error', () => {}).on('data', (chunk: Buffer) => (answer += chunk.toString()));
    socket.write(word);
    await once(socket, 'close').catch(() => {});
    return answer;
  }
}

async function makeServers(
  directory: string,
  clock: Clock,
  options: ZooKeeperOptions,
  certificates: TestCertificates | undefined,
): Promise<ZooKeeperServer[]> {
  const count = options.servers ?? 1;
  const ports = await freePorts(count * 4);
  const own = Array.from({ length: count }, (_, n) => ports.slice(4 * n, 4 * n + 4) as [number, number, number, number]);
  const members = own.map(([client, quorum, election], n) => `server.${n + 1}=127.0.0.1:${quorum}:${election};127.0.0.1:${client}`);
  return Promise.all(
    own.map(async ([client, , , secure], n) => {
      const home = join(directory, String(n + 1));
      await mkdir(home);
      await writeFile(join(home, 'myid'), `${n + 1}\n`);
      const where = count === 1 ? [`clientPort=${client}`, 'clientPortAddress=127.0.0.1'] : ['standaloneEnabled=false', ...members];
      const tls = certificates === undefined ? [] : await tlsLines(home, secure, certificates);
      await writeFile(join(home, 'zoo.cfg'), [...commonLines(home, options), ...where, ...tls, ...(options.extra ?? [])].join('\n'));
      const process = new ServerProcess(
        { program: 'java', args: javaArgs(join(home, 'zoo.cfg')), logFile: join(home, 'server.log'), cwd: home },
        clock,
      );
      return new ZooKeeperServer({ client, secure: certificates && secure }, process, clock);
    }),
  );
}

function commonLines(home: string, options: ZooKeeperOptions): string[] {
  return [
    `tickTime=${options.tickMs ?? 500}`,
    'initLimit=20',
    `syncLimit=${options.syncLimit ?? 3}`,
    `dataDir=${home}`,
    'maxSessionTimeout=60000',
    // All of a test's clients come from one address.
    'maxClientCnxns=0',
    'admin.enableServer=false',
    `4lw.commands.whitelist=${options.words ?? 'srvr'}`,
    `leaderServes=${options.leaderServes === false ? 'no' : 'yes'}`,
  ];
}

/** Netty is the only server side of ZooKeeper that speaks TLS. */
async function tlsLines(home: string, port: number, { ca, server }: TestCertificates): Promise<string[]> {
  const keyStore = join(home, 'key-store.pem');
  await writeFile(keyStore, (await readFile(server.key, 'utf8')) + (await readFile(server.cert, 'utf8')));
  return [
    'serverCnxnFactory=org.apache.zookeeper.server.NettyServerCnxnFactory',
    `secureClientPort=${port}`,
    'secureClientPortAddress=127.0.0.1',
    `ssl.keyStore.location=${keyStore}`,
    'ssl.keyStore.type=PEM',
    `ssl.trustStore.location=${ca}`,
    'ssl.trustStore.type=PEM',
    'ssl.hostnameVerification=false',
  ];
}

function javaArgs(configFile: string): string[] {
  // Small and quick to start; 1 MB of log file allocated at a time instead of 64.
  const jvm = [
    '-Xmx96m',
    '-Xss256k',
    '-XX:+UseSerialGC',
    '-XX:TieredStopAtLevel=1',
    '-Djava.net.preferIPv4Stack=true',
    '-Dzookeeper.preAllocSize=1024',
    '-Dzookeeper.cnxTimeout=1000',
    '-Dorg.slf4j.simpleLogger.showDateTime=true',
    '-Dorg.slf4j.simpleLogger.dateTimeFormat=HH:mm:ss.SSS',
  ];
  return [...jvm, '-cp', `${JAR}:${LOGGING_JAR}`, 'org.apache.zookeeper.server.quorum.QuorumPeerMain', configFile];
}

import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import type { Clock } from '../../../src/core/clock.ts';
import { makeCertificates, type TestCertificates } from './certificates.ts';
import type { CutProxy } from './cut-proxy.ts';
import { ServerProcess, within } from './server-process.ts';
import { JAR, type ServerFiles, writeServerFiles, type ZooKeeperOptions } from './zookeeper-files.ts';

export type { ZooKeeperOptions } from './zookeeper-files.ts';

const LOG_SHOWN = 3_000;
/** How often an ensemble is started on other ports when someone took one meanwhile. */
const STARTS_MAX = 5;
const READY_MS_MAX = 40_000;
const READY_POLL_MS = 50;
const WORD_MS_MAX = 1_000;

/** Whether Java and ZooKeeper (Debian's package `zookeeper`) are installed. With HOLDFAST_REQUIRE=all their absence is an error. */
export function hasZooKeeper(): boolean {
  const directories = (process.env['PATH'] ?? '').split(delimiter);
  const found = existsSync(JAR) && directories.some((directory) => existsSync(join(directory, 'java')));
  if (!found && process.env['HOLDFAST_REQUIRE'] === 'all') throw new Error(`java on PATH and ${JAR} are required (HOLDFAST_REQUIRE=all)`);
  return found;
}

/** Real ZooKeeper, one server or three, in a directory of its own under the system's temporary one. */
export class ZooKeeperEnsemble implements AsyncDisposable {
  readonly servers: readonly ZooKeeperServer[];
  readonly certificates: TestCertificates | undefined;
  /** With `thirdApart`: what the third server reaches the others through. */
  readonly thirdLinks: readonly CutProxy[];
  readonly #directory: string;
  readonly #options: ZooKeeperOptions;
  readonly #clock: Clock;

  private constructor(
    servers: readonly ZooKeeperServer[],
    thirdLinks: readonly CutProxy[],
    certificates: TestCertificates | undefined,
    directory: string,
    options: ZooKeeperOptions,
    clock: Clock,
  ) {
    this.servers = servers;
    this.thirdLinks = thirdLinks;
    this.certificates = certificates;
    this.#directory = directory;
    this.#options = options;
    this.#clock = clock;
  }

  /** Resolves when all servers serve. */
  static async start(clock: Clock, options: ZooKeeperOptions = {}): Promise<ZooKeeperEnsemble> {
    for (let starts = 1; ; starts += 1) {
      const directory = await mkdtemp(join(tmpdir(), 'holdfast-zookeeper-'));
      const certificates = options.tls === true ? await makeCertificates(directory) : undefined;
      const files = await writeServerFiles(directory, clock, options, certificates);
      const servers = files.servers.map((file) => {
        const command = { ...within(file.place, 'java', file.args), logFile: join(file.home, 'server.log'), cwd: file.home };
        return new ZooKeeperServer(file, new ServerProcess(command, clock), clock);
      });
      const ensemble = new ZooKeeperEnsemble(servers, files.thirdLinks, certificates, directory, options, clock);
      try {
        for (const server of servers.slice(0, 2)) server.process.start();
        // The first two make a quorum; who comes later follows.
        if (options.thirdApart === true) await ensemble.ready();
        for (const server of servers.slice(2)) server.process.start();
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
    return this.servers.map(({ address, port }) => `${address}:${port}`);
  }

  /** Resolves when all servers that run, and are not paused, serve. */
  async ready(): Promise<void> {
    const deadlineMs = this.#clock.monotonicMs() + READY_MS_MAX;
    for (;;) {
      const awaited = this.servers.filter(({ process }) => process.running && !process.paused);
      if (awaited.length === 0) throw new Error('no server runs');
      const modes = await Promise.all(awaited.map((server) => server.mode()));
      // A leader that serves no clients says nothing.
      const silent = modes.filter((mode) => mode === undefined).length;
      if (silent === 0 || (this.#options.leaderServes === false && silent === 1)) return;
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
      this.servers.map(
        async ({ port, process }) =>
          `--- ${port} ${process.running}\n${(await process.log()).replaceAll(/^.*Processing srvr command.*\n/gm, '').slice(-LOG_SHOWN)}`,
      ),
    );
    return new Error(`${what}\n${logs.join('\n')}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.servers.map(({ process }) => process.kill()));
    await Promise.all(this.thirdLinks.map((link) => link[Symbol.asyncDispose]()));
    await rm(this.#directory, { recursive: true, force: true });
  }
}

/** One server process and its data. */
export class ZooKeeperServer {
  readonly address: string;
  readonly port: number;
  /** With `tls` only. */
  readonly securePort: number | undefined;
  /** All that it listens on. */
  readonly ports: readonly number[];
  readonly process: ServerProcess;
  readonly #clock: Clock;

  constructor(files: ServerFiles, process: ServerProcess, clock: Clock) {
    this.address = files.place.address;
    this.port = files.clientPort;
    this.securePort = files.securePort;
    this.ports = files.ports;
    this.process = process;
    this.#clock = clock;
  }

  /** What it says that it is; undefined when it does not serve. */
  async mode(): Promise<string | undefined> {
    return /^Mode: (\S+)/m.exec(await this.ask('srvr'))?.[1];
  }

  /** Its answer to a four-letter word; what came of it, when it does not answer. */
  async ask(word: string): Promise<string> {
    const socket = connect(this.port, this.address);
    using _limit = this.#clock.after(WORD_MS_MAX, () => socket.destroy());
    let answer = '';
    socket.on('error', () => {}).on('data', (chunk: Buffer) => (answer += chunk.toString()));
    socket.write(word);
    await once(socket, 'close').catch(() => {});
    return answer;
  }
}

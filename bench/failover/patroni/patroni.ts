import { spawn, type ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { chown, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { freePorts, ServerProcess } from '../../../test/scenario/servers/server-process.ts';
import type { Account } from '../../../src/core/processes.ts';
import { createClock, createProcesses } from '../../../src/runtime/index.ts';
import type { Contender, RaceNode } from '../contender.ts';
import { haproxyConfiguration, patroniConfiguration, type PatroniTiming } from './configuration.ts';
import { PatroniRest } from './rest.ts';

const NODES = 3;
/** Its first leader begins with initdb, and the others copy from it. */
const FIRST_LEADER_MS_MAX = 120_000;

export interface PatroniOptions {
  readonly name: string;
  readonly directory: string;
  readonly etcd: readonly string[];
  readonly postgresBin: string;
  readonly timing: PatroniTiming;
  readonly synchronous: boolean;
  /** PostgreSQL refuses root. Absent: as this process. */
  readonly account: Account | undefined;
  readonly signal: AbortSignal;
}

interface PatroniNode extends RaceNode {
  readonly restPort: number;
  readonly directory: string;
}

/** Three Patroni nodes and the HAProxy in front of them; the etcd is its caller's. */
export class Patroni implements Contender {
  readonly name: string;
  readonly kind = 'patroni';
  readonly nodes: readonly PatroniNode[];
  readonly write: string;
  readonly #options: PatroniOptions;
  readonly #rest: PatroniRest;
  readonly #haproxy: ServerProcess;
  readonly #children = new Map<string, ChildProcess>();

  private constructor(options: PatroniOptions, nodes: readonly PatroniNode[], write: string, haproxy: ServerProcess) {
    this.name = options.name;
    this.nodes = nodes;
    this.write = write;
    this.#options = options;
    this.#haproxy = haproxy;
    this.#rest = new PatroniRest(nodes.map(({ name, restPort }) => ({ name, port: restPort })));
  }

  static async start(options: PatroniOptions): Promise<Patroni> {
    const ports = await freePorts(NODES * 2 + 1);
    const password = randomBytes(16).toString('hex');
    const url = (port: number): string => `postgresql://postgres:${password}@127.0.0.1:${port}/postgres`;
    const nodes = Array.from({ length: NODES }, (_, index): PatroniNode => {
      const directory = join(options.directory, `node${index + 1}`);
      const [databasePort, restPort] = [ports[2 * index]!, ports[2 * index + 1]!];
      return {
        name: `node${index + 1}`,
        directory,
        dataDirectory: join(directory, 'data'),
        databasePort,
        restPort,
        connection: url(databasePort),
      };
    });
    for (const node of nodes) {
      await mkdir(node.directory, { recursive: true, mode: 0o700 });
      const file = join(node.directory, 'patroni.yml');
      const scope = options.name.replaceAll(' ', '-');
      await writeFile(file, JSON.stringify(patroniConfiguration({ ...options, ...node, scope, password })), { mode: 0o600 });
      if (options.account !== undefined)
        for (const path of [node.directory, file]) await chown(path, options.account.uid, options.account.gid);
    }
    const [proxyPort, proxyFile] = [ports.at(-1)!, join(options.directory, 'haproxy.cfg')];
    await writeFile(proxyFile, haproxyConfiguration(proxyPort, nodes));
    const haproxy = new ServerProcess(
      { program: 'haproxy', args: ['-db', '-f', proxyFile], logFile: join(options.directory, 'haproxy.log') },
      createClock(),
    );
    const patroni = new Patroni(options, nodes, url(proxyPort), haproxy);
    await using stack = new AsyncDisposableStack();
    stack.use(patroni);
    await patroni.#begin();
    stack.move();
    return patroni;
  }

  /** Its first node alone makes the first data: who leads at first is the same in every race. */
  async #begin(): Promise<void> {
    const clock = createClock();
    await this.startAgent(this.nodes[0]!.name);
    const deadlineMs = clock.monotonicMs() + FIRST_LEADER_MS_MAX;
    while ((await this.leader()) === undefined) {
      if (clock.monotonicMs() > deadlineMs)
        throw new Error(`${this.name} had no leader after ${FIRST_LEADER_MS_MAX / 1_000} s: see ${this.#options.directory}`);
      await clock.sleep(200, this.#options.signal);
    }
    for (const node of this.nodes.slice(1)) await this.startAgent(node.name);
    this.#haproxy.start();
  }

  async leader(): Promise<string | undefined> {
    return (await this.#rest.members()).find((member) => member.role === 'leader')?.name;
  }

  async isWhole(): Promise<boolean> {
    const members = await this.#rest.members();
    const wanted = this.#options.synchronous ? 1 : 0;
    const synchronous = members.filter((member) => member.role === 'sync_standby').length;
    const running = members.filter((member) => ['running', 'streaming'].includes(member.state));
    return running.length === NODES && new Set(members.map((member) => member.timeline)).size === 1 && synchronous >= wanted;
  }

  async agentPids(node: string): Promise<number[]> {
    return [this.#children.get(node)!.pid!];
  }

  async startAgent(name: string): Promise<void> {
    const { directory } = this.nodes.find((node) => node.name === name)!;
    const { account } = this.#options;
    const log = openSync(join(directory, 'patroni.log'), 'a');
    const child = spawn('patroni', [join(directory, 'patroni.yml')], {
      cwd: directory,
      stdio: ['ignore', log, log],
      detached: true,
      env: { PATH: process.env['PATH'], HOME: directory, LANG: 'C.UTF-8' },
      ...(account !== undefined && { uid: account.uid, gid: account.gid }),
    });
    closeSync(log);
    await once(child, 'spawn');
    this.#children.set(name, child);
  }

  async switchover(signal: AbortSignal): Promise<void> {
    const leader = await this.leader();
    if (leader === undefined) throw new Error(`${this.name} has no leader to switch over from`);
    await this.#rest.switchover(leader, signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const processes = createProcesses();
    await this.#haproxy.kill();
    for (const [name, child] of this.#children) {
      const { dataDirectory } = this.nodes.find((node) => node.name === name)!;
      if (child.exitCode === null && child.signalCode === null) {
        const closed = once(child, 'close');
        child.kill('SIGKILL');
        await closed;
      }
      for (const identity of processes.withWorkingDirectory(dataDirectory)) processes.kill(identity, 'SIGKILL');
    }
  }
}

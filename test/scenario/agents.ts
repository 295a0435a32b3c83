import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { dirname, join } from 'node:path';
import pg from 'pg';
import { parse, stringify } from 'yaml';
import { layOut, type DemoLayout, type DemoNode } from '../../src/agent/demo/layout.ts';
import type { ClusterStatus, MemberStatus, ServiceStatus } from '../../src/api/schema.ts';
import { openClient, type Client } from '../../src/client/client.ts';

const PROGRAM = new URL('../../bin/holdfast.mjs', import.meta.url).pathname;

/** holdfast.yaml as written, as far as tests change it. */
export interface Configuration {
  services: Record<string, Record<string, unknown>>;
  [key: string]: unknown;
}

/** What an agent is run by, in front of its own command, and with; `program`: another `holdfast.mjs` than that of the sources. */
export type AgentRun = (node: DemoNode) => { command?: readonly string[]; env?: Readonly<Record<string, string>>; program?: string };

const STATUS_MS_MAX = 2_000;
const ANSWERS_MS_MAX = 30_000;
/** Of several that are asked at once, some may be cut off. */
const STATUS_OF_MANY_MS_MAX = 500;

/** Agents as processes of their own that nobody restarts: what a fault does to them stays until the test says otherwise. */
export class Agents implements AsyncDisposable {
  readonly layout: DemoLayout;
  readonly #children = new Map<string, ChildProcess>();
  readonly #clients = new Map<string, Client>();
  readonly #ca: string;
  readonly #run: AgentRun;

  private constructor(layout: DemoLayout, ca: string, run: AgentRun) {
    this.layout = layout;
    this.#ca = ca;
    this.#run = run;
  }

  static async start(options: {
    directory: string;
    nodes?: number;
    coordination?: string;
    acknowledge?: number;
    /** Changes a node's configuration before its agent reads it. */
    configure?: (config: Configuration, node: DemoNode) => void;
    /** Addresses of as many hosts as there are nodes. Default: all on loopback, and a node that only routes. */
    hosts?: readonly string[];
    run?: AgentRun;
  }): Promise<Agents> {
    const nodes = options.nodes ?? 3;
    const layout = await layOut({
      directory: options.directory,
      nodes,
      coordination: options.coordination ?? 'embedded',
      acknowledge: options.acknowledge ?? (nodes >= 3 ? 1 : 0),
      ...(options.hosts !== undefined && { hosts: options.hosts }),
    });
    for (const node of options.configure === undefined ? [] : layout.nodes) {
      const config = parse(await readFile(node.configFile, 'utf8')) as Configuration;
      options.configure!(config, node);
      await writeFile(node.configFile, stringify(config));
    }
    const agents = new Agents(layout, await readFile(layout.caFile, 'utf8'), options.run ?? (() => ({})));
    for (const node of layout.nodes) agents.startAgent(node.name);
    return agents;
  }

  node(name: string): DemoNode {
    return this.layout.nodes.find((node) => node.name === name)!;
  }

  get members(): readonly DemoNode[] {
    return this.layout.nodes.filter((node) => node.databasePort !== undefined);
  }

  startAgent(name: string): void {
    const node = this.node(name);
    const { command = [], env, program: main = PROGRAM } = this.#run(node);
    const [program, ...args] = [...command, process.execPath, main, 'agent', '--config', node.configFile];
    const child = spawn(program, args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
      ...(env !== undefined && { env: { ...process.env, ...env } }),
    });
    const log = join(dirname(node.configFile), 'agent.log');
    child.stdout.on('data', (chunk: Buffer) => appendFileSync(log, chunk));
    child.stderr.on('data', (chunk: Buffer) => appendFileSync(log, chunk));
    this.#children.set(name, child);
  }

  agent(name: string): ChildProcess {
    return this.#children.get(name)!;
  }

  /** Signals an agent, and where that ends it, waits for it. */
  async signal(name: string, signal: NodeJS.Signals): Promise<void> {
    const child = this.agent(name);
    const ends = signal !== 'SIGSTOP' && signal !== 'SIGCONT';
    const closed = ends && child.exitCode === null && child.signalCode === null ? once(child, 'close') : undefined;
    child.kill(signal);
    await closed;
  }

  client(name: string): Client {
    let client = this.#clients.get(name);
    if (client === undefined) {
      client = openClient({ url: `https://${this.node(name).host}:${this.node(name).agentPort}`, ca: this.#ca, token: this.layout.token });
      this.#clients.set(name, client);
    }
    return client;
  }

  /** As one node sees it. Default: the one that only routes, which is never a target of faults; else who knows of the latest term. */
  async status(by?: string): Promise<ServiceStatus | undefined> {
    const members = this.members.map((node) => node.name);
    const asked = by !== undefined ? [by] : this.layout.nodes.some((node) => node.name === 'router') ? ['router'] : members;
    const limitMs = asked.length > 1 ? STATUS_OF_MANY_MS_MAX : STATUS_MS_MAX;
    const answers: (ClusterStatus | undefined)[] = await Promise.all(
      asked.map((name) =>
        this.client(name)
          .status({ signal: AbortSignal.timeout(limitMs) })
          .catch(() => undefined),
      ),
    );
    return answers
      .map((answer) => answer?.services[0])
      .filter((service) => service !== undefined)
      .toSorted((a, b) => b.term - a.term || Number(b.leader !== null) - Number(a.leader !== null))[0];
  }

  async until(
    what: string,
    reached: (service: ServiceStatus) => boolean,
    options: { timeoutMs?: number; by?: string } = {},
  ): Promise<ServiceStatus> {
    let last: ServiceStatus | undefined;
    for (const end = performance.now() + (options.timeoutMs ?? 60_000); performance.now() < end; await sleep(50)) {
      last = await this.status(options.by);
      if (last !== undefined && reached(last)) return last;
    }
    throw new Error(`not reached in time: ${what}; the last status was ${JSON.stringify(last, null, 1)}\n${await this.logs()}`);
  }

  /** A leader, everybody else streaming and counted. */
  async whole(timeoutMs = 60_000): Promise<ServiceStatus> {
    const others = this.members.length - 1;
    return this.until(
      'whole',
      (service) =>
        service.leader !== null &&
        service.members.filter((member) => member.state === 'streaming').length === others &&
        service.roster.length === 1 &&
        (service.roster[0]!.k === 0 || service.roster[0]!.voters.length === others),
      { timeoutMs },
    );
  }

  member(service: ServiceStatus, name: string): MemberStatus {
    return service.members.find((member) => member.node === name)!;
  }

  /** Straight to a member's database, past the router. */
  connection(name: string): string {
    return `postgresql://postgres:${this.layout.password}@${this.node(name).host}:${this.node(name).databasePort}/postgres`;
  }

  /** Through the router of a node that routes. */
  routed(name: string): string {
    return `postgresql://postgres:${this.layout.password}@${this.node(name).host}:${this.layout.writePort}/postgres`;
  }

  get write(): string {
    return this.routed('router');
  }

  /** Before that a signal would end it as it is, and leave its database behind. One that does not come up has ended, or said why not. */
  async #answers(name: string): Promise<void> {
    const child = this.agent(name);
    for (const end = performance.now() + ANSWERS_MS_MAX; performance.now() < end && child.exitCode === null; await sleep(50))
      if ((await this.status(name)) !== undefined) return;
  }

  async logs(): Promise<string> {
    const texts = await Promise.all(
      this.layout.nodes.map(async (node) => {
        const text = await readFile(join(dirname(node.configFile), 'agent.log'), 'utf8').catch(() => '');
        return `--- ${node.name}\n${text.split('\n').slice(-25).join('\n')}`;
      }),
    );
    return texts.join('\n');
  }

  /** Lets go of agents that were, or will be, ended by other means. */
  async abandon(): Promise<void> {
    for (const client of this.#clients.values()) await client[Symbol.asyncDispose]();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(
      [...this.#children].map(async ([name, child]) => {
        if (child.exitCode !== null || child.signalCode !== null) {
          // Its database and guard may have survived it: an agent that adopts them also stops them.
          this.startAgent(name);
          await this.#answers(name);
        }
        this.agent(name).kill('SIGCONT');
        await this.signal(name, 'SIGINT');
      }),
    );
    await this.abandon();
  }
}

/** One query on a connection of its own. */
export async function query<T extends pg.QueryResultRow>(
  connection: string,
  sql: string,
  values: unknown[] = [],
  timeoutMs = 10_000,
): Promise<T[]> {
  const client = new pg.Client({ connectionString: connection, connectionTimeoutMillis: timeoutMs, query_timeout: timeoutMs });
  client.on('error', () => {});
  try {
    await client.connect();
    return (await client.query<T>(sql, values)).rows;
  } finally {
    void client.end().catch(() => {});
  }
}

/** Writes numbered rows one after the other on one connection to one database, whatever happens, and remembers when each was acknowledged. */
export class DirectWriter implements AsyncDisposable {
  readonly acked = new Map<number, number>();
  readonly #connection: string;
  readonly #first: number;
  #stopped = false;
  #done: Promise<void> = Promise.resolve();

  constructor(connection: string, first: number) {
    this.#connection = connection;
    this.#first = first;
  }

  start(): void {
    this.#done = this.#write();
  }

  get lastAckMs(): number {
    return Math.max(0, ...this.acked.values());
  }

  get firstAckMs(): number {
    return Math.min(Infinity, ...this.acked.values());
  }

  async #write(): Promise<void> {
    let client: pg.Client | undefined;
    for (let id = this.#first; !this.#stopped; id++) {
      try {
        if (client === undefined) {
          client = new pg.Client({ connectionString: this.#connection, connectionTimeoutMillis: 1_000, query_timeout: 2_000 });
          client.on('error', () => {});
          await client.connect();
        }
        await client.query('insert into held values ($1)', [id]);
        this.acked.set(id, performance.now());
      } catch {
        void client?.end().catch(() => {});
        client = undefined;
        await sleep(10);
      }
    }
    void client?.end().catch(() => {});
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopped = true;
    await this.#done;
  }
}

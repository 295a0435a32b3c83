import { readFile, rename, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { ClusterStatus, ServiceStatus } from '../../api/schema.ts';
import { openClient, type Client } from '../../client/client.ts';
import { deadline } from '../../core/deadline.ts';
import { HoldfastError } from '../../core/errors.ts';
import type { Processes } from '../../core/processes.ts';
import type { Runtime } from '../../core/runtime.ts';
import { DEMO_SERVICE, layOut, type DemoLayout, type DemoOptions } from './layout.ts';
import { Supervisor } from './supervisor.ts';

const POLL_MS = 50;
const REQUEST_MS = 1_000;

/** A whole cluster on this machine: three agents with a database each, and one that only routes. */
export class DemoCluster implements AsyncDisposable {
  readonly layout: DemoLayout;
  readonly #options: DemoOptions;
  readonly #runtime: Runtime;
  readonly #supervisor: Supervisor;
  readonly #clients: readonly Client[];
  #written = '';

  private constructor(options: DemoOptions, layout: DemoLayout, supervisor: Supervisor, clients: readonly Client[], runtime: Runtime) {
    this.#options = options;
    this.layout = layout;
    this.#supervisor = supervisor;
    this.#clients = clients;
    this.#runtime = runtime;
  }

  static async open(options: DemoOptions, program: readonly string[], runtime: Runtime): Promise<DemoCluster> {
    const layout = await layOut(options);
    const ca = await readFile(layout.caFile, 'utf8');
    const supervisor = new Supervisor(layout.nodes, program, runtime);
    // The node that only routes comes first: no fault of the demo touches it.
    const order = layout.nodes.toSorted((a, b) => Number(a.databasePort !== undefined) - Number(b.databasePort !== undefined));
    const clients = order.map((node) => openClient({ url: `https://127.0.0.1:${node.agentPort}`, ca, token: layout.token }));
    const cluster = new DemoCluster(options, layout, supervisor, clients, runtime);
    await supervisor.start();
    return cluster;
  }

  get writeConnection(): string {
    return this.#connection(this.layout.writePort);
  }

  get readConnection(): string {
    return this.#connection(this.layout.readPort);
  }

  #connection(port: number): string {
    return `postgresql://postgres:${this.layout.password}@127.0.0.1:${port}/postgres`;
  }

  /** A client of the first agent that answers. */
  async client(): Promise<Client> {
    for (const client of this.#clients) {
      try {
        await this.#ask(client);
        return client;
      } catch {
        // The next one may answer.
      }
    }
    throw new HoldfastError('API_UNREACHABLE', 'No agent of the demo answers', { retryable: true });
  }

  /** Ends every agent, guard and database at once. */
  async powerOff(processes: Processes): Promise<void> {
    const service = await this.status();
    const guards = (service?.members ?? []).flatMap(({ pids }) => (pids.guard === undefined ? [] : [processes.identify(pids.guard)]));
    await this.#supervisor.powerOff();
    const databases = this.members.flatMap(({ data }) => processes.withWorkingDirectory(data));
    for (const identity of [...guards, ...databases]) if (identity !== undefined) processes.kill(identity, 'SIGKILL');
  }

  /** Starts all agents again; members without data get them from the copies, as of then. */
  async powerOn(restoreTo: string): Promise<void> {
    await layOut({ ...this.#options, restoreTo });
    this.#supervisor.powerOn();
  }

  /** The nodes that have a database. */
  get members(): readonly { readonly name: string; readonly data: string; readonly state: string }[] {
    return this.layout.nodes.flatMap(({ name, configFile, databasePort }) =>
      databasePort === undefined ? [] : [{ name, data: join(dirname(configFile), 'data'), state: join(dirname(configFile), 'state') }],
    );
  }

  async status(): Promise<ServiceStatus | undefined> {
    for (const client of this.#clients) {
      const status: ClusterStatus | undefined = await this.#ask(client).catch(() => undefined);
      const service = status?.services.find((one) => one.service === DEMO_SERVICE);
      if (service !== undefined) return service;
    }
    return undefined;
  }

  async #ask(client: Client): Promise<ClusterStatus> {
    using limit = deadline(this.#runtime.clock, REQUEST_MS, () => new Error(`no answer within ${REQUEST_MS} ms`));
    return await client.status({ signal: limit.signal });
  }

  /**
   * Waits for a state of the service.
   * @throws DEMO_NOT_READY with the last state, when it does not come in time
   */
  async until(what: string, reached: (service: ServiceStatus) => boolean, timeoutMs: number, signal?: AbortSignal): Promise<ServiceStatus> {
    const untilMs = this.#runtime.clock.monotonicMs() + timeoutMs;
    let last: ServiceStatus | undefined;
    for (;;) {
      signal?.throwIfAborted();
      this.#supervisor.assertRunning();
      last = await this.status();
      if (last !== undefined && reached(last)) return last;
      if (this.#runtime.clock.monotonicMs() > untilMs) {
        const states = last?.members
          .map((member) => `${member.node} ${member.state}${member.detail ? ` (${member.detail})` : ''}`)
          .join('; ');
        throw new HoldfastError(
          'DEMO_NOT_READY',
          `The cluster is not ${what} after ${timeoutMs / 1000} s: ${states ?? 'no agent answers'}`,
          {
            hint: `See the agents' logs in ${this.layout.directory}/node*/agent.log.`,
          },
        );
      }
      await this.#runtime.clock.sleep(POLL_MS, signal);
    }
  }

  /** Everything as it should be: a leader, all others streaming and counted in commits. */
  isWhole(service: ServiceStatus): boolean {
    const members = this.layout.nodes.filter((node) => node.databasePort !== undefined);
    const replicas = service.members.filter((member) => member.role === 'replica' && member.state === 'streaming');
    const target = service.roster.length === 1 ? service.roster[0]! : undefined;
    const counted = target !== undefined && (target.k === 0 || target.voters.length === members.length - 1);
    const routed = service.routers.some((router) => router.term === service.term);
    return (
      service.leader !== null &&
      replicas.length === members.length - 1 &&
      counted &&
      routed &&
      service.members.every((member) => member.pids.guard !== undefined || member.role !== 'primary')
    );
  }

  /** Writes `demo.json` for other programs: whom to connect to, and what runs. Readable by its owner alone: it has passwords in it. */
  async writeFacts(service: ServiceStatus): Promise<void> {
    const members = service.members.map((member) => ({
      name: member.node,
      role: member.role,
      connection: `postgresql://postgres:${this.layout.password}@${member.address}/postgres`,
      api: `https://${member.agentAddress}`,
      pids: { agent: member.pids.agent, guard: member.pids.guard, postmaster: member.pids.database },
    }));
    const facts = {
      cluster: 'demo',
      service: DEMO_SERVICE,
      write: this.writeConnection,
      read: this.readConnection,
      members,
      token: this.layout.token,
      ca: this.layout.caFile,
    };
    const text = `${JSON.stringify(facts, null, 2)}\n`;
    if (text === this.#written) return;
    const file = join(this.layout.directory, 'demo.json');
    await writeFile(`${file}.tmp`, text, { mode: 0o600 });
    await rename(`${file}.tmp`, file);
    this.#written = text;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const client of this.#clients) await client[Symbol.asyncDispose]();
    await this.#supervisor[Symbol.asyncDispose]();
  }
}

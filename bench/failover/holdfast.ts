import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { Agents, type Configuration } from '../../test/scenario/agents.ts';
import { EtcdCluster } from '../../test/scenario/servers/etcd.ts';
import { createClock } from '../../src/runtime/index.ts';
import type { Contender, EventName, Explanation, RaceNode } from './contender.ts';
import { readTraces } from './holdfast-traces.ts';

const SERVICE = 'orders';

export interface HoldfastOptions {
  readonly directory: string;
  /** `holdfast.mjs` of the built package. */
  readonly program: string;
  readonly postgresBin: string;
  readonly etcdMembers: 1 | 3;
}

/** Three agents with a database each, one more that only routes, and etcd: everything as `holdfast.yaml` has it when nothing is said. */
export class Holdfast implements Contender {
  readonly name = 'holdfast';
  readonly kind = 'holdfast';
  readonly nodes: readonly RaceNode[];
  readonly #agents: Agents;
  readonly #etcd: EtcdCluster;

  private constructor(agents: Agents, etcd: EtcdCluster) {
    this.#agents = agents;
    this.#etcd = etcd;
    this.nodes = agents.members.map((node) => ({
      name: node.name,
      databasePort: node.databasePort!,
      dataDirectory: join(agents.layout.directory, node.name, 'data'),
      connection: agents.connection(node.name),
    }));
  }

  static async start(options: HoldfastOptions): Promise<Holdfast> {
    await using stack = new AsyncDisposableStack();
    const etcd = stack.use(await EtcdCluster.start(createClock(), { members: options.etcdMembers }));
    await mkdir(options.directory, { recursive: true });
    const agents = stack.use(
      await Agents.start({
        directory: options.directory,
        coordination: `etcd:${etcd.endpoints.join(',')}`,
        configure: (config) => production(config, options.postgresBin),
        run: () => ({ program: options.program }),
      }),
    );
    const holdfast = new Holdfast(agents, etcd);
    stack.move();
    return holdfast;
  }

  get write(): string {
    return this.#agents.write;
  }

  async leader(): Promise<string | undefined> {
    return (await this.#agents.status())?.leader ?? undefined;
  }

  async isWhole(): Promise<boolean> {
    const service = await this.#agents.status();
    if (service === undefined || service.leader === null || service.roster.length !== 1) return false;
    const replicas = service.members.filter((member) => member.role === 'replica' && member.state === 'streaming');
    const routed = service.routers.every((router) => router.term === service.term);
    return replicas.length === this.nodes.length - 1 && service.roster[0]!.voters.length === this.nodes.length - 1 && routed;
  }

  async agentPids(node: string): Promise<number[]> {
    const service = await this.#agents.status();
    const pids = service === undefined ? undefined : this.#agents.member(service, node).pids;
    return [pids?.agent ?? this.#agents.agent(node).pid, pids?.guard].filter((pid) => pid !== undefined);
  }

  async startAgent(node: string): Promise<void> {
    this.#agents.startAgent(node);
  }

  async switchover(signal: AbortSignal): Promise<void> {
    await this.#agents.client('router').switchover(SERVICE, {}, { signal });
  }

  async explain(event: EventName, fromMs: number): Promise<Explanation> {
    const names = this.nodes.map((node) => node.name);
    const clients = names.map((name) => this.#agents.client(name));
    return await readTraces(event, fromMs, { directory: this.#agents.layout.directory, nodes: names, service: SERVICE, clients });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#agents[Symbol.asyncDispose]();
    await this.#etcd[Symbol.asyncDispose]();
  }
}

/** Takes out what the layout of demos and tests sets otherwise than an operator would. */
function production(config: Configuration, postgresBin: string): void {
  delete (config['coordination'] as Record<string, unknown>)['ttl'];
  const postgres = config.services[SERVICE]?.['postgres'] as Record<string, unknown> | undefined;
  if (postgres === undefined) return;
  postgres['bin'] = postgresBin;
  delete postgres['replication'];
}

import { randomBytes } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Agents, type Configuration } from '../../test/scenario/agents.ts';
import { EtcdCluster } from '../../test/scenario/servers/etcd.ts';
import { Pgbouncer } from '../../test/scenario/servers/pgbouncer.ts';
import { freePorts } from '../../test/scenario/servers/server-process.ts';
import { createClock } from '../../src/runtime/index.ts';
import type { Contender, EventName, Explanation, RaceNode } from './contender.ts';
import { readTraces } from './holdfast-traces.ts';

const SERVICE = 'orders';
const FIRST_WHOLE_MS_MAX = 120_000;

export interface HoldfastOptions {
  readonly directory: string;
  /** `holdfast.mjs` of the built package. */
  readonly program: string;
  readonly postgresBin: string;
  readonly etcdMembers: 1 | 3;
  /** Clients come through a PgBouncer that the agents drive, instead of the built-in router. */
  readonly pgbouncer?: boolean;
}

/** Three agents with a database each, one more that only routes, and etcd: everything as `holdfast.yaml` has it when nothing is said. */
export class Holdfast implements Contender {
  readonly name: string;
  readonly kind = 'holdfast';
  readonly nodes: readonly RaceNode[];
  readonly #agents: Agents;
  readonly #stack: AsyncDisposableStack;
  readonly write: string;

  private constructor(agents: Agents, pgbouncer: Pgbouncer | undefined, stack: AsyncDisposableStack) {
    this.name = pgbouncer === undefined ? 'holdfast' : 'holdfast behind PgBouncer';
    this.write = pgbouncer?.connection(SERVICE) ?? agents.write;
    this.#agents = agents;
    this.#stack = stack;
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
    const pgbouncer = options.pgbouncer === true ? stack.use(await preparePgbouncer(options.directory)) : undefined;
    const agents = stack.use(
      await Agents.start({
        directory: options.directory,
        coordination: `etcd:${etcd.endpoints.join(',')}`,
        configure: (config, node) => {
          production(config, options.postgresBin);
          if (node.databasePort === undefined && pgbouncer !== undefined) throughPgbouncer(config, pgbouncer);
        },
        run: () => ({ program: options.program }),
      }),
    );
    if (pgbouncer !== undefined) {
      // It would not start without the file that the agent writes for it.
      await agents.whole(FIRST_WHOLE_MS_MAX);
      await pgbouncer.start();
    }
    return new Holdfast(agents, pgbouncer, stack.move());
  }

  async leader(): Promise<string | undefined> {
    return (await this.#agents.status())?.leader ?? undefined;
  }

  async isWhole(): Promise<boolean> {
    const service = await this.#agents.status();
    if (service === undefined || service.leader === null || service.roster.length !== 1) return false;
    const replicas = service.members.filter((member) => member.role === 'replica' && member.state === 'streaming');
    const routed = service.routers.every((router) => router.term === service.term && router.problem === undefined && !router.holding);
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
    await this.#stack.disposeAsync();
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

async function preparePgbouncer(directory: string): Promise<Pgbouncer> {
  const [port] = await freePorts(1);
  // The cluster takes the password that it finds.
  const password = randomBytes(16).toString('hex');
  await writeFile(join(directory, 'password'), `${password}\n`, { mode: 0o600 });
  return await Pgbouncer.prepare(join(directory, 'pgbouncer'), port!, password);
}

function throughPgbouncer(config: Configuration, { port, file, consolePasswordFile }: Pgbouncer): void {
  const pgbouncer = { console: `127.0.0.1:${port}`, password: `file:${consolePasswordFile}`, file, write: SERVICE, database: 'postgres' };
  config.services[SERVICE]!['router'] = { pgbouncer };
}

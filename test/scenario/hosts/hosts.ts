import { readFile, readlink, realpath, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { mkdtemp, chmod } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { createClock } from '../../../src/runtime/index.ts';
import { Agents, type AgentRun, type Configuration } from '../agents.ts';
import type { DemoNode } from '../../../src/agent/demo/layout.ts';
import { Disk } from './disk.ts';
import { Load } from './load.ts';
import { Network } from './network.ts';
import { startStore, type Store, type StoreKind } from './store.ts';

const NAMES = ['node1', 'node2', 'node3'] as const;

/** What runs on a host. `database`: the whole tree of the member's PostgreSQL. */
export type Part = 'agent' | 'guard' | 'database' | 'store';

export interface HostsOptions {
  readonly store?: StoreKind;
  /** How many of the three hosts have an agent with a database; the others have a server of the store alone. Default 3. */
  readonly members?: 2 | 3;
  readonly acknowledge?: number;
  /** Each member's data on a disk of its own, of so many MiB (disk.ts). Default: on that of this machine. */
  readonly diskMiB?: number;
  /** Changes a node's configuration before its agent reads it. */
  readonly configure?: (config: Configuration, node: DemoNode) => void;
  /** What agents are run by, inside their host: a command in front of theirs, an environment. */
  readonly run?: AgentRun;
}

/**
 * Three machines, as network namespaces: on each a server of a real store, an agent with a real PostgreSQL, a router. Tests are on the same network,
 * as `clients`. Nobody restarts what ends, but for what Holdfast itself does: faults (faults.ts) say how they end.
 *
 *     await using hosts = await Hosts.start({ store: 'etcd' });
 *     await using load = hosts.load();
 *     const faults = new Faults(hosts);
 *     await using _cut = await faults.cut((await hosts.agents.whole()).leader!);
 *
 * Needs root, iproute2, nftables, nsenter (`whyNoHosts`).
 */
export class Hosts implements AsyncDisposable {
  readonly names: readonly string[] = NAMES;
  readonly directory: string;
  readonly network: Network;
  readonly store: Store;
  readonly agents: Agents;
  /** By host; empty where data are not on disks of their own. */
  readonly disks: ReadonlyMap<string, Disk>;

  private constructor(directory: string, disks: ReadonlyMap<string, Disk>, network: Network, store: Store, agents: Agents) {
    this.directory = directory;
    this.disks = disks;
    this.network = network;
    this.store = store;
    this.agents = agents;
  }

  /** Resolves when the service is whole. */
  static async start(options: HostsOptions = {}): Promise<Hosts> {
    await using stack = new AsyncDisposableStack();
    const directory = await mkdtemp(join(tmpdir(), 'holdfast-hosts-'));
    stack.defer(() => rm(directory, { recursive: true, force: true }));
    await chmod(directory, 0o711);
    const disks = new Map<string, Disk>();
    for (const name of options.diskMiB === undefined ? [] : NAMES.slice(0, options.members ?? 3))
      disks.set(name, stack.use(await Disk.make(join(directory, `${name}-disk`), options.diskMiB!)));
    const network = stack.use(await Network.open(NAMES));
    const store = stack.use(await startStore(options.store ?? 'etcd', network.hosts, createClock()));
    const members = network.hosts.slice(0, options.members ?? 3);
    const agents = await Agents.start({
      directory,
      nodes: members.length,
      hosts: members.map(({ address }) => address),
      coordination: store.coordination,
      ...(options.acknowledge !== undefined && { acknowledge: options.acknowledge }),
      configure: (config, node) => {
        const disk = disks.get(node.name);
        if (disk !== undefined) (config.services['orders']!['postgres'] as { data: string }).data = join(disk.path, 'data');
        options.configure?.(config, node);
      },
      run: (node) => {
        const own = options.run?.(node) ?? {};
        return { ...own, command: [...network.host(node.name).within, ...(own.command ?? [])] };
      },
    });
    stack.defer(() => agents.abandon());
    // All that lives on a host ends with it, also what an agent left.
    stack.defer(async () => void (await Promise.all(NAMES.map((name) => network.killAll(name)))));
    // Before that: from a disk that stands still nothing ends.
    stack.defer(async () => void (await Promise.all([...disks.values()].map((disk) => disk.thaw()))));
    const hosts = new Hosts(directory, disks, network, store, agents);
    await agents.whole();
    hosts.#stack = stack.move();
    return hosts;
  }

  #stack = new AsyncDisposableStack();

  /** Names of the hosts with a member of the service. */
  get members(): string[] {
    return this.agents.members.map(({ name }) => name);
  }

  others(...names: readonly string[]): string[] {
    return this.members.filter((member) => !names.includes(member));
  }

  dataOf(name: string): string {
    return join(this.disks.get(name)?.path ?? join(this.directory, name), 'data');
  }

  /**
   * Clients that go to the routers of all hosts, each beginning with another; and for each member one that sticks to its database, past all routers.
   */
  load(table?: string): Load {
    const routed = this.members.map((name) => this.agents.routed(name));
    const roaming = [0, 1].map((n) => ({ name: `roaming${n + 1}`, connections: [...routed.slice(n), ...routed.slice(0, n)] }));
    const stubborn = this.members.map((name) => ({ name: `stubborn on ${name}`, connections: [this.agents.connection(name)] }));
    return new Load([...roaming, ...stubborn], table);
  }

  storeOf(name: string): Store['servers'][number] {
    return this.store.servers[NAMES.indexOf(name as (typeof NAMES)[number])]!;
  }

  /** The host whose server leads the store. */
  async storeLeader(): Promise<string> {
    return NAMES[await this.store.leader()]!;
  }

  /** Processes of a part that run now. */
  async pids(name: string, part: Part): Promise<number[]> {
    const found: number[] = [];
    for (const pid of await this.network.pids(name)) if ((await this.#partOf(name, pid)) === part) found.push(pid);
    return found;
  }

  async #partOf(name: string, pid: number): Promise<Part | undefined> {
    if (pid === this.storeOf(name).process.pid) return 'store';
    if (!this.members.includes(name)) return undefined;
    if (pid === this.agents.agent(name).pid) return 'agent';
    const data = await realpath(this.dataOf(name)).catch(() => undefined);
    if (data !== undefined && (await readlink(`/proc/${pid}/cwd`).catch(() => '')).startsWith(data)) return 'database';
    return (await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')).includes('/guard/guard.sh') ? 'guard' : undefined;
  }

  /** Whole again, and writes flow. */
  async whole(timeoutMs?: number): Promise<void> {
    await this.agents.whole(timeoutMs);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync();
  }
}

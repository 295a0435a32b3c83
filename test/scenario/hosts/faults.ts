import { setTimeout as sleep } from 'node:timers/promises';
import type { Hosts, Part } from './hosts.ts';
import type { Flow } from './losses.ts';
import { signalled } from './network.ts';

const CLIENTS = 'clients';
/** A tree that forks while it is being stopped is gone through again. */
const STOP_SWEEPS = 3;
const SWEEP_MS = 5;

/** A fault that has been made. Ending it a second time does nothing. */
export interface Fault extends AsyncDisposable {
  readonly name: string;
  /** Ends what the test does to the hosts; that the service recovers is not waited for. */
  undo(): Promise<void>;
}

/** What can go wrong with hosts and between them. Each fault is made when its promise resolves; several may hold at once. */
export class Faults {
  readonly #hosts: Hosts;
  readonly #active = new Set<Fault>();

  constructor(hosts: Hosts) {
    this.#hosts = hosts;
  }

  /** Ends what has not been ended, the latest first. */
  async undoAll(): Promise<void> {
    for (const fault of [...this.#active].toReversed()) await fault.undo();
  }

  /** Registers a fault of any kind; `undo` runs once. */
  made(name: string, undo: () => Promise<void>): Fault {
    let ended: Promise<void> | undefined;
    const fault: Fault = {
      name,
      undo: () => (ended ??= undo().finally(() => this.#active.delete(fault))),
      [Symbol.asyncDispose]: () => fault.undo(),
    };
    this.#active.add(fault);
    return fault;
  }

  /** Several as one: made at once, ended in the order in which they were named. */
  async all(making: readonly Promise<Fault>[]): Promise<Fault> {
    const faults = await Promise.all(making);
    return this.made(faults.map(({ name }) => name).join(' and '), async () => {
      for (const fault of faults) await fault.undo();
    });
  }

  /** A host alone: no other host reaches it, nor do clients. */
  async cut(host: string): Promise<Fault> {
    return await this.#lose(`cut ${host}`, bothWays(host, [...this.#others(host), CLIENTS]));
  }

  /** No other host reaches it, but clients do: what an old primary acknowledges now would be seen. */
  async cutFromHosts(host: string): Promise<Fault> {
    return await this.#lose(`cut ${host} from the other hosts`, bothWays(host, this.#others(host)));
  }

  /** `in`: nothing reaches the host; `out`: nothing of it reaches anybody. Of the clients too, unless `clients` is false. */
  async cutOneWay(host: string, direction: 'in' | 'out', clients = true): Promise<Fault> {
    const far = [...this.#others(host), ...(clients ? [CLIENTS] : [])];
    const flows = far.map((other) => (direction === 'in' ? { from: other, to: host } : { from: host, to: other }));
    return await this.#lose(`cut ${host} one way, ${direction}`, flows);
  }

  async cutPair(a: string, b: string): Promise<Fault> {
    return await this.#lose(`cut ${a} from ${b}`, bothWays(a, [b]));
  }

  /** All traffic of the store to and from a host: its own server has no quorum then, and no other answers. */
  async cutFromStore(host: string): Promise<Fault> {
    const ports = this.#hosts.store.servers.flatMap(({ clientPorts, peerPorts }) => [...clientPorts, ...peerPorts]);
    return await this.#lose(`cut ${host} from the store`, bothWays(host, this.#others(host), { ports }));
  }

  /** A host's server of the store from the other servers; clients of the store still reach it. */
  async cutStorePeers(host: string): Promise<Fault> {
    const ports = this.#hosts.store.servers.flatMap(({ peerPorts }) => peerPorts);
    return await this.#lose(`cut the store of ${host} from its peers`, bothWays(host, this.#others(host), { ports }));
  }

  /** Packets of everybody to everybody, chosen at random. */
  async lose(percent: number): Promise<Fault> {
    const everybody = [...this.#hosts.names, CLIENTS];
    const flows = everybody.flatMap((from) => everybody.filter((to) => to !== from).map((to) => ({ from, to, percent })));
    return await this.#lose(`lose ${percent} %`, flows);
  }

  /** A share of the segments that reach a host is answered with a reset. */
  async reset(host: string, percent: number): Promise<Fault> {
    return this.made(`reset ${percent} % at ${host}`, await this.#hosts.network.reset(host, percent));
  }

  async slow(host: string, kbitPerS: number): Promise<Fault> {
    return this.made(`${kbitPerS} kbit/s at ${host}`, await this.#hosts.network.slow(host, kbitPerS));
  }

  async #lose(name: string, flows: readonly Flow[]): Promise<Fault> {
    return this.made(name, await this.#hosts.network.losses.add(flows));
  }

  /** SIGKILL. Undone, agents and servers of the store are started again, as a service manager does; databases and guards are their agent's. */
  async kill(host: string, ...parts: readonly Part[]): Promise<Fault> {
    await this.#signal(host, parts, 'SIGKILL');
    return this.made(`kill ${parts.join(', ')} of ${host}`, async () => {
      if (parts.includes('store')) await this.#restartStore(host);
      if (parts.includes('agent')) this.#hosts.agents.startAgent(host);
    });
  }

  /** SIGSTOP, until it is undone. */
  async stall(host: string, ...parts: readonly Part[]): Promise<Fault> {
    const pids = await this.#signal(host, parts, 'SIGSTOP');
    return this.made(`stall ${parts.join(', ')} of ${host}`, async () => {
      for (const pid of pids) signalled(pid, 'SIGCONT');
    });
  }

  /** Without a last word: the cable goes first, then all processes. Undone, it boots. */
  async powerOff(...hosts: readonly string[]): Promise<Fault> {
    const { network, agents } = this.#hosts;
    await Promise.all(hosts.map((host) => network.plug(host, false)));
    await Promise.all(hosts.map((host) => network.killAll(host)));
    return this.made(`power off ${hosts.join(', ')}`, async () => {
      for (const host of hosts) {
        await network.plug(host, true);
        await this.#restartStore(host);
        if (this.#hosts.members.includes(host)) agents.startAgent(host);
      }
    });
  }

  /** An agent ends and leaves its database; undone, the next one adopts it. */
  async upgrade(host: string): Promise<Fault> {
    await this.#hosts.agents.signal(host, 'SIGUSR2');
    return this.made(`upgrade ${host}`, async () => this.#hosts.agents.startAgent(host));
  }

  async #restartStore(host: string): Promise<void> {
    const { process } = this.#hosts.storeOf(host);
    await process.kill();
    process.start();
  }

  /** Resolves with the processes that got the signal. */
  async #signal(host: string, parts: readonly Part[], signal: 'SIGKILL' | 'SIGSTOP'): Promise<number[]> {
    const reached = new Set<number>();
    for (let sweeps = signal === 'SIGSTOP' ? STOP_SWEEPS : 1; sweeps > 0; sweeps--) {
      for (const part of parts) for (const pid of await this.#hosts.pids(host, part)) if (signalled(pid, signal)) reached.add(pid);
      await sleep(SWEEP_MS);
    }
    return [...reached];
  }

  #others(host: string): string[] {
    return this.#hosts.names.filter((name) => name !== host);
  }
}

function bothWays(one: string, others: readonly string[], more: Pick<Flow, 'ports'> = {}): Flow[] {
  return others.flatMap((other) => [
    { from: one, to: other, ...more },
    { from: other, to: one, ...more },
  ]);
}

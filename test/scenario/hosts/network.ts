import { randomInt } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ServerPlace } from '../servers/server-process.ts';
import { run } from './machine.ts';
import { type Loss, Losses } from './losses.ts';

/** Addresses for networks under test (RFC 2544): 512 networks of 254 hosts, which no real network of a machine uses. */
const NETWORKS = 512;
const TRIES_MAX = 20;
/** The test process itself, where the clients are. */
const CLIENTS = 'clients';
/** Below the ports that servers under test choose: what they listen on is free again after a restart. */
const OUTGOING_PORTS = '10000 14999';
const KILLS_MAX = 500;
const KILL_AGAIN_MS = 10;

/** A host without a machine: a network namespace on a switch. */
export interface Host extends ServerPlace {
  readonly name: string;
  readonly namespace: string;
}

/**
 * Hosts joined by a switch, in network namespaces of their own; the test process is one more machine on it, `clients`. The switch is a bridge in a
 * namespace, and loses packets there: no host knows of it. Named after this process; what dead processes left is removed at the start.
 */
export class Network implements AsyncDisposable {
  readonly hosts: readonly Host[];
  /** What the switch loses. */
  readonly losses: Losses;
  readonly #switch: string;

  private constructor(hosts: readonly Host[], switchName: string) {
    this.hosts = hosts;
    this.#switch = switchName;
    this.losses = new Losses(switchName);
  }

  static async open(names: readonly string[]): Promise<Network> {
    await removeLeftovers();
    for (let tries = 1; ; tries++) {
      const number = randomInt(NETWORKS);
      const prefix = `hf${process.pid}-${number}-`;
      const network = new Network(
        names.map((name, n) => ({
          name,
          namespace: `${prefix}${name}`,
          address: `${subnet(number)}.${n + 1}`,
          within: ['nsenter', `--net=/run/netns/${prefix}${name}`],
        })),
        `${prefix}switch`,
      );
      try {
        await network.#make(number);
        return network;
      } catch (error) {
        await network[Symbol.asyncDispose]();
        // Another run has the number: its interface has the name.
        if (!String(error).includes('File exists') || tries === TRIES_MAX) throw error;
      }
    }
  }

  host(name: string): Host {
    return this.hosts.find((host) => host.name === name)!;
  }

  async #make(number: number): Promise<void> {
    const bridge = this.#switch;
    await run('ip', ['netns', 'add', bridge]);
    await run('ip', ['link', 'add', `hfsw${number}`, 'type', 'veth', 'peer', 'name', CLIENTS, 'netns', bridge]);
    await quiet(bridge);
    await run('ip', ['-n', bridge, 'link', 'add', 'switch', 'type', 'bridge', 'stp_state', '0']);
    await run('ip', ['-n', bridge, 'link', 'set', 'switch', 'up']);
    await run('ip', ['-n', bridge, 'link', 'set', CLIENTS, 'master', 'switch', 'up']);
    await run('ip', ['addr', 'add', `${subnet(number)}.254/24`, 'dev', `hfsw${number}`]);
    await run('ip', ['link', 'set', `hfsw${number}`, 'up']);
    for (const { name, namespace, address } of this.hosts) {
      await run('ip', ['netns', 'add', namespace]);
      await quiet(namespace);
      await run('ip', ['-n', bridge, 'link', 'add', name, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', namespace]);
      await run('ip', ['-n', bridge, 'link', 'set', name, 'master', 'switch', 'up']);
      await run('ip', ['-n', namespace, 'addr', 'add', `${address}/24`, 'dev', 'eth0']);
      await run('ip', ['-n', namespace, 'link', 'set', 'lo', 'up']);
      await run('ip', ['-n', namespace, 'link', 'set', 'eth0', 'up']);
    }
  }

  /** Pulls a host's cable, or plugs it in. */
  async plug(name: string, plugged: boolean): Promise<void> {
    await run('ip', ['-n', this.#switch, 'link', 'set', name, plugged ? 'up' : 'down']);
  }

  /** Limits what goes to and comes from a host; more waits, then is lost. */
  async slow(name: string, kbitPerS: number): Promise<Loss> {
    const { namespace } = this.host(name);
    const ends = [
      [this.#switch, name],
      [namespace, 'eth0'],
    ] as const;
    const limit = ['tbf', 'rate', `${kbitPerS}kbit`, 'burst', '4kb', 'latency', '300ms'];
    for (const [where, device] of ends) await run('tc', ['-n', where, 'qdisc', 'replace', 'dev', device, 'root', ...limit]);
    return async () => {
      for (const [where, device] of ends) await run('tc', ['-n', where, 'qdisc', 'del', 'dev', device, 'root']);
    };
  }

  /** Answers a share of the TCP segments that reach a host with a reset. */
  async reset(name: string, percent: number): Promise<Loss> {
    const { namespace } = this.host(name);
    const rule = `iifname "eth0" meta l4proto tcp numgen random mod 100 < ${percent} reject with tcp reset`;
    const nft = (text: string): Promise<string> => run('ip', ['netns', 'exec', namespace, 'nft', '-f', '-'], text);
    await nft(`table inet resets {\n chain resets {\n type filter hook input priority 0; policy accept;\n ${rule}\n }\n}\n`);
    return async () => void (await nft('delete table inet resets\n'));
  }

  /** All processes of a host. */
  async pids(name: string): Promise<number[]> {
    return await pidsIn(this.host(name).namespace);
  }

  /** SIGKILLs all processes of a host; resolves when none is left. */
  async killAll(name: string): Promise<void> {
    await killAllIn(this.host(name).namespace);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const namespace of [...this.hosts.map((host) => host.namespace), this.#switch]) await removeNamespace(namespace);
  }
}

const subnet = (number: number): string => `198.${18 + Math.floor(number / 256)}.${number % 256}`;

async function quiet(namespace: string): Promise<void> {
  const settings = `echo 1 >/proc/sys/net/ipv6/conf/default/disable_ipv6; echo ${OUTGOING_PORTS} >/proc/sys/net/ipv4/ip_local_port_range`;
  await run('nsenter', [`--net=/run/netns/${namespace}`, 'sh', '-c', settings]);
}

async function namespaces(): Promise<string[]> {
  return [...(await run('ip', ['netns', 'list'])).matchAll(/^\S+/gm)].map(([name]) => name);
}

async function removeLeftovers(): Promise<void> {
  for (const namespace of await namespaces()) {
    const pid = Number(/^hf(\d+)-\d+-/.exec(namespace)?.[1]);
    if (pid > 0 && !isAlive(pid)) await removeNamespace(namespace);
  }
}

async function removeNamespace(namespace: string): Promise<void> {
  if (!(await namespaces()).includes(namespace)) return;
  await killAllIn(namespace);
  await run('ip', ['netns', 'del', namespace]);
}

async function pidsIn(namespace: string): Promise<number[]> {
  return (await run('ip', ['netns', 'pids', namespace])).split('\n').filter(Boolean).map(Number);
}

async function killAllIn(namespace: string): Promise<void> {
  for (let kills = 0; kills < KILLS_MAX; kills++) {
    const pids = await pidsIn(namespace);
    if (pids.length === 0) return;
    for (const pid of pids) signalled(pid, 'SIGKILL');
    await sleep(KILL_AGAIN_MS);
  }
  throw new Error(`processes of ${namespace} can not be killed`);
}

const isAlive = (pid: number): boolean => signalled(pid, 0);

/** False when there is no such process. */
export function signalled(pid: number, signal: NodeJS.Signals | 0): boolean {
  try {
    process.kill(pid, signal);
    return true;
  } catch {
    return false;
  }
}

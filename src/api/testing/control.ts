import { createServer, type Server } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { HoldfastError } from '../../core/errors.ts';
import type { AgentControl, AgentEvent, LocalMember } from '../control.ts';
import type { ClusterStatus, Done, HistoryEntry } from '../schema.ts';
import type { Api } from '../server.ts';

/** A healthy replica; tests say what is different. */
export const replicaMember: LocalMember = {
  service: 'orders',
  engine: 'postgres',
  role: 'replica',
  accepting: true,
  leader: false,
  streaming: true,
  sync: true,
  lagBytes: 0,
  timeline: 3,
  lsn: 67_419_744n,
  replayLsn: 67_419_744n,
  term: 7,
  paused: false,
  pendingRestart: false,
  version: '17.10 (Debian 17.10-1)',
  noloadbalance: false,
  leaderKnown: true,
};

export const leaderMember: LocalMember = { ...replicaMember, role: 'primary', leader: true, streaming: false, sync: false };

/** An agent in memory: tests set what it is, and read what it was told to do. */
export class TestControl implements AgentControl {
  readonly cluster = 'shop';
  readonly node: string;
  live = true;
  members: LocalMember[] = [leaderMember];
  services: ClusterStatus['services'] = [];
  entries: HistoryEntry[] = [];
  readonly commands: (readonly [command: string, service: string, request: object])[] = [];
  readonly #events: AgentEvent[] = [];
  #wake: (() => void)[] = [];
  followers = 0;

  constructor(node = 'db1') {
    this.node = node;
  }

  isLive(): boolean {
    return this.live;
  }

  localMembers(): readonly LocalMember[] {
    return this.members;
  }

  async status(): Promise<ClusterStatus> {
    return {
      cluster: this.cluster,
      node: this.node,
      version: '1.2.3',
      coordination: { kind: 'etcd', reachable: true, faultDomain: 'ensemble' },
      services: this.services,
    };
  }

  async history(service: string): Promise<readonly HistoryEntry[]> {
    this.#requireService(service);
    return this.entries;
  }

  switchover(service: string, request: object): Promise<Done> {
    return this.#command('switchover', service, request);
  }

  failover(service: string, request: object): Promise<Done> {
    return this.#command('failover', service, request);
  }

  pause(service: string): Promise<Done> {
    return this.#command('pause', service, {});
  }

  resume(service: string): Promise<Done> {
    return this.#command('resume', service, {});
  }

  restart(service: string, request: object): Promise<Done> {
    return this.#command('restart', service, request);
  }

  reinit(service: string, request: object): Promise<Done> {
    return this.#command('reinit', service, request);
  }

  happen(kind: string, data: AgentEvent['data'] = {}): void {
    this.#events.push({ id: this.#events.length + 1, at: '2026-01-02T03:04:05.678Z', node: this.node, service: 'orders', kind, data });
    for (const wake of this.#wake.splice(0)) wake();
  }

  async *events({ afterId, signal }: { afterId?: number; signal: AbortSignal }): AsyncIterable<AgentEvent> {
    this.followers++;
    try {
      for (let next = afterId ?? this.#events.length; !signal.aborted;) {
        if (next < this.#events.length) yield this.#events[next++]!;
        else {
          await new Promise<void>((resolve) => {
            this.#wake.push(resolve);
            signal.addEventListener('abort', () => resolve(), { once: true });
          });
        }
      }
    } finally {
      this.followers--;
    }
  }

  metrics(): ReturnType<AgentControl['metrics']> {
    return [
      { name: 'term', help: 'Highest term', type: 'gauge', labels: { service: 'orders' }, value: 7 },
      { name: 'router_cut_total', help: 'Cut', type: 'counter', labels: { service: 'orders', kind: 'a "b"\\\n' }, value: 2 },
      { name: 'term', help: 'Highest term', type: 'gauge', labels: { service: 'uploads' }, value: Infinity },
    ];
  }

  async #command(command: string, service: string, request: object): Promise<Done> {
    this.#requireService(service);
    this.commands.push([command, service, request]);
    if (this.members.some((member) => member.paused)) {
      throw new HoldfastError('SWITCHOVER_REFUSED', 'it is paused', { hint: 'Resume it first.' });
    }
    return { message: `${command} done`, term: 8, leader: 'db2' };
  }

  #requireService(service: string): void {
    if (!this.members.some((member) => member.service === service))
      throw new HoldfastError('SERVICE_UNKNOWN', `there is no service '${service}'`, { hint: 'See holdfast status.' });
  }
}

/** The API behind a plain HTTP server. `secure` makes it believe that requests came over TLS. */
export async function serve(
  api: Api,
  options: { secure: boolean },
): Promise<{ url: string; port: number; server: Server } & AsyncDisposable> {
  const server = createServer((request, response) => {
    if (options.secure) Object.defineProperty(request.socket, 'encrypted', { value: true, configurable: true });
    api.handle(request, response);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    port,
    server,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      const closed = once(server, 'close');
      server.close();
      await closed;
    },
  };
}

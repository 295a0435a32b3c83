import { mkdir } from 'node:fs/promises';
import type { HoldfastConfig } from '../config/schema.ts';
import { formatAddress } from '../core/address.ts';
import { messageOf } from '../core/errors.ts';
import type { MachineRuntime } from '../core/runtime.ts';
import type { CoordinationStore } from '../coordination/store.ts';
import type { Heartbeat } from '../failover/messages.ts';
import { LeadershipStore } from '../failover/leadership-store.ts';
import type { Member } from '../failover/member.ts';
import { answerRequests } from '../failover/requests.ts';
import { switchover } from '../failover/operate.ts';
import { Peers } from '../failover/peers.ts';
import type { LocalRouters } from '../failover/routers.ts';
import { SessionKeeper } from '../failover/session-keeper.ts';
import { openRouter } from '../routing/registry.ts';
import { Control } from './control.ts';
import type { KeepsCopies } from './copies/keepers.ts';
import { EventLog } from './event-log.ts';
import { Heartbeats } from './heartbeats.ts';
import { openMember } from './open-member.ts';
import { openServer, type Server } from './open-server.ts';
import { openCoordination } from './open-coordination.ts';
import { routeView } from './route-view.ts';
import type { LocalService } from './service.ts';
import { version } from './version.ts';

const HAND_OVER_MS = 10_000;
const STOP_DATABASE_MS = 30_000;

/** Of a node that has a member and no router. */
const noRouters: LocalRouters = { hold: () => Promise.resolve(), resume: () => {} };

/** How an agent ends: `hand-over` moves leaderships away first; `stop` only stops its databases; `leave` leaves them to the next agent. */
export type Ending = 'hand-over' | 'stop' | 'leave';

/** The daemon of one node: everything is wired here, and nowhere else. */
export class Agent {
  readonly #config: HoldfastConfig;
  readonly #runtime: MachineRuntime;
  readonly #stack: AsyncDisposableStack;
  readonly #services: ReadonlyMap<string, LocalService>;
  readonly #heartbeats: Heartbeats;
  readonly #sessions: SessionKeeper;
  readonly address: { readonly host: string; readonly port: number };

  private constructor(parts: {
    config: HoldfastConfig;
    runtime: MachineRuntime;
    stack: AsyncDisposableStack;
    services: ReadonlyMap<string, LocalService>;
    heartbeats: Heartbeats;
    sessions: SessionKeeper;
    address: { host: string; port: number };
  }) {
    this.#config = parts.config;
    this.#runtime = parts.runtime;
    this.#stack = parts.stack;
    this.#services = parts.services;
    this.#heartbeats = parts.heartbeats;
    this.#sessions = parts.sessions;
    this.address = parts.address;
  }

  /** Starts everything. What can not be had is an error before any database is touched; an unreachable store is waited for. */
  static async start(config: HoldfastConfig, runtime: MachineRuntime): Promise<Agent> {
    await using stack = new AsyncDisposableStack();
    await mkdir(config.node.state, { recursive: true, mode: 0o711 });
    // Only where copies are made, and before anybody waits for this process: it takes a while.
    const makesCopies = Object.values(config.services).some(({ backup }) => backup !== undefined);
    const copies = makesCopies ? await import('./copies/keepers.ts') : undefined;
    const server: Server = stack.use(await openServer(config, runtime));
    const store: CoordinationStore = stack.use(await openCoordination(config, runtime));
    const sessions = stack.use(new SessionKeeper(store, runtime, { ttlMs: config.coordination.ttl, name: config.node.name }));
    const heartbeatMs = Math.min(...Object.values(config.services).map((service) => service.failover.heartbeat), 1_000);
    const peers = stack.use(new Peers(server.network, runtime, { heartbeatMs }));
    const events = new EventLog(runtime, config.node.name);
    const services = new Map<string, LocalService>();
    const keepers: KeepsCopies[] = [];
    let heartbeats: Heartbeats | undefined;
    const announce = (): void => {
      heartbeats?.announce();
      for (const keeper of keepers) keeper.wake?.();
      publishRoutes(config.node.name, services, peers);
    };
    for (const [name, service] of Object.entries(config.services)) {
      if (service.files !== undefined) continue;
      const leaderships = stack.use(new LeadershipStore(store, runtime, name));
      const kind = service.process === undefined ? 'postgres' : 'process';
      const router =
        service.router === undefined
          ? undefined
          : stack.use(await openRouter({ name, protocol: kind === 'postgres' ? 'postgres' : 'tcp' }, service.router, runtime));
      const member =
        service.postgres === undefined && service.process === undefined
          ? undefined
          : await openMember({
              config,
              name,
              service,
              leaderships,
              sessions,
              peers,
              runtime,
              announce,
              routers: router ?? noRouters,
              record: (what, data) => events.add(name, what, data),
            });
      // What it stands on goes after it: as long as there are connections to its database, this process would not end.
      if (member !== undefined) for (const part of [member.deps.fence, member.deps.engine, member]) stack.use(part);
      services.set(name, { name, store: leaderships, member, router, engine: kind });
    }
    answerRequests(
      peers,
      (service) => services.get(service)?.member,
      (service) => services.get(service)?.router,
    );
    const compose = (): Heartbeat => composeHeartbeat(config, runtime, services, keepers);
    heartbeats = stack.use(
      new Heartbeats(peers, runtime, {
        everyMs: heartbeatMs,
        compose,
        onBeat: () => {
          for (const service of services.values()) service.member?.beat();
        },
        stalled: (_stalledMs, forMs) => {
          for (const service of services.values()) service.member?.abstain(forMs);
        },
      }),
    );
    const beats = heartbeats;
    stack.use(peers.onChange(() => publishRoutes(config.node.name, services, peers)));
    const control = new Control({
      cluster: config.cluster,
      node: config.node.name,
      version,
      store: store.capabilities,
      sessions,
      peers,
      services,
      events,
      runtime,
      heartbeat: compose,
      lastBeatMs: () => beats.lastMs,
      phi: Math.max(8, ...Object.values(config.services).map((service) => service.failover.phi)),
    });
    await server.serve(control, config, runtime);
    for (const service of services.values()) await service.member?.start();
    if (copies !== undefined) {
      const record = (service: string, what: string, data: Record<string, unknown>): void => events.add(service, what, data);
      const memberOf = (service: string): Member | undefined => services.get(service)?.member;
      for (const keeper of copies.keepCopies({ node: config.node.name, config, record, runtime, store, memberOf }))
        keepers.push(stack.use(keeper));
    }
    runtime.logger.info('agent.started', {
      cluster: config.cluster,
      node: config.node.name,
      listen: formatAddress(server.address),
      services: [...services.keys()],
      version,
    });
    return new Agent({ config, runtime, stack: stack.move(), services, heartbeats: beats, sessions, address: server.address });
  }

  /** Ends the agent as asked. Returns when everything that it is to stop has stopped. */
  async end(how: Ending): Promise<void> {
    const { logger } = this.#runtime;
    logger.info('agent.ending', { how });
    const members = [...this.#services.values()].flatMap((service) => (service.member === undefined ? [] : [service.member]));
    if (how === 'leave') this.#sessions.leave();
    if (how === 'hand-over') await Promise.all(members.map((member) => this.#handOver(member)));
    await Promise.all(
      members.map(async (member) => {
        await member[Symbol.asyncDispose]();
        if (how !== 'leave') await this.#stopDatabase(member);
      }),
    );
    this.#heartbeats[Symbol.dispose]();
    await this.#stack.disposeAsync();
    logger.info('agent.ended', { node: this.#config.node.name });
  }

  async #handOver(member: Member): Promise<void> {
    if (member.servingTerm === 0) return;
    const { promise: late, resolve } = Promise.withResolvers<void>();
    using _timer = this.#runtime.clock.after(HAND_OVER_MS, resolve);
    const moved = switchover(member, undefined).then(
      () => {},
      (error: unknown) => this.#runtime.logger.warn('agent.hand-over.failed', { service: member.service, error: messageOf(error) }),
    );
    await Promise.race([moved, late]);
  }

  async #stopDatabase(member: Member): Promise<void> {
    try {
      await member.deps.engine.stop('clean', { timeoutMs: STOP_DATABASE_MS });
      await member.deps.fence.end();
    } catch (error) {
      this.#runtime.logger.error('agent.database.not-stopped', { service: member.service, error: messageOf(error) });
    }
  }
}

function composeHeartbeat(
  config: HoldfastConfig,
  runtime: MachineRuntime,
  services: ReadonlyMap<string, LocalService>,
  keepers: readonly KeepsCopies[],
): Heartbeat {
  const all = [...services.values()];
  return {
    wallMs: runtime.clock.wallMs(),
    agentAddress: formatAddress(config.node.advertise ?? config.node.listen),
    members: all.flatMap((service) => (service.member === undefined ? [] : [service.member.state()])),
    routers: all.flatMap((service) => {
      if (service.router === undefined) return [];
      const { write, read, ...rest } = service.router.status();
      return [{ service: service.name, ...rest, ...(write === undefined ? {} : { write }), ...(read === undefined ? {} : { read }) }];
    }),
    copies: keepers.flatMap((keeper) => keeper.state() ?? []),
  };
}

function publishRoutes(self: string, services: ReadonlyMap<string, LocalService>, peers: Peers): void {
  const routed = [...services.values()].filter(({ router }) => router !== undefined);
  if (routed.length === 0) return;
  const reports = peers.reports();
  for (const { name, router, member } of routed) {
    const members = reports.flatMap((report) => {
      const state = report.heartbeat.members.find((one) => one.service === name);
      return state === undefined ? [] : [{ node: report.node, alive: report.status === 'connected', state }];
    });
    if (member !== undefined) members.push({ node: self, alive: true, state: member.state() });
    router!.publish(routeView(members));
  }
}

import type { AgentControl, LocalMember } from '../api/control.ts';
import type { ClusterStatus, Done, HistoryEntry } from '../api/schema.ts';
import { deadline } from '../core/deadline.ts';
import { HoldfastError } from '../core/errors.ts';
import type { Runtime } from '../core/runtime.ts';
import { outcomeSchema, type Heartbeat, type MemberState, type Outcome } from '../failover/messages.ts';
import { forceFailover, reinit, restart, switchover, type ReinitWishes } from '../failover/operate.ts';
import type { Peers } from '../failover/peers.ts';
import type { SessionKeeper } from '../failover/session-keeper.ts';
import type { EventLog } from './event-log.ts';
import { agentMetrics } from './metrics.ts';
import type { LocalService } from './service.ts';
import { serviceStatus, type NodeReport } from './status.ts';

/** A command passed on to another node may take as long as a checkpoint, a clean stop and a promotion together. */
const COMMAND_TIMEOUT_MS = 90_000;
const STORE_TIMEOUT_MS = 5_000;
const LIVE_WITHIN_MS = 5_000;

export interface ControlDependencies {
  readonly cluster: string;
  readonly node: string;
  readonly version: string;
  readonly store: { readonly kind: string; readonly faultDomain: string };
  readonly sessions: SessionKeeper;
  readonly peers: Peers;
  readonly services: ReadonlyMap<string, LocalService>;
  readonly events: EventLog;
  readonly runtime: Runtime;
  /** This agent's own heartbeat as it would be sent now. */
  readonly heartbeat: () => Heartbeat;
  /** Monotonic time of the last turn of the agent's loop. */
  readonly lastBeatMs: () => number;
  readonly phi: number;
}

/** The agent as its API offers it. What must happen on another node is passed on to its agent. */
export class Control implements AgentControl {
  readonly #deps: ControlDependencies;

  constructor(deps: ControlDependencies) {
    this.#deps = deps;
  }

  get cluster(): string {
    return this.#deps.cluster;
  }

  get node(): string {
    return this.#deps.node;
  }

  isLive(): boolean {
    return this.#deps.runtime.clock.monotonicMs() - this.#deps.lastBeatMs() < LIVE_WITHIN_MS;
  }

  localMembers(): readonly LocalMember[] {
    return [...this.#deps.services.values()].flatMap((service) =>
      service.member === undefined ? [] : [this.#localMember(service.name, service.member.state())],
    );
  }

  #localMember(service: string, state: MemberState): LocalMember {
    const record = this.#deps.services.get(service)?.store.leadership?.value;
    const leader = this.#members(service).find((member) => member.state.serving > 0 && member.state.serving === record?.term);
    const end = leader?.state.position;
    const sync = leader?.state.sync?.[this.node];
    return {
      service,
      engine: this.#deps.services.get(service)!.engine,
      role: state.role,
      accepting: state.accepting,
      leader: state.serving > 0 && state.serving >= (record?.term ?? 0),
      streaming: state.streamingFrom !== undefined,
      sync: sync === 'sync' || sync === 'quorum',
      lagBytes:
        end === undefined || state.replayLsn === undefined ? undefined : Math.max(0, Number(BigInt(end.lsn) - BigInt(state.replayLsn))),
      timeline: state.position?.timeline,
      lsn: state.position === undefined ? undefined : BigInt(state.position.lsn),
      replayLsn: state.replayLsn === undefined ? undefined : BigInt(state.replayLsn),
      term: Math.max(state.term, state.serving),
      paused: state.paused,
      pendingRestart: state.pendingRestart,
      version: state.version,
      noloadbalance: false,
      leaderKnown: leader !== undefined,
    };
  }

  #nodes(): NodeReport[] {
    const { peers, phi } = this.#deps;
    const others = peers.reports().map((report) => ({
      node: report.node,
      alive: report.status === 'connected' && report.phi < phi,
      ageMs: report.silentMs,
      stampAgeMs: report.stampAgeMs,
      heartbeat: report.heartbeat,
    }));
    return [{ node: this.node, alive: true, ageMs: 0, stampAgeMs: 0, heartbeat: this.#deps.heartbeat() }, ...others];
  }

  #members(service: string): { node: string; alive: boolean; state: MemberState }[] {
    return this.#nodes().flatMap((node) => {
      const state = node.heartbeat.members.find((member) => member.service === service);
      return state === undefined ? [] : [{ node: node.node, alive: node.alive, state }];
    });
  }

  async status(): Promise<ClusterStatus> {
    const { cluster, node, version, store, sessions, services, runtime } = this.#deps;
    const nodes = this.#nodes();
    return {
      cluster,
      node,
      version,
      coordination: { kind: store.kind, faultDomain: store.faultDomain, reachable: sessions.reachable },
      services: [...services.values()].map((service) =>
        serviceStatus(
          {
            service: service.name,
            engine: service.engine,
            record: service.store.leadership?.value,
            paused: service.store.paused,
            acknowledge: service.member?.options.policy.acknowledge ?? 0,
            storeProblem: sessions.problem,
            nodes,
          },
          runtime.clock.wallMs(),
        ),
      ),
    };
  }

  async history(service: string): Promise<readonly HistoryEntry[]> {
    const { store } = this.#service(service);
    return this.#askStore((signal) => store.history(signal));
  }

  async switchover(service: string, request: { to?: string | undefined }): Promise<Done> {
    const leader = this.#leader(service);
    if (leader === undefined) {
      throw new HoldfastError('SWITCHOVER_REFUSED', `Nobody leads ${service} now`, {
        retryable: true,
        hint: 'Use `holdfast failover` where the leader is gone for good.',
      });
    }
    const outcome = await this.#on(leader, service, 'switchover', request);
    return this.#done(`${outcome.leader} leads ${service} now`, outcome);
  }

  async failover(service: string, request: { to?: string | undefined }): Promise<Done> {
    const leader = this.#leader(service);
    if (leader !== undefined) {
      const outcome = await this.#on(leader, service, 'switchover', request);
      return this.#done(`the leader was well, so this was a switchover: ${outcome.leader} leads ${service} now`, outcome);
    }
    const candidates = this.#members(service).filter((member) => member.alive && member.state.eligible);
    const by =
      candidates.find((member) => member.node === request.to) ?? candidates.find((member) => member.node === this.node) ?? candidates[0];
    if (by === undefined) {
      throw new HoldfastError('FAILOVER_REFUSED', `No member of ${service} that could lead is reachable`, {
        retryable: true,
        hint: 'Start the agents of its members, then look at `holdfast status`.',
      });
    }
    const outcome = await this.#on(by.node, service, 'failover', request);
    return this.#done(`${outcome.leader} leads ${service} now`, outcome);
  }

  async pause(service: string): Promise<Done> {
    const { store } = this.#service(service);
    await this.#askStore((signal) => store.setPaused(true, signal));
    return { message: `${service} is paused: no automatic failover, no automatic start` };
  }

  async resume(service: string): Promise<Done> {
    const { store } = this.#service(service);
    await this.#askStore((signal) => store.setPaused(false, signal));
    return { message: `${service} is resumed` };
  }

  async restart(service: string, request: { node?: string | undefined }): Promise<Done> {
    const node = request.node ?? this.node;
    const outcome = await this.#on(node, service, 'restart', {});
    return this.#done(`${service} on ${node} was restarted`, outcome);
  }

  async reinit(service: string, request: ReinitWishes & { node?: string | undefined }): Promise<Done> {
    const { node = this.node, from, reuse } = request;
    const outcome = await this.#on(node, service, 'reinit', { from, reuse });
    const source = from === 'copies' ? `made anew of the copies, to follow ${outcome.leader}` : `copied anew from ${outcome.leader}`;
    const before = reuse === true ? '' : 'were set aside; they ';
    return this.#done(`the data of ${service} on ${node} ${before}are being ${source}`, outcome);
  }

  events(options: { afterId?: number; signal: AbortSignal }): ReturnType<EventLog['follow']> {
    return this.#deps.events.follow(options);
  }

  metrics(): ReturnType<AgentControl['metrics']> {
    return agentMetrics(
      this.#nodes()[0]!,
      [...this.#deps.services.values()].map((service) => ({
        service: service.name,
        term: service.store.leadership?.value.term ?? 0,
        paused: service.store.paused,
      })),
      this.#deps.sessions.reachable,
      this.#deps.peers.reports().filter((report) => report.status === 'connected').length,
      this.#deps.runtime.clock.wallMs(),
    );
  }

  // ------------------------------------------------------------

  #service(name: string): LocalService {
    const service = this.#deps.services.get(name);
    if (service !== undefined) return service;
    throw new HoldfastError('SERVICE_UNKNOWN', `There is no service ${name} on ${this.node}`, {
      hint: `Its services are: ${[...this.#deps.services.keys()].join(', ') || 'none'}.`,
    });
  }

  /** Who serves it, in good health. */
  #leader(service: string): string | undefined {
    this.#service(service);
    const members = this.#members(service).filter((member) => member.alive && member.state.serving > 0);
    return members.toSorted((a, b) => b.state.serving - a.state.serving)[0]?.node;
  }

  async #on(
    node: string,
    service: string,
    command: 'switchover' | 'failover' | 'restart' | 'reinit',
    { to, ...wishes }: ReinitWishes & { readonly to?: string | undefined },
  ): Promise<Outcome> {
    const member = this.#service(service).member;
    if (node !== this.node) {
      if (!this.#members(service).some((one) => one.node === node)) {
        throw new HoldfastError('MEMBER_UNKNOWN', `${service} has no member on ${node}`, {
          hint: `Its members are: ${this.#members(service)
            .map((one) => one.node)
            .join(', ')}.`,
        });
      }
      const body = { service, command, ...(to === undefined ? {} : { to }), ...wishes };
      return outcomeSchema.parse(await this.#deps.peers.network.request(node, 'command', body, { timeoutMs: COMMAND_TIMEOUT_MS }));
    }
    if (member === undefined)
      throw new HoldfastError('MEMBER_UNKNOWN', `${service} has no member on ${node}: name one`, {
        hint: `Its members are: ${this.#members(service)
          .map((one) => one.node)
          .join(', ')}.`,
      });
    switch (command) {
      case 'switchover':
        return switchover(member, to);
      case 'failover':
        return forceFailover(member, to);
      case 'restart':
        return restart(member);
      case 'reinit':
        return reinit(member, wishes);
    }
  }

  #done(message: string, outcome: Outcome): Done {
    return { message, term: outcome.term, leader: outcome.leader, tookMs: outcome.tookMs };
  }

  async #askStore<T>(ask: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const late = (): Error =>
      new HoldfastError('COORD_UNREACHABLE', 'The coordination store did not answer in time', {
        retryable: true,
        hint: 'See `holdfast doctor`.',
      });
    using limit = deadline(this.#deps.runtime.clock, STORE_TIMEOUT_MS, late);
    return await ask(limit.signal);
  }
}

import { routeView } from '../../src/agent/route-view.ts';
import { Heartbeats } from '../../src/agent/heartbeats.ts';
import { connectMemory, type MemoryLink } from '../../src/coordination/adapters/memory/index.ts';
import { messageOf } from '../../src/core/errors.ts';
import type { Runtime } from '../../src/core/runtime.ts';
import { LeadershipStore } from '../../src/failover/leadership-store.ts';
import { Member } from '../../src/failover/member.ts';
import { answerRequests } from '../../src/failover/requests.ts';
import type { Heartbeat } from '../../src/failover/messages.ts';
import { Peers } from '../../src/failover/peers.ts';
import type { FailoverPolicy } from '../../src/failover/policy.ts';
import type { PromiseRecord } from '../../src/failover/records.ts';
import { SessionKeeper } from '../../src/failover/session-keeper.ts';
import type { RouteView } from '../../src/routing/router.ts';
import { SimulatedDisk, type SimulatedClock, type SimulatedPeers } from '../../src/sim/index.ts';
import { SimulatedFence, SimulatedGuard } from './guard.ts';
import { Database } from './postgres/database.ts';
import { SimulatedEngine } from './postgres/engine.ts';
import { overhear } from './variation.ts';
import type { World } from './world.ts';

export const service = 'orders';

/** One run of an agent's process: the real member and all that it stands on, over simulated ports. */
export interface AgentProcess {
  readonly clock: SimulatedClock;
  readonly network: SimulatedPeers;
  readonly link: MemoryLink;
  readonly member: Member;
  readonly peers: Peers;
  readonly store: LeadershipStore;
  readonly sessions: SessionKeeper;
  /** What it was started with. */
  readonly policy: FailoverPolicy;
  /** Ends it in order, its database left as it is. */
  readonly leave: () => Promise<void>;
}

/** One machine: its disk, its database, its guard, and an agent that runs or not. */
export class SimulatedNode {
  readonly name: string;
  readonly world: World;
  readonly disk: SimulatedDisk;
  readonly database: Database;
  readonly guard: SimulatedGuard;
  readonly machine: SimulatedClock;
  agent: AgentProcess | undefined;
  suspended = false;
  /** The term in which its database last was made, or confirmed as, a primary. */
  servingTerm = 0;
  #starts = 0;
  #confirmedUntilMs = -Infinity;

  constructor(world: World, name: string) {
    this.name = name;
    this.world = world;
    this.disk = new SimulatedDisk(world.random.fork(`disk of ${name}`));
    this.database = new Database(world, name);
    this.machine = world.machineClock(name);
    this.guard = new SimulatedGuard(
      this.database,
      this.machine,
      () => world.between(0, 90),
      () => world.trace.add(name, 'guard fires'),
    );
  }

  startAgent(): void {
    if (this.agent !== undefined) return;
    this.#starts += 1;
    this.world.trace.add(this.name, 'agent starts', { acknowledge: this.world.policy.acknowledge });
    this.world.observer.started(this.name);
    const { world, name } = this;
    const { variation, policy } = world;
    const clock = world.machineClock(name);
    // What is started on a machine that is suspended begins when the machine goes on.
    if (this.suspended) clock.suspend();
    const runtime: Runtime = { clock, random: world.random.fork(`agent ${name} ${this.#starts}`), logger: world.trace.logger(name) };
    const network = world.network.join(
      name,
      world.names.filter((other) => other !== name),
      clock,
    );
    const connected = connectMemory(world.store, runtime, { serverClock: world.storeClock });
    connected.link.requestTravel = () => world.network.travel(name, 'store');
    connected.link.replyTravel = () => world.network.travel('store', name);
    const store = variation.store(world.weather.over(connected.store, clock), this);
    const sessions = new SessionKeeper(store, runtime, { ttlMs: policy.ttlMs, name });
    const peers = new Peers(
      variation.network(
        overhear(network, (term) => world.observer.spoke(name, term)),
        this,
      ),
      runtime,
      { heartbeatMs: policy.heartbeatMs },
    );
    const leadership = new LeadershipStore(store, runtime, service);
    let beats: Heartbeats | undefined;
    const member = new Member(
      {
        service,
        node: name,
        nofailover: world.isNofailover(name),
        priority: 0,
        policy,
        peersExpected: world.names.length - 1,
        agentPid: this.#starts,
      },
      {
        engine: variation.engine(new SimulatedEngine(this.database, clock), this),
        store: leadership,
        sessions,
        peers,
        promise: variation.promise(this.disk.cell<PromiseRecord>('promise', clock), this),
        fence: variation.fence(new SimulatedFence(this.guard, clock, () => this.noteTerm()), this),
        runtime,
        // What begins is noted here, and where the guard is armed: known also when nobody asked before the member hands over, or is interrupted.
        announce: () => {
          this.noteTerm();
          beats?.announce();
        },
        routers: { hold: () => Promise.resolve(), resume: () => {} },
        record: (kind, data) => {
          world.trace.add(name, kind, data);
          world.observer.recorded(kind, data);
        },
      },
    );
    answerRequests(
      peers,
      (asked) => (asked === service ? member : undefined),
      () => {},
    );
    const compose = (): Heartbeat => ({
      wallMs: clock.wallMs(),
      agentAddress: `${name}:7400`,
      members: [member.state()],
      routers: [],
      copies: [],
    });
    beats = new Heartbeats(peers, runtime, {
      everyMs: policy.heartbeatMs,
      compose,
      onBeat: () => member.beat(),
      stalled: (_, forMs) => member.abstain(forMs),
    });
    const heartbeats = beats;
    const leave = async (): Promise<void> => {
      sessions.leave();
      await member[Symbol.asyncDispose]();
      heartbeats[Symbol.dispose]();
      network.kill();
      for (const one of [leadership, sessions, store]) await one[Symbol.asyncDispose]();
    };
    this.agent = { clock, network, link: connected.link, member, peers, store: leadership, sessions, policy, leave };
    member.start().catch((error: unknown) => world.trace.add(name, 'agent could not start', { error: messageOf(error) }));
  }

  /** SIGKILL: not one instruction more. */
  killAgent(): void {
    const { agent } = this;
    if (agent === undefined) return;
    this.noteTerm();
    this.noteConfirmed();
    this.world.trace.add(this.name, 'agent killed');
    agent.clock.resume();
    agent.clock.stall();
    agent.network.kill();
    agent.link.cut();
    this.agent = undefined;
  }

  /** As for an upgrade: the next one adopts the database. */
  leaveAgent(): void {
    const { agent } = this;
    if (agent === undefined || agent.clock.stalled) return;
    this.noteTerm();
    this.noteConfirmed();
    this.world.trace.add(this.name, 'agent leaves');
    this.agent = undefined;
    agent.leave().catch((error: unknown) => this.world.trace.add(this.name, 'agent left in disorder', { error: messageOf(error) }));
  }

  killDatabase(): void {
    if (this.database.server === undefined) return;
    this.world.trace.add(this.name, 'database killed');
    this.database.kill();
  }

  /** Everything on it dies. @param power its network card, too: nobody is told */
  crash(power: 'on' | 'off'): void {
    this.world.trace.add(this.name, power === 'off' ? 'power off' : 'node killed');
    if (power === 'off') this.world.network.power(this.name, false);
    this.killAgent();
    this.killDatabase();
    this.guard.set(undefined);
  }

  restart(): void {
    this.world.network.power(this.name, true);
    this.startAgent();
  }

  /** Remembers in which term the member serves, for what its database does while the agent does not. */
  noteTerm(): number {
    const term = this.agent?.member.servingTerm ?? 0;
    if (term > 0) this.servingTerm = term;
    return this.servingTerm;
  }

  /** World time until which its member was last allowed by all others to go on without the store. */
  noteConfirmed(): number {
    const { agent } = this;
    if (agent !== undefined) {
      const untilMs = this.world.time.nowMs + agent.member.confirmedByAllUntilMs - agent.clock.monotonicMs();
      // The word that an earlier agent was given still holds, and the guard knows of it.
      this.#confirmedUntilMs = Math.max(untilMs, this.#confirmedUntilMs);
    }
    return this.#confirmedUntilMs;
  }

  /** Where this node's router would send writes. */
  route(): RouteView | undefined {
    const { agent } = this;
    if (agent === undefined || agent.clock.stalled) return undefined;
    const members = agent.peers.reports().flatMap((report) => {
      const state = report.heartbeat.members.find((one) => one.service === service);
      return state === undefined ? [] : [{ node: report.node, alive: report.status === 'connected', state }];
    });
    return routeView([...members, { node: this.name, alive: true, state: agent.member.state() }]);
  }
}

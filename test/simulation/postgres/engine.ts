import { abortable } from '../../../src/core/abortable.ts';
import type { Clock } from '../../../src/core/clock.ts';
import { HoldfastError } from '../../../src/core/errors.ts';
import type {
  Acknowledgement,
  Engine,
  EngineCapabilities,
  EngineCredentials,
  EngineObservation,
  GuardTarget,
  MemberAddress,
  Position,
  ReplicaObservation,
} from '../../../src/engine/engine.ts';
import type { Database } from './database.ts';
import type { Server } from './server.ts';

const inspectMsMax = 1_000;

/** One agent process's handle on its node's database. Everything it learns it learns by its own clock: a stalled agent late, a killed one never. */
export class SimulatedEngine implements Engine {
  readonly capabilities: EngineCapabilities = { kind: 'postgres', replicated: true };
  readonly address: MemberAddress;
  readonly #database: Database;
  readonly #clock: Clock;
  #listener: Disposable | undefined;

  constructor(database: Database, clock: Clock) {
    this.#database = database;
    this.#clock = clock;
    this.address = { node: database.node, host: database.node, port: 5432 };
  }

  async adopt(): Promise<void> {}

  async inspect(options: { signal: AbortSignal }): Promise<EngineObservation> {
    const stuck = this.#database.server?.clock.stalled === true;
    await this.#clock.sleep(stuck ? inspectMsMax : this.#database.world.between(0.5, 3), options.signal);
    const { data, server } = this.#database;
    const nothing = { running: false, accepting: false, role: 'none', replicas: [], pendingRestart: false } as const;
    if (data === undefined) return { data: 'absent', ...nothing };
    if (server === undefined) {
      const resting = { position: { ...data.position, lsn: BigInt(data.checkpoint) }, ...(data.fresh ? {} : { stoppedAs: data.role }) };
      return { data: 'present', systemId: data.systemId, ...nothing, ...(data.torn ? { position: { timeline: 0, lsn: 0n } } : resting) };
    }
    const accepting = server.accepting && !server.clock.stalled;
    return {
      data: 'present',
      systemId: data.systemId,
      version: '17.0',
      running: true,
      accepting,
      pid: 1,
      role: server.role,
      position: data.position,
      replicas: replicasOf(server),
      pendingRestart: false,
      ...(server.role === 'replica' ? { replayLsn: data.position.lsn } : {}),
      ...(server.role === 'replica' && server.receiver !== undefined
        ? { upstream: { node: server.receiver.upstream, streaming: server.receiver.streaming } }
        : {}),
      ...(server.role === 'primary' && accepting && !server.ruleChanging ? { acknowledge: server.rule } : {}),
    };
  }

  onDeath(listener: () => void): Disposable {
    const told = this.#database.onDeath(() => this.#clock.after(this.#database.world.between(1, 19), listener));
    this.#listener = told;
    return told;
  }

  bootstrap(options: { signal: AbortSignal }): Promise<void> {
    return this.#ask(options.signal, async () => {
      await this.#clock.sleep(300, options.signal);
      this.#database.bootstrap();
    });
  }

  provision(from: MemberAddress, options: { signal: AbortSignal }): Promise<void> {
    return this.#ask(options.signal, async () => {
      if (this.#database.data !== undefined) throw new HoldfastError('ENGINE_DATA_PRESENT', 'there are data already');
      const copy = this.#database.copyOf(from.node);
      await this.#clock.sleep(this.#database.world.between(100, 600), options.signal);
      this.#database.data = copy;
    });
  }

  follow(upstream: MemberAddress, options: { signal: AbortSignal }): Promise<void> {
    return this.#ask(options.signal, async () => {
      const database = this.#database;
      const { server } = database;
      if (server?.role === 'primary') database.kill();
      else if (server?.receiver?.upstream === upstream.node && server.receiver.streaming) return;
      else if (server !== undefined) await abortable(database.freeze(), options.signal);
      await this.#clock.sleep(database.world.between(1, 10), options.signal);
      await database.checkAgainst(upstream.node);
      await database.startFollowing(upstream.node);
    });
  }

  rejoin(upstream: MemberAddress, options: { signal: AbortSignal }): Promise<void> {
    return this.#ask(options.signal, async () => {
      const database = this.#database;
      database.kill();
      database.copyOf(upstream.node);
      if (database.data !== undefined) database.data.torn = true;
      await this.#clock.sleep(database.world.between(100, 500), options.signal);
      database.data = database.copyOf(upstream.node);
      await database.startFollowing(upstream.node);
    });
  }

  freeze(options: { signal: AbortSignal }): Promise<Position> {
    return this.#ask(options.signal, () => this.#database.freeze());
  }

  promote(options: { acknowledge: Acknowledgement | null; timeline?: number; signal: AbortSignal }): Promise<Position> {
    return this.#ask(options.signal, () => this.#database.promote(options.acknowledge, options.timeline ?? 0));
  }

  startPrimary(options: { acknowledge: Acknowledgement | null; signal: AbortSignal }): Promise<void> {
    return this.#ask(options.signal, () => this.#database.startPrimary(options.acknowledge));
  }

  acknowledge(value: Acknowledgement | null, options: { signal: AbortSignal }): Promise<bigint> {
    return this.#ask(options.signal, () => this.#database.acknowledge(value));
  }

  checkpoint(options: { signal: AbortSignal }): Promise<void> {
    return this.#ask(options.signal, async () => {
      await this.#clock.sleep(this.#database.world.between(5, 50), options.signal);
      if (this.#database.data !== undefined) this.#database.data.checkpoint = this.#database.data.end;
    });
  }

  async stop(
    mode: 'clean' | 'immediate',
    options: { timeoutMs: number; onFinal?: (position: Position) => void },
  ): Promise<Position | undefined> {
    const database = this.#database;
    const { server } = database;
    if (server === undefined) return mode === 'clean' ? database.data?.position : undefined;
    if (mode === 'clean') {
      const late = this.#clock.sleep(options.timeoutMs).then(() => undefined);
      const done = await Promise.race([this.#ask(undefined, () => database.stopCleanly(options.onFinal)).catch(() => undefined), late]);
      if (done !== undefined) return done;
    }
    if (database.server === server) database.kill();
    await this.#clock.sleep(database.world.between(4, 15));
    return undefined;
  }

  async setAside(): Promise<string> {
    this.#database.data = undefined;
    this.#database.setAsideCount += 1;
    await this.#clock.sleep(2);
    return `${this.#database.node}.set-aside`;
  }

  async retain(): Promise<void> {}

  async reachable(member: MemberAddress, options: { timeoutMs: number }): Promise<'answers' | 'refused' | 'silent'> {
    const { world, node } = this.#database;
    const there = world.network.travel(node, member.node);
    const back = world.network.travel(member.node, node);
    const server = world.database(member.node).server;
    if (there === 'lost' || back === 'lost' || server?.clock.stalled === true) {
      await this.#clock.sleep(options.timeoutMs);
      return 'silent';
    }
    await this.#clock.sleep(there + back);
    return server === undefined || !server.accepting ? 'refused' : 'answers';
  }

  async credentials(): Promise<EngineCredentials | undefined> {
    return this.#database.credentials;
  }

  async acceptCredentials(credentials: EngineCredentials): Promise<void> {
    this.#database.credentials = credentials;
  }

  guardTarget(): GuardTarget {
    return { by: 'session', pidFile: 'none' };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener?.[Symbol.dispose]();
  }

  /** What the database has done is known a moment later. An interrupted command that the server has begun goes on there. */
  async #ask<T>(signal: AbortSignal | undefined, command: () => Promise<T>): Promise<T> {
    signal?.throwIfAborted();
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    command().then(
      (value) => this.#clock.after(0.1, () => resolve(value)),
      (error: unknown) => this.#clock.after(0.1, () => reject(error)),
    );
    return await abortable(promise, signal);
  }
}

function replicasOf(server: Server): ReplicaObservation[] {
  if (server.role !== 'primary') return [];
  return [...server.senders].map(([node, sender]) => ({
    node,
    state: 'streaming',
    flushLsn: BigInt(sender.flushed),
    replayLsn: BigInt(sender.flushed),
    sync: server.rule === null ? 'async' : server.rule.voters.includes(node) ? 'quorum' : 'async',
  }));
}

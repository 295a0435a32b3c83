import type { Acknowledgement, Position } from '../../../src/engine/engine.ts';
import { HoldfastError } from '../../../src/core/errors.ts';
import type { SimulatedClock, SimulatedNetwork } from '../../../src/sim/index.ts';
import { Receiver } from './receiver.ts';
import { Server } from './server.ts';
import { DataDirectory, type WalRecord } from './wal.ts';

/** What a simulated PostgreSQL needs of the world around it. */
export interface DatabaseWorld {
  readonly network: SimulatedNetwork;
  readonly observer: DatabaseObserver;
  /** A new process's clock on this node's machine. */
  machineClock(node: string): SimulatedClock;
  database(node: string): Database;
  /** A duration from the seed. */
  between(min: number, max: number): number;
}

/** Told of everything that the invariants are about. */
export interface DatabaseObserver {
  acknowledged(node: string, record: WalRecord, rule: Acknowledgement | null): void;
  /** It begins to take writes as the primary. */
  serves(node: string, data: DataDirectory): void;
  /** The rule of the running primary changes, or begins to. */
  ruled(node: string, rule: Acknowledgement | null): void;
  /** A replica tells its sender how far it has flushed. */
  confirmed(replica: string, sender: string): void;
}

export const flushMsMaxWell = 2;

/** One node's PostgreSQL: its data directory, and the server that runs on it or not. */
export class Database {
  readonly world: DatabaseWorld;
  readonly node: string;
  data: DataDirectory | undefined;
  server: Server | undefined;
  credentials: Readonly<Record<string, string>> | undefined;
  setAsideCount = 0;
  /** How long one flush takes at most: its disk's doing. */
  flushMsMax = flushMsMaxWell;
  readonly #deathListeners = new Set<() => void>();

  constructor(world: DatabaseWorld, node: string) {
    this.world = world;
    this.node = node;
  }

  onDeath(listener: () => void): Disposable {
    this.#deathListeners.add(listener);
    return { [Symbol.dispose]: () => void this.#deathListeners.delete(listener) };
  }

  /** Every process of it is gone, and with it what was not flushed. */
  kill(): void {
    if (this.server === undefined) return;
    this.server.clock.resume();
    this.server.die();
    this.server = undefined;
    for (const listener of this.#deathListeners) listener();
  }

  // ------------------------------------------------------------ commands, each by the server's own time

  bootstrap(): void {
    if (this.data !== undefined) throw new HoldfastError('ENGINE_DATA_PRESENT', 'there are data already');
    this.data = new DataDirectory(`system-of-${this.node}`, { wal: [], timeline: 1, timelineKnown: 1, role: 'primary' });
    this.credentials = { password: 'secret' };
  }

  async startPrimary(rule: Acknowledgement | null): Promise<void> {
    const data = this.#present();
    if (data.role === 'replica' || data.fresh || data.torn)
      throw new HoldfastError('ENGINE_NOT_PRIMARY', 'it was a replica when it last ran');
    if (this.server?.role === 'replica') throw new HoldfastError('ENGINE_NOT_PRIMARY', 'it runs as a replica');
    if (this.server !== undefined) {
      await this.acknowledge(rule);
      return;
    }
    const server = this.#start(data, 'primary');
    await this.#wait(server, 30, 200);
    this.#serve(server, rule);
  }

  async promote(rule: Acknowledgement | null, timeline: number): Promise<Position> {
    const data = this.#present();
    if (data.torn) throw new HoldfastError('ENGINE_NOT_REPLICA', 'its data are not whole');
    if (this.server === undefined) {
      if (data.role === 'primary') throw new HoldfastError('ENGINE_NOT_REPLICA', 'this member was the primary when it stopped');
      await this.#startReplica(data);
    }
    const server = this.server!;
    if (server.role === 'primary') {
      await this.acknowledge(rule);
      return { timeline: data.timeline, lsn: BigInt(data.end) };
    }
    server.promoting = true;
    await this.#wait(server, 15, 45);
    server.receiver?.end();
    const begin = data.end;
    data.timeline = Math.max(Math.max(data.timelineKnown, data.timeline) + 1, timeline);
    data.timelineKnown = data.timeline;
    data.role = 'primary';
    data.upstream = undefined;
    server.role = 'primary';
    server.promoting = false;
    this.#serve(server, rule);
    return { timeline: data.timeline, lsn: BigInt(begin) };
  }

  async acknowledge(rule: Acknowledgement | null): Promise<bigint> {
    const server = this.#running();
    if (server.role !== 'primary') throw new HoldfastError('ENGINE_NOT_PRIMARY', 'it is a replica');
    server.ruleChanging = true;
    await this.#wait(server, 0.5, 3);
    server.rule = rule;
    this.world.observer.ruled(this.node, rule);
    server.release();
    await this.#wait(server, 0.5, 3);
    server.ruleChanging = false;
    return BigInt(server.data.end);
  }

  async freeze(): Promise<Position> {
    const data = this.#present();
    if (data.torn) throw new HoldfastError('ENGINE_NO_DATA', 'its data are not whole');
    if (this.server?.role === 'primary') throw new HoldfastError('ENGINE_NOT_REPLICA', 'it runs as the primary');
    data.upstream = undefined;
    if (this.server === undefined) return data.position;
    await this.#wait(this.server, 0.5, 3);
    this.server.receiver?.end();
    return data.position;
  }

  /** Whether data that end as these can be continued by what runs there. */
  async checkAgainst(upstream: string): Promise<void> {
    const from = this.#reach(upstream);
    const data = this.#present();
    if (from.data.systemId !== data.systemId) throw new HoldfastError('ENGINE_FOREIGN_DATA', 'it is another database system');
    if (data.torn) throw new HoldfastError('ENGINE_DIVERGED', 'its data are not whole');
    if (!from.data.continues(data.wal)) throw new HoldfastError('ENGINE_DIVERGED', `its history has left that of ${upstream}`);
  }

  /** The last step of following: atomic, for whoever interrupts it. */
  async startFollowing(upstream: string): Promise<void> {
    const data = this.#present();
    data.role = 'replica';
    data.upstream = upstream;
    if (this.server === undefined) await this.#startReplica(data);
    else {
      this.server.receiver?.end();
      this.server.receiver = new Receiver(this.server, upstream);
    }
  }

  /** What a copy of the upstream as it is now would be. */
  copyOf(upstream: string): DataDirectory {
    const { data } = this.#reach(upstream);
    const copy = new DataDirectory(data.systemId, {
      wal: data.wal,
      timeline: data.timeline,
      timelineKnown: data.timelineKnown,
      role: 'replica',
    });
    copy.fresh = true;
    copy.checkpoint = copy.end;
    return copy;
  }

  /** Ends the server in good order. False: it could not be done at all, it must be killed. */
  async stopCleanly(onFinal?: (position: Position) => void): Promise<Position> {
    const server = this.#running();
    if (server.role === 'replica') server.receiver?.end();
    else {
      server.close();
      server.mark();
      onFinal?.(server.data.position);
      const { end } = server.data;
      while (server.isBehind(end)) await this.#wait(server, 2, 2);
    }
    await this.#wait(server, 5, 40);
    server.data.checkpoint = server.data.end;
    this.kill();
    return server.data.position;
  }

  // ------------------------------------------------------------ parts

  #present(): DataDirectory {
    if (this.data === undefined) throw new HoldfastError('ENGINE_NO_DATA', 'there are no data');
    return this.data;
  }

  #running(): Server {
    if (this.server === undefined) throw new HoldfastError('ENGINE_NOT_RUNNING', 'the server does not run');
    return this.server;
  }

  #reach(upstream: string): Server {
    const from = this.world.database(upstream).server;
    if (
      from === undefined ||
      !from.accepting ||
      from.clock.stalled ||
      !this.world.network.isOpen(this.node, upstream) ||
      from.database === this
    ) {
      throw new HoldfastError('ENGINE_UPSTREAM_UNREACHABLE', `${upstream} does not answer`, { retryable: true });
    }
    return from;
  }

  #start(data: DataDirectory, role: 'primary' | 'replica'): Server {
    const server = new Server(this, data, role);
    this.server = server;
    return server;
  }

  async #startReplica(data: DataDirectory): Promise<void> {
    const server = this.#start(data, 'replica');
    await this.#wait(server, 30, 120);
    server.accepting = true;
    data.fresh = false;
    // By the setting as it is now: a freeze meanwhile has emptied it.
    if (data.upstream !== undefined) server.receiver = new Receiver(server, data.upstream);
  }

  #serve(server: Server, rule: Acknowledgement | null): void {
    server.rule = rule;
    server.mark();
    server.accepting = true;
    this.world.observer.ruled(this.node, rule);
    this.world.observer.serves(this.node, server.data);
  }

  /** Some of the server's time. @throws ENGINE_DIED when it ends meanwhile */
  #wait(server: Server, min: number, max: number): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const died = this.onDeath(() => reject(new HoldfastError('ENGINE_DIED', 'the server ended', { retryable: true })));
    server.after(this.world.between(min, max), resolve);
    return promise.finally(() => died[Symbol.dispose]());
  }
}

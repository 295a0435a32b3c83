import { MemoryServer } from '../../src/coordination/adapters/memory/index.ts';
import { defaultPolicy, type FailoverPolicy } from '../../src/failover/policy.ts';
import { SimulatedClock, SimulatedNetwork, SimulatedTime, seededRandom, type SeededRandom } from '../../src/sim/index.ts';
import { Invariants } from './invariants.ts';
import { SimulatedNode } from './node.ts';
import type { Database, DatabaseWorld } from './postgres/database.ts';
import { StoreWeather } from './store-weather.ts';
import { Trace } from './trace.ts';
import { faithful, type Variation } from './variation.ts';

export interface WorldOptions {
  readonly seed: number;
  readonly members: number;
  readonly policy: Partial<FailoverPolicy>;
  readonly variation?: Variation;
  /** Members that vote and are never promoted. */
  readonly nofailover?: readonly string[];
  /** How many lines of the trace are kept. */
  readonly traceLinesMax?: number | undefined;
}

interface Machine {
  readonly bootStartMs: number;
  readonly wallStartMs: number;
  readonly rate: number;
}

/** A whole cluster in simulated time: nodes with a real member each, the network between them, the coordination store. All chance is the seed's. */
export class World implements DatabaseWorld {
  readonly seed: number;
  readonly random: SeededRandom;
  readonly time: SimulatedTime = new SimulatedTime();
  readonly trace: Trace;
  readonly network: SimulatedNetwork;
  readonly store: MemoryServer;
  readonly storeClock: SimulatedClock;
  readonly weather: StoreWeather;
  /** Nobody's: of clients, faults, operators. */
  readonly clock: SimulatedClock = new SimulatedClock(this.time);
  /** What the operator wants now; an agent goes by what was wanted when it started. */
  policy: FailoverPolicy;
  readonly variation: Variation;
  /** The store has ended a session before its time: from then on nobody may rely on leases alone. */
  sessionsBreak = false;
  readonly names: readonly string[];
  readonly nodes: readonly SimulatedNode[];
  readonly observer: Invariants;
  readonly #machines = new Map<string, Machine>();
  readonly #durations: SeededRandom;
  readonly #nofailover: ReadonlySet<string>;

  constructor(options: WorldOptions) {
    this.seed = options.seed;
    this.trace = new Trace(this.time, options.traceLinesMax);
    this.random = seededRandom(options.seed);
    this.network = new SimulatedNetwork(this.random.fork('network'));
    this.#durations = this.random.fork('durations');
    this.#nofailover = new Set(options.nofailover ?? []);
    this.policy = { ...defaultPolicy, bootstrapWaitMs: 3_000, ...options.policy };
    this.variation = options.variation ?? faithful;
    this.names = Array.from({ length: options.members }, (_, index) => `n${index + 1}`);
    const machines = this.random.fork('machines');
    for (const name of this.names) {
      // Clocks of real machines run apart by up to 100 ppm or so.
      this.#machines.set(name, {
        bootStartMs: machines.integer(1e9),
        wallStartMs: Date.UTC(2030, 0, 1) + machines.integer(600_000),
        rate: 1 + (machines.next() - 0.5) * 2e-4,
      });
    }
    this.storeClock = new SimulatedClock(this.time);
    this.store = new MemoryServer(this.storeClock);
    this.weather = new StoreWeather(this.store, this.random.fork('weather'));
    this.observer = new Invariants(this);
    this.nodes = this.names.map((name) => new SimulatedNode(this, name));
  }

  machineClock(node: string): SimulatedClock {
    return new SimulatedClock(this.time, this.#machines.get(node));
  }

  node(name: string): SimulatedNode {
    return this.nodes.find((node) => node.name === name)!;
  }

  database(name: string): Database {
    return this.node(name).database;
  }

  isNofailover(name: string): boolean {
    return this.#nofailover.has(name);
  }

  between(min: number, max: number): number {
    return min + (max - min) * this.#durations.next();
  }

  start(): void {
    for (const node of this.nodes) node.startAgent();
  }
}

import type { SeededRandom } from '../../src/sim/index.ts';
import type { Expected } from './invariants.ts';
import type { Server } from './postgres/server.ts';
import type { WalRecord } from './postgres/wal.ts';
import type { World } from './world.ts';

/** Between two statements of one client, at most: some work all the time, some now and then. */
const pauseMsMax = { min: 100, max: 2_000 };
const patienceMs = 1_000;
/** Share of statements that only read. */
const readShare = 0.3;

/** One connection pool: where it is, and what it knows. */
interface Client {
  readonly from: string;
  /** The server that it stays with, whatever a router would say. */
  readonly fixed: string | undefined;
  readonly paceMs: number;
  /** The highest term that its router has seen. */
  term: number;
  /** The last of its own writes of which it was told that at least one replica has it. */
  own: WalRecord | undefined;
}

/** Writes uniquely numbered rows, and reads, from every node, through whatever that node's router takes for the leader. */
export class Clients {
  readonly #world: World;
  readonly #random: SeededRandom;
  #row = 0;
  #stopped = false;
  acknowledged = 0;
  reads = 0;

  constructor(world: World) {
    this.#world = world;
    this.#random = world.random.fork('clients');
  }

  start(): void {
    for (const name of this.#world.names) {
      this.#next(this.#client(name, undefined));
      // One that stays with the server that it has, for as long as that answers at all: no router cuts it off.
      if (this.#random.chance(0.5)) this.#next(this.#client(name, name));
    }
  }

  stop(): void {
    this.#stopped = true;
  }

  #client(from: string, fixed: string | undefined): Client {
    const paceMs = pauseMsMax.min * (pauseMsMax.max / pauseMsMax.min) ** this.#random.next();
    return { from, fixed, paceMs, term: 0, own: undefined };
  }

  #next(client: Client): void {
    this.#world.clock.after(this.#random.next() * client.paceMs, () => {
      if (!this.#stopped) this.#ask(client);
    });
  }

  /** One statement, and what follows: an answer, a refusal, or nothing for too long. */
  #ask(client: Client): void {
    const { network, clock } = this.#world;
    const target = client.fixed ?? this.#route(client);
    const travel = target === undefined ? 'lost' : network.travel(client.from, target);
    if (target === undefined || travel === 'lost') return this.#next(client);
    const patience = clock.after(patienceMs, () => this.#next(client));
    const answer = (heard: () => void): void => {
      const back = network.travel(target, client.from);
      if (back === 'lost') return;
      clock.after(back, () => {
        if (patience.fired) return;
        patience[Symbol.dispose]();
        heard();
        this.#next(client);
      });
    };
    const reads = this.#random.chance(readShare);
    const expected = reads && client.fixed === undefined ? this.#world.observer.expected(client.own) : undefined;
    clock.after(travel, () => {
      const { server } = this.#world.database(target);
      server?.after(0, () => (reads ? this.#read(server, expected, answer) : this.#write(client, server, answer)));
    });
  }

  #route(client: Client): string | undefined {
    const view = this.#world.node(client.from).route();
    client.term = Math.max(client.term, view?.term ?? 0);
    return view !== undefined && view.term === client.term ? view.leader?.node : undefined;
  }

  #write(client: Client, server: Server, answer: (heard: () => void) => void): void {
    this.#row += 1;
    server.write(this.#row, (outcome, record) => {
      if (outcome === 'acknowledged') this.acknowledged += 1;
      const guarded = outcome === 'acknowledged' && server.rule !== null;
      answer(() => {
        if (guarded) client.own = record;
      });
    });
  }

  #read(server: Server, expected: Expected | undefined, answer: (heard: () => void) => void): void {
    if (server.read() && expected !== undefined) {
      this.reads += 1;
      this.#world.observer.read(server.database.node, server.data, expected);
    }
    answer(() => {});
  }
}

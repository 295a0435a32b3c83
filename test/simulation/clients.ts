import type { SeededRandom } from '../../src/sim/index.ts';
import type { World } from './world.ts';

/** Between two writes of one writer, at most: some write all the time, some now and then. */
const pauseMsMax = { min: 100, max: 2_000 };
const patienceMs = 1_000;

/** Writes uniquely numbered rows from every node, through whatever that node's router takes for the leader. */
export class Clients {
  readonly #world: World;
  readonly #random: SeededRandom;
  #row = 0;
  #stopped = false;
  acknowledged = 0;
  attempted = 0;

  constructor(world: World) {
    this.#world = world;
    this.#random = world.random.fork('clients');
  }

  start(): void {
    const pace = (): number => pauseMsMax.min * (pauseMsMax.max / pauseMsMax.min) ** this.#random.next();
    for (const name of this.#world.names) {
      this.#write(name, undefined, pace(), 0);
      // One that stays with the server that it has, for as long as that answers at all: no router cuts it off.
      if (this.#random.chance(0.5)) this.#write(name, name, pace(), 0);
    }
  }

  stop(): void {
    this.#stopped = true;
  }

  /** @param term highest that this router has seen */
  #write(from: string, fixed: string | undefined, paceMs: number, term: number): void {
    const { time, network } = this.#world;
    const clock = time.clock();
    clock.after(this.#random.next() * paceMs, () => {
      if (this.#stopped) return;
      const view = this.#world.node(from).route();
      const highest = Math.max(term, view?.term ?? 0);
      const again = (): void => this.#write(from, fixed, paceMs, highest);
      const target = fixed ?? (view !== undefined && view.term === highest ? view.leader?.node : undefined);
      const travel = target === undefined ? 'lost' : network.travel(from, target);
      if (target === undefined || travel === 'lost') return again();
      this.#row += 1;
      this.attempted += 1;
      const row = this.#row;
      const patience = clock.after(patienceMs, again);
      clock.after(travel, () => {
        const { server } = this.#world.database(target);
        if (server === undefined) return;
        server.after(0, () =>
          server.write(row, (outcome) => {
            if (outcome === 'acknowledged') this.acknowledged += 1;
            const back = network.travel(target, from);
            if (back === 'lost') return;
            clock.after(back, () => {
              if (patience.fired) return;
              patience[Symbol.dispose]();
              again();
            });
          }),
        );
      });
    });
  }
}

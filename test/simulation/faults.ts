import type { SeededRandom } from '../../src/sim/index.ts';
import type { FaultKinds } from './faults/fault.ts';
import { machineFaults } from './faults/machines.ts';
import { networkFaults } from './faults/network.ts';
import { operatorFaults } from './faults/operators.ts';
import { replicationFaults } from './faults/replication.ts';
import { storeFaults } from './faults/store.ts';
import type { World } from './world.ts';

const faults = {
  ...machineFaults,
  ...networkFaults,
  ...replicationFaults,
  ...storeFaults,
  ...operatorFaults,
} as const satisfies FaultKinds;

export type FaultKind = keyof typeof faults;

/** Strikes at random, again and again, and undoes each after a while. */
export class Faults {
  readonly #world: World;
  readonly #random: SeededRandom;
  readonly #running = new Set<() => void>();
  readonly #names: readonly FaultKind[];
  readonly counts: Map<string, number> = new Map();
  #stopped = false;

  /** @param only these kinds; default: those that the seed picks (swarm testing: some are left out, so that the others can go deep) */
  constructor(world: World, only?: readonly FaultKind[]) {
    this.#world = world;
    this.#random = world.random.fork('faults');
    const all = Object.keys(faults) as FaultKind[];
    const picked = all.filter(() => this.#random.chance(0.6));
    const kinds = only ?? (picked.length === 0 ? all : picked);
    this.#names = kinds.flatMap((kind) => Array.from({ length: faults[kind].weight }, () => kind));
  }

  start(): void {
    const meanMs = 300 + this.#random.next() * 3_000;
    const next = (): void => {
      this.#world.clock.after(this.#random.next() * 2 * meanMs, () => {
        if (this.#stopped) return;
        this.#strike();
        next();
      });
    };
    next();
  }

  #strike(): void {
    const kind = this.#random.pick(this.#names);
    this.counts.set(kind, (this.counts.get(kind) ?? 0) + 1);
    this.#world.trace.add('world', `FAULT ${kind}`);
    const undo = faults[kind].begin(this.#world, this.#random);
    if (undo === undefined) return;
    this.#running.add(undo);
    const lastsMs = this.#random.chance(0.7) ? 100 + this.#random.next() * 3_000 : this.#random.next() * 12_000;
    this.#world.clock.after(lastsMs, () => {
      if (this.#running.delete(undo)) undo();
    });
  }

  /** All is undone, every process runs. */
  end(): void {
    this.#stopped = true;
    this.#world.trace.add('world', 'ALL FAULTS END');
    for (const undo of this.#running) undo();
    this.#running.clear();
    this.#world.network.heal();
    this.#world.store.start();
    this.#world.weather.clear();
    for (const node of this.#world.nodes) node.restart();
  }
}

import type { SeededRandom } from '../../../src/sim/index.ts';
import type { SimulatedNode } from '../node.ts';
import type { World } from '../world.ts';

/** Something bad, begun now. Returns what undoes it. */
export type Fault = (world: World, random: SeededRandom) => (() => void) | undefined;

/** Kinds of fault, and how often each is drawn beside the others. */
export type FaultKinds = Readonly<Record<string, { readonly weight: number; readonly begin: Fault }>>;

export function leaderOf(world: World): SimulatedNode | undefined {
  return world.nodes.find((node) => node.name === world.observer.leadership?.leader);
}

/** Most often the leader: that is where faults matter. */
export function someNode(world: World, random: SeededRandom): SimulatedNode {
  return random.chance(0.5) ? (leaderOf(world) ?? random.pick(world.nodes)) : random.pick(world.nodes);
}

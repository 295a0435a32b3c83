export { SimulatedClock, SimulatedTime } from './clock.ts';
export { SimulatedDisk } from './disk.ts';
export { SimulatedNetwork, SimulatedPeers } from './network.ts';
export { seededRandom, type SeededRandom } from './random.ts';

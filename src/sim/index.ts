export { SimulatedClock, SimulatedTime, type SimulatedClockOptions } from './clock.ts';
export { SimulatedDisk } from './disk.ts';
export { calmWay, SimulatedNetwork, SimulatedPeers, type Way } from './network.ts';
export { seededRandom, type SeededRandom } from './random.ts';

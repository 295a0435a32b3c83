export { SimulatedClock, SimulatedTime, type SimulatedClockOptions } from './clock.ts';
export { seededRandom, type SeededRandom } from './random.ts';

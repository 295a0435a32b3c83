import type { Clock } from '../../../src/core/clock.ts';
import type { SeededRandom } from '../../../src/sim/index.ts';

/** Something that breaks. Resolves when it is mended. */
export interface Fault {
  readonly name: string;
  readonly inject: () => Promise<void>;
}

/** Calm between two faults of one injector. */
const calmMsMax = 700;

/** Injects each fault once per round, in an order drawn by chance; the injectors of servers and of clients run at the same time. */
export async function injectAll(clock: Clock, random: SeededRandom, rounds: number, faults: readonly Fault[]): Promise<string[]> {
  const injected: string[] = [];
  for (let round = 0; round < rounds; round += 1) {
    for (const { name, inject } of shuffled(random, faults)) {
      await clock.sleep(random.next() * calmMsMax);
      await inject();
      injected.push(name);
    }
  }
  return injected;
}

function shuffled<T>(random: SeededRandom, items: readonly T[]): T[] {
  return items
    .map((item) => ({ item, at: random.next() }))
    .toSorted((a, b) => a.at - b.at)
    .map(({ item }) => item);
}

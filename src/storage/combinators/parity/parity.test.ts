import { createClock } from '../../../runtime/clock.ts';
import { createRandom } from '../../../runtime/random.ts';
import { silentLogger } from '../../../core/logger.ts';
import { MemoryLocation, type MemoryObjects } from '../../adapters/memory/index.ts';
import { describeLocationContract } from '../../contract.ts';
import { createParity } from './parity.ts';

const clock = createClock();
const runtime = { clock, random: createRandom(), logger: silentLogger };

for (const [data, parity] of [
  [2, 1],
  [4, 2],
  [1, 1],
] as const) {
  const stores: MemoryObjects[] = Array.from({ length: data + parity }, () => new Map());
  describeLocationContract(`parity of ${data} + ${parity}`, {
    clock,
    open: async () =>
      createParity(
        'parity',
        stores.map((objects, n) => new MemoryLocation(`part-${n}`, { clock }, objects)),
        { data, parity },
        runtime,
      ),
  });
}

import { createClock } from '../../../runtime/clock.ts';
import { createRandom } from '../../../runtime/random.ts';
import { silentLogger } from '../../../core/logger.ts';
import { MemoryLocation, type MemoryObjects } from '../../adapters/memory/index.ts';
import { describeLocationContract } from '../../contract.ts';
import { createMirror } from './mirror.ts';

const clock = createClock();
const runtime = { clock, random: createRandom(), logger: silentLogger };

for (const count of [2, 3]) {
  const stores: MemoryObjects[] = Array.from({ length: count }, () => new Map());
  describeLocationContract(`a mirror of ${count}`, {
    clock,
    open: async () =>
      createMirror(
        'mirror',
        stores.map((objects, n) => new MemoryLocation(`part-${n}`, { clock }, objects)),
        runtime,
      ),
  });
}

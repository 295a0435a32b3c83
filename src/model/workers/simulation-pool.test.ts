import { expect, test } from 'vitest';
import { seededRandom } from '../../sim/random.ts';
import { simulate } from '../simulation/simulate.ts';
import type { SystemDescription } from '../system/system.ts';
import { simulateInWorkers } from './simulation-pool.ts';

const description: SystemDescription = {
  groups: [
    { name: 'disk', count: 3, failure: { kind: 'weibull', shape: 1.5, scale: 5 }, repair: { kind: 'lognormal', mu: -1, sigma: 0.8 } },
  ],
  crews: [{ name: 'crew', size: 1, groups: ['disk'] }],
  up: { working: ['disk'], atLeast: 2 },
};
const options = { times: [7, 30], replicationsMin: 330, relativeHalfWidth: 0.06 };

test('the answer is the same in this thread, in one worker and in three', async () => {
  const here = simulate(description, options, seededRandom(11));
  expect(here.stoppedBy).toBe('precision');
  expect(here.replications).toBeGreaterThan(330);
  for (const workers of [1, 3]) expect(await simulateInWorkers(description, options, seededRandom(11), { workers })).toEqual(here);
});

test('what goes wrong in a worker is told as it is here', async () => {
  const never: SystemDescription = {
    groups: [{ name: 'a', count: 1, failure: { kind: 'exponential', rate: 1 } }],
    up: { working: ['a'], atLeast: 0 },
  };
  await expect(simulateInWorkers(never, { times: [] }, seededRandom(1), { workers: 2 })).rejects.toMatchObject({
    code: 'MODEL_SIMULATION_ENDLESS',
  });
  const wrong: SystemDescription = { groups: [{ name: 'a', count: 0, failure: { kind: 'exponential', rate: 1 } }] };
  await expect(simulateInWorkers(wrong, { times: [1] }, seededRandom(1), { workers: 2 })).rejects.toMatchObject({
    code: 'MODEL_SYSTEM_INVALID',
  });
  await expect(simulateInWorkers(description, options, seededRandom(1), { workers: 0 })).rejects.toThrow('1 to 256 workers, not 0');
});

test('an abort ends it', async () => {
  const controller = new AbortController();
  const endless = { times: [1e6], relativeHalfWidth: 1e-9, replicationsMin: 1e6 };
  const running = simulateInWorkers(description, endless, seededRandom(1), { workers: 1, signal: controller.signal });
  controller.abort(new Error('enough'));
  await expect(running).rejects.toThrow('enough');
  await expect(simulateInWorkers(description, endless, seededRandom(1), { workers: 1, signal: controller.signal })).rejects.toThrow(
    'enough',
  );
});

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { silentLogger } from '../../../core/logger.ts';
import { createClock } from '../../../runtime/clock.ts';
import { createRandom } from '../../../runtime/random.ts';
import { describeLocationContract } from '../../contract.ts';
import { create } from './index.ts';

const runtime = { clock: createClock(), random: createRandom(), logger: silentLogger };

let directory: string;
describeLocationContract('a local directory', {
  clock: runtime.clock,
  start: async () => void (directory = await mkdtemp(join(tmpdir(), 'holdfast-local-'))),
  stop: () => rm(directory, { recursive: true }),
  open: async () => create('disk', directory, runtime),
});

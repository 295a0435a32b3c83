import { parentPort, workerData } from 'node:worker_threads';
import { HoldfastError, messageOf } from '../../core/errors.ts';
import { BlockRunner, type Block, type SimulationJob } from '../simulation/block.ts';
import type { Reply } from './simulation-pool.ts';

// One thread of a simulation: blocks in, sums out.

const port = parentPort!;
let runner: BlockRunner | undefined;

port.on('message', (block: Block) => {
  const reply = answer(block);
  port.postMessage(reply, 'sums' in reply ? [reply.sums.buffer as ArrayBuffer] : []);
});

function answer(block: Block): Reply {
  try {
    runner ??= new BlockRunner(workerData as SimulationJob);
    return runner.run(block);
  } catch (error) {
    // Classes do not travel between threads; their fields do.
    if (!(error instanceof HoldfastError)) return { failed: { message: messageOf(error) } };
    return { failed: { code: error.code, message: error.message, hint: error.hint } };
  }
}

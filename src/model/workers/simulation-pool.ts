import { Worker } from 'node:worker_threads';
import { HoldfastError } from '../../core/errors.ts';
import type { Random } from '../../core/random.ts';
import { jobOf, roundsOf, type SimulationAnswer, type SimulationOptions } from '../simulation/simulate.ts';
import type { Block, BlockResult, SimulationJob } from '../simulation/block.ts';
import type { SystemDescription } from '../system/system.ts';

/** What a worker says of a block. */
export type Reply = BlockResult | { readonly failed: { readonly code?: string; readonly message: string; readonly hint?: string } };

/** Threads beyond this only wait for each other. */
const WORKERS_MAX = 256;

export interface WorkerOptions {
  /** Threads, 1 to 256. */
  readonly workers: number;
  /** Ends the simulation, with the reason of the signal. */
  readonly signal?: AbortSignal;
}

/**
 * As `simulate`, in worker threads. The answer is the same for any number of them, to the last digit: replications have numbers and
 * streams of their own, and sums are made in the order of the numbers.
 *
 * @throws what `simulate` throws, and the signal's reason
 */
export async function simulateInWorkers(
  description: SystemDescription,
  options: SimulationOptions,
  random: Random,
  { workers, signal }: WorkerOptions,
): Promise<SimulationAnswer> {
  if (!(Number.isInteger(workers) && workers >= 1 && workers <= WORKERS_MAX))
    throw new HoldfastError('MODEL_SIMULATION_INVALID', `there can be 1 to ${WORKERS_MAX} workers, not ${workers}`);
  signal?.throwIfAborted();
  const job = jobOf(description, options, random);
  const rounds = roundsOf(job, options);
  let step = rounds.next();
  await using pool = new SimulationPool(job, workers);
  for (;;) {
    if (step.done === true) return step.value;
    step = rounds.next(await pool.run(step.value, signal));
  }
}

/** Threads that run blocks of one job. */
class SimulationPool implements AsyncDisposable {
  private readonly workers: readonly Worker[];

  constructor(job: SimulationJob, count: number) {
    this.workers = Array.from({ length: count }, () => new Worker(new URL('./worker.ts', import.meta.url), { workerData: job }));
    // A thread that fails before it was asked anything is noticed when it is.
    for (const worker of this.workers) worker.on('error', () => undefined);
  }

  /** Results in the order of the blocks. Every thread takes the next block when it has done one. */
  async run(blocks: readonly Block[], signal: AbortSignal | undefined): Promise<BlockResult[]> {
    const results: BlockResult[] = [];
    let next = 0;
    const serve = async (worker: Worker): Promise<void> => {
      while (next < blocks.length) {
        const index = next++;
        results[index] = await ask(worker, blocks[index]!, signal);
      }
    };
    await Promise.all(this.workers.map(serve));
    return results;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.workers.map((worker) => worker.terminate()));
  }
}

/** One block in one thread; its time is bounded by the events that a replication may have. */
function ask(worker: Worker, block: Block, signal: AbortSignal | undefined): Promise<BlockResult> {
  const { promise, resolve, reject } = Promise.withResolvers<BlockResult>();
  const onReply = (reply: Reply): void => {
    if (!('failed' in reply)) return resolve(reply);
    const { code = 'INTERNAL', message, hint = '' } = reply.failed;
    reject(new HoldfastError(code, message, { hint }));
  };
  const onExit = (code: number): void => reject(new HoldfastError('INTERNAL', `a simulation's thread ended with ${code}`));
  const onAbort = (): void => reject(signal!.reason as Error);
  worker.once('message', onReply);
  worker.once('error', reject);
  worker.once('exit', onExit);
  signal?.addEventListener('abort', onAbort, { once: true });
  // A thread that has ended says so no more.
  if (worker.threadId === -1) onExit(1);
  if (signal?.aborted === true) onAbort();
  worker.postMessage(block, []);
  return promise.finally(() => {
    worker.off('message', onReply);
    worker.off('error', reject);
    worker.off('exit', onExit);
    signal?.removeEventListener('abort', onAbort);
  });
}

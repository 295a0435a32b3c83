import { Worker } from 'node:worker_threads';
import type { SeedBatch, SeedWorkerData } from './seed-worker.ts';
import type { SeedReport } from './tally.ts';

/** Seeds that a thread is given at once: few, so that an interruption loses little. */
const batchSeeds = 4;
/** What is young in a simulation dies young: a larger nursery is collected less often. */
const youngGenerationMb = 64;

export interface SweepOptions {
  readonly from: number;
  readonly seeds: number;
  readonly workers: number;
  readonly planted: string | undefined;
  readonly signal: AbortSignal;
  readonly onReport: (report: SeedReport) => void;
}

/** Runs seeds on several threads, until all are done or it is aborted. @throws what ends a thread */
export async function sweep(options: SweepOptions): Promise<void> {
  const endSeed = options.from + options.seeds;
  let nextSeed = options.from;
  const next = (): SeedBatch | undefined => {
    if (nextSeed >= endSeed || options.signal.aborted) return undefined;
    const from = nextSeed;
    nextSeed = Math.min(endSeed, from + batchSeeds);
    return { from, count: nextSeed - from };
  };
  const workerData: SeedWorkerData = { planted: options.planted };
  const threads = Array.from(
    { length: Math.min(options.workers, Math.ceil(options.seeds / batchSeeds)) },
    () =>
      new Worker(new URL('seed-worker.ts', import.meta.url), {
        workerData,
        resourceLimits: { maxYoungGenerationSizeMb: youngGenerationMb },
      }),
  );
  try {
    await Promise.all(threads.map((thread) => feed(thread, next, options)));
  } finally {
    await Promise.all(threads.map((thread) => thread.terminate()));
  }
}

/** Keeps one thread busy; resolves when nothing is left for it. */
function feed(thread: Worker, next: () => SeedBatch | undefined, { signal, onReport }: SweepOptions): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const give = (): void => {
    const batch = next();
    if (batch === undefined) resolve();
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, not a window
    else thread.postMessage(batch);
  };
  thread.on('message', (reports: SeedReport[]) => {
    if (signal.aborted) return;
    for (const report of reports) onReport(report);
    give();
  });
  thread.on('error', reject);
  thread.on('exit', (code) => reject(new Error(`a thread of the simulation ended with ${code}`)));
  signal.addEventListener('abort', () => resolve(), { once: true });
  give();
  return promise;
}

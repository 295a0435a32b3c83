import { parentPort, workerData } from 'node:worker_threads';
import { planted } from './planted.ts';
import { runSeed, type RunOptions } from './run.ts';
import { reportOf, type SeedReport } from './tally.ts';

/** A thread that runs seeds, some at a time, as it is told. */
export interface SeedBatch {
  readonly from: number;
  readonly count: number;
}

/** What `workerData` is. */
export interface SeedWorkerData {
  /** Name of a planted bug. */
  readonly planted: string | undefined;
}

/** Nobody reads the trace of a seed that is one of thousands: it is run again for that. */
const traceLinesMax = 1;

const { planted: wanted } = workerData as SeedWorkerData;
const bug = planted.find((one) => one.variation.name === wanted);
const options: RunOptions = { traceLinesMax, ...(bug === undefined ? {} : { ...bug.options, variation: bug.variation }) };

parentPort?.on('message', (batch: SeedBatch) => {
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, not a window
  void runBatch(batch).then((reports) => parentPort?.postMessage(reports));
});

async function runBatch({ from, count }: SeedBatch): Promise<SeedReport[]> {
  const reports: SeedReport[] = [];
  for (let seed = from; seed < from + count; seed++) reports.push(reportOf(await runSeed(seed, options)));
  return reports;
}

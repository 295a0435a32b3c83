// A thread that does jobs one by one.
import { parentPort, workerData } from 'node:worker_threads';
import { HoldfastError, messageOf } from '../../core/errors.ts';
import { buffersOf, type JobKind, jobs, type Jobs } from './jobs.ts';
import type { Order, Report, WorkerStart } from './protocol.ts';

const { key } = workerData as WorkerStart;

parentPort!.on('message', ({ kind, input }: Order) => {
  const kept = buffersOf(input);
  const report = execute(kind, input);
  const handedOver = 'output' in report ? buffersOf(report.output) : [];
  parentPort!.postMessage(report, handedOver);
  // What is done with is given back at once: the collector would let it pile up.
  for (const buffer of kept) if (!buffer.detached) buffer.transfer(0);
});

function execute(kind: JobKind, input: Jobs[JobKind]['input']): Report {
  try {
    const job = jobs[kind] as (key: WorkerStart['key'], input: Jobs[JobKind]['input']) => Jobs[JobKind]['output'];
    return { output: job(key, input) };
  } catch (error) {
    const expected = error instanceof HoldfastError ? { code: error.code, hint: error.hint } : {};
    return { failure: { message: messageOf(error), ...expected } };
  }
}

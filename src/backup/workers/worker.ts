// A thread that does jobs one by one.
import { parentPort } from 'node:worker_threads';
import { HoldfastError, messageOf } from '../../core/errors.ts';
import { buffersOf, type JobKind, type Jobs, performJob } from './jobs.ts';
import { readSegments, type ReadResult } from '../reading/read-segments.ts';
import type { SealingKey } from '../crypto/seal.ts';
import { answerHeadBytes, answerStates, type JobOrder, type Order, type Question, type Report } from './protocol.ts';

let key: SealingKey;

parentPort!.on('message', (order: Order) => {
  if (order.kind === 'key') key = order.key;
  else if (order.kind === 'read') parentPort!.postMessage(...read(order));
  else doJob(order);
});

function doJob({ kind, input }: JobOrder): void {
  const report = outcome(() => performJob(key, kind, input));
  parentPort!.postMessage(report, 'output' in report ? buffersOf(report.output) : []);
}

function read({ segments, compresses, answer }: Extract<Order, { kind: 'read' }>): [Report, ArrayBuffer[]] {
  const state = new Int32Array(answer, 0, 1);
  const ask = (ids: Question['ids'], run: Question['run']): Uint8Array => {
    Atomics.store(state, 0, answerStates.none);
    const report: Report = { question: { ids, run } };
    parentPort!.postMessage(report, run === undefined ? [] : [run.stored.buffer]);
    Atomics.wait(state, 0, answerStates.none);
    if (Atomics.load(state, 0) === answerStates.refused) throw new Error('nothing more is to be read');
    return new Uint8Array(answer, answerHeadBytes, ids.length);
  };
  const report = outcome(() => readSegments(key, segments, compresses, ask));
  const run = 'output' in report ? (report.output as ReadResult).run : undefined;
  return [report, run === undefined ? [] : [run.stored.buffer]];
}

function outcome(work: () => Jobs[JobKind]['output'] | ReadResult): Report {
  try {
    return { output: work() };
  } catch (error) {
    const expected = error instanceof HoldfastError ? { code: error.code, hint: error.hint } : {};
    return { failure: { message: messageOf(error), ...expected } };
  }
}

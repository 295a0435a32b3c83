import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { HoldfastError } from '../../core/errors.ts';
import type { SealingKey } from '../crypto/seal.ts';
import { buffersOf, type JobKind, jobs, type Jobs } from './jobs.ts';
import type { ReadResult, Segment, WholeFile } from '../reading/read-segments.ts';
import { runBlobsMax } from '../pack/packer.ts';
import { answerHeadBytes, answerStates, type Order, type Question, type Report } from './protocol.ts';

/** Jobs below this size are done in place, which takes a millisecond: it is not worth a thread's start, nor a wait for one that reads. */
const inPlaceBytesMax = 128 * 1024;
/** As long as this much was done in all, no thread is started: small repositories are done with by then. */
const firstInPlaceBytes = 2 * 1024 * 1024;

/** Threads that are started at most: each takes some 20 MiB, and no store takes more than so many can seal. */
const threadsMax = 6;
/** What a thread has to collect is small: bytes lie outside of its heap. */
const maxYoungGenerationSizeMb = 2;

interface Waiting {
  readonly order: Order;
  readonly settle: PromiseWithResolvers<unknown>;
  /** Who answers what the thread asks meanwhile. */
  readonly answer?: Answer;
}

/** Takes over what was sealed, and tells which blobs are to be sealed: a byte each, 1 or 0. */
export type Answer = (question: Question) => Promise<Uint8Array>;

/**
 * Does jobs on as many threads as there are cores. Its queue is as long as its callers together let it be: each of them waits for room of
 * its own before it asks.
 */
export class WorkerPool implements AsyncDisposable {
  readonly size: number;
  #key: SealingKey | undefined;
  readonly #idle: Worker[] = [];
  readonly #busy = new Map<Worker, Waiting>();
  readonly #queue: Waiting[] = [];
  #inPlaceBytes = 0;
  #broken: Error | undefined;

  /** @param key undefined: `unlock` gives it before there is a job */
  constructor(key: SealingKey | undefined, size: number = Math.min(availableParallelism(), threadsMax)) {
    this.#key = key;
    this.size = size;
  }

  unlock(key: SealingKey): void {
    this.#key = key;
    for (const worker of this.#idle) worker.postMessage({ kind: 'key', key } satisfies Order, []);
  }

  /** Starts all threads though there is no work yet, for who will have some and waits for something else until then. */
  start(): void {
    for (let worker = this.#start(); worker !== undefined; worker = this.#start()) {
      worker.unref();
      this.#idle.push(worker);
    }
  }

  /**
   * Takes the buffers in `input` over; those in what it resolves to are the caller's.
   * @param bytes how much there is to do, where that is not what the buffers hold
   */
  async run<Kind extends JobKind>(
    kind: Kind,
    input: Jobs[Kind]['input'],
    bytes = buffersOf(input).reduce((sum, buffer) => sum + buffer.byteLength, 0),
  ): Promise<Jobs[Kind]['output']> {
    if (this.#broken) throw this.#broken;
    if (this.#isInPlace(bytes)) return jobs[kind](this.#key!, input);
    const settle = Promise.withResolvers<unknown>();
    this.#queue.push({ order: { kind, input }, settle });
    this.#dispatch();
    return (await settle.promise) as Jobs[Kind]['output'];
  }

  /**
   * Reads segments of files on a thread, which asks on its way. Who asks stands still: an answer must not wait for another job.
   * @throws what `answer` throws
   */
  async read(segments: readonly (Segment | WholeFile)[], compresses: boolean, answer: Answer): Promise<ReadResult> {
    if (this.#broken) throw this.#broken;
    const settle = Promise.withResolvers<unknown>();
    const room = new SharedArrayBuffer(answerHeadBytes + runBlobsMax);
    const answerThere: Answer = async (question) => {
      const state = new Int32Array(room, 0, 1);
      let given: (typeof answerStates)[keyof typeof answerStates] = answerStates.refused;
      try {
        const flags = await answer(question);
        new Uint8Array(room, answerHeadBytes).set(flags);
        given = answerStates.given;
        return flags;
      } finally {
        Atomics.store(state, 0, given);
        Atomics.notify(state, 0);
      }
    };
    this.#queue.push({ order: { kind: 'read', segments, compresses, answer: room }, settle, answer: answerThere });
    this.#dispatch();
    return (await settle.promise) as ReadResult;
  }

  #isInPlace(bytes: number): boolean {
    if (bytes <= inPlaceBytesMax || this.size === 0) return true;
    if (this.#busy.size > 0 || this.#inPlaceBytes + bytes > firstInPlaceBytes) return false;
    this.#inPlaceBytes += bytes;
    return true;
  }

  #dispatch(): void {
    while (this.#queue.length > 0) {
      const worker = this.#idle.pop() ?? this.#start();
      if (worker === undefined) return;
      const waiting = this.#queue.shift()!;
      this.#busy.set(worker, waiting);
      worker.ref();
      worker.postMessage(waiting.order, 'input' in waiting.order ? buffersOf(waiting.order.input) : []);
    }
  }

  #start(): Worker | undefined {
    if (this.#busy.size + this.#idle.length >= this.size) return undefined;
    const worker = new Worker(new URL('./worker.ts', import.meta.url), {
      resourceLimits: { maxYoungGenerationSizeMb },
    });
    worker.on('message', (report: Report) => this.#finish(worker, report));
    worker.on('error', (error) => this.#break(error instanceof Error ? error : new Error(String(error))));
    worker.on('exit', () => this.#break(new Error('a worker thread ended')));
    if (this.#key !== undefined) worker.postMessage({ kind: 'key', key: this.#key } satisfies Order, []);
    return worker;
  }

  #finish(worker: Worker, report: Report): void {
    const waiting = this.#busy.get(worker);
    // It ended its job while the pool was closed.
    if (waiting === undefined) return;
    const { settle, answer } = waiting;
    if ('question' in report) {
      // Its failure is the job's: what the thread tells then comes too late.
      answer!(report.question).catch((error: unknown) => settle.reject(error));
      return;
    }
    this.#busy.delete(worker);
    this.#idle.push(worker);
    // A thread without work keeps no program alive.
    worker.unref();
    if ('output' in report) settle.resolve(report.output);
    else settle.reject(revived(report.failure));
    this.#dispatch();
  }

  /** A thread that fell over has taken its job's buffers along: nobody can go on. */
  #break(error: Error): void {
    this.#broken ??= error;
    for (const { settle } of [...this.#busy.values(), ...this.#queue]) settle.reject(this.#broken);
    this.#queue.length = 0;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#break(new Error('the repository was closed'));
    const workers = [...this.#idle, ...this.#busy.keys()];
    this.#idle.length = 0;
    this.#busy.clear();
    await Promise.all(workers.map((worker) => worker.terminate()));
  }
}

function revived({ message, code, hint }: Extract<Report, { failure: unknown }>['failure']): Error {
  return code === undefined ? new Error(message) : new HoldfastError(code, message, hint === undefined ? {} : { hint });
}

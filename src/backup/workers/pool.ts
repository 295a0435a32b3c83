import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { HoldfastError } from '../../core/errors.ts';
import type { SealingKey } from '../crypto/seal.ts';
import { buffersOf, type JobKind, jobs, type Jobs, performJob } from './jobs.ts';
import type { ReadResult, Segment, WholeFile } from '../reading/read-segments.ts';
import { runBlobsMax } from '../pack/packer.ts';
import { answerHeadBytes, answerStates, type JobOrder, type Order, type Question, type Report } from './protocol.ts';

/** Jobs below this size are done in place, which takes a millisecond: it is not worth a thread's start, nor a wait for one that reads. */
const inPlaceBytesMax = 128 * 1024;
/** As long as this much was done in all, no thread is started: small repositories are done with by then. */
const firstInPlaceBytes = 2 * 1024 * 1024;
/** Jobs that a thread has at once where the caller works too: the one that it does, and one to go on with while the caller is busy. */
const jobsOfThreadMax = 2;
/** Threads that are started at most: each takes some 20 MiB, and no store takes more than so many can seal. */
const threadsMax = 6;
/** What a thread has to collect is small: bytes lie outside of its heap. */
const maxYoungGenerationSizeMb = 2;

export interface PoolOptions {
  /** How many do jobs at once: as many as there are cores when undefined. 0: all is done in place. */
  readonly size?: number | undefined;
  /**
   * Whether the calling thread does its share: then one fewer is started, which spares 20 MiB. For who has nothing else to serve meanwhile:
   * a job takes 10 to 50 ms, and longer where it writes to a slow disk.
   */
  readonly callerWorks?: boolean;
}

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
  readonly #threadsMax: number;
  readonly #callerWorks: boolean;
  #key: SealingKey | undefined;
  /** Each thread's orders, in the order in which it does them. */
  readonly #threads = new Map<Worker, Waiting[]>();
  readonly #queue: Waiting[] = [];
  #isToWorkHere = false;
  #inPlaceBytes = 0;
  #broken: Error | undefined;

  /** @param key undefined: `unlock` gives it before there is a job */
  constructor(key: SealingKey | undefined, { size = Math.min(availableParallelism(), threadsMax), callerWorks = false }: PoolOptions = {}) {
    this.#key = key;
    this.size = size;
    this.#callerWorks = callerWorks;
    this.#threadsMax = callerWorks && size > 1 ? size - 1 : size;
  }

  unlock(key: SealingKey): void {
    this.#key = key;
    for (const worker of this.#threads.keys()) worker.postMessage({ kind: 'key', key } satisfies Order, []);
  }

  /** Starts all threads though there is no work yet, for who will have some and waits for something else until then. */
  start(): void {
    while (this.#threads.size < this.#threadsMax) this.#start().unref();
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
    if ([...this.#threads.values()].some((orders) => orders.length > 0) || this.#inPlaceBytes + bytes > firstInPlaceBytes) return false;
    this.#inPlaceBytes += bytes;
    return true;
  }

  #dispatch(): void {
    for (let next = this.#queue[0]; next !== undefined; next = this.#queue[0]) {
      const worker = this.#workerFor(next.order);
      if (worker === undefined) break;
      this.#queue.shift();
      this.#threads.get(worker)!.push(next);
      worker.ref();
      worker.postMessage(next.order, 'input' in next.order ? buffersOf(next.order.input) : []);
    }
    if (this.#callerWorks && !this.#isToWorkHere && this.#queue.some(isJob)) {
      this.#isToWorkHere = true;
      // After what has come from disks and other threads meanwhile.
      setImmediate(() => this.#workHere());
    }
  }

  /** One without work, or else one that has it ahead of others still. */
  #workerFor(order: Order): Worker | undefined {
    for (const [worker, waiting] of this.#threads) if (waiting.length === 0) return worker;
    if (this.#threads.size < this.#threadsMax) return this.#start();
    // Files are read for long, and their reader is answered from here: nothing waits behind that.
    if (!this.#callerWorks || order.kind === 'read') return undefined;
    for (const [worker, waiting] of this.#threads) if (waiting.length < jobsOfThreadMax && waiting.every(isJob)) return worker;
    return undefined;
  }

  /** The caller's share: one job, then whatever else waits for it. */
  #workHere(): void {
    this.#isToWorkHere = false;
    const at = this.#queue.findIndex(isJob);
    if (at === -1) return;
    const [{ order, settle }] = this.#queue.splice(at, 1) as [Waiting];
    const { kind, input } = order as JobOrder;
    try {
      settle.resolve(performJob(this.#key!, kind, input));
    } catch (error) {
      settle.reject(error);
    }
    this.#dispatch();
  }

  #start(): Worker {
    const worker = new Worker(new URL('./worker.ts', import.meta.url), {
      resourceLimits: { maxYoungGenerationSizeMb },
    });
    this.#threads.set(worker, []);
    worker.on('message', (report: Report) => this.#finish(worker, report));
    worker.on('error', (error) => this.#break(error instanceof Error ? error : new Error(String(error))));
    worker.on('exit', () => this.#break(new Error('a worker thread ended')));
    if (this.#key !== undefined) worker.postMessage({ kind: 'key', key: this.#key } satisfies Order, []);
    return worker;
  }

  #finish(worker: Worker, report: Report): void {
    const orders = this.#threads.get(worker);
    const done = orders?.[0];
    // It ended its job while the pool was closed.
    if (orders === undefined || done === undefined) return;
    if ('question' in report) {
      // Its failure is the job's: what the thread tells then comes too late.
      done.answer!(report.question).catch((error: unknown) => done.settle.reject(error));
      return;
    }
    orders.shift();
    // A thread without work keeps no program alive.
    if (orders.length === 0) worker.unref();
    if ('output' in report) done.settle.resolve(report.output);
    else done.settle.reject(revived(report.failure));
    this.#dispatch();
  }

  /** A thread that fell over has taken its job's buffers along: nobody can go on. */
  #break(error: Error): void {
    this.#broken ??= error;
    for (const { settle } of [...this.#threads.values(), this.#queue].flat()) settle.reject(this.#broken);
    this.#queue.length = 0;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#break(new Error('the repository was closed'));
    const workers = [...this.#threads.keys()];
    this.#threads.clear();
    await Promise.all(workers.map((worker) => worker.terminate()));
  }
}

function isJob({ order }: Waiting): boolean {
  return 'input' in order;
}

function revived({ message, code, hint }: Extract<Report, { failure: unknown }>['failure']): Error {
  return code === undefined ? new Error(message) : new HoldfastError(code, message, hint === undefined ? {} : { hint });
}

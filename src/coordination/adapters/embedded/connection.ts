import { type FSWatcher, watch } from 'node:fs';
import { getCompileCacheDir } from 'node:module';
import { MessageChannel, type MessagePort, Worker } from 'node:worker_threads';
import type { Clock } from '../../../core/clock.ts';
import { HoldfastError } from '../../../core/errors.ts';
import { errorOf } from './failures.ts';
import type { Host } from './host.ts';
import type { FromWorker, OperationName, Operations, ToWorker, WorkerStart } from './protocol.ts';

/** How long the worker may take to end by itself. */
const closeMsMax = 2_000;
/** Heap of the worker: room for the largest list of values that makes sense, and no more. */
const heapMib = 64;

interface Pending {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
}

/** One worker thread with the file open. Once ended it stays so; the store then makes another. */
export class Connection {
  readonly #clock: Clock;
  readonly #worker: Worker;
  readonly #port: MessagePort;
  readonly #bell: Int32Array;
  readonly #pending = new Map<number, Pending>();
  /** Calls that nobody waits for any more, but whose effect is to be undone if they were done. */
  readonly #undo = new Map<number, (value: unknown) => void>();
  readonly #opened = Promise.withResolvers<void>();
  readonly #exited = Promise.withResolvers<void>();
  #watcher: FSWatcher | undefined;
  #ids = 0;
  #ended: HoldfastError | undefined;

  constructor(file: string, host: Host, clock: Clock) {
    this.#clock = clock;
    const { port1, port2 } = new MessageChannel();
    this.#port = port1;
    this.#bell = new Int32Array(new SharedArrayBuffer(4));
    const start: WorkerStart = { file, host, port: port2, bell: this.#bell };
    const cacheDirectory = getCompileCacheDir();
    this.#worker = new Worker(new URL('./worker.ts', import.meta.url), {
      name: 'holdfast-embedded-store',
      workerData: start,
      transferList: [port2],
      resourceLimits: { maxOldGenerationSizeMb: heapMib, maxYoungGenerationSizeMb: 4, stackSizeMb: 1 },
      env: cacheDirectory === undefined ? {} : { NODE_COMPILE_CACHE: cacheDirectory },
      execArgv: [],
    });
    this.#opened.promise.catch(() => {});
    this.#port.on('message', (message: FromWorker) => (message === 'opened' ? this.#start(file) : this.#hear(message)));
    this.#worker.on('error', (error) => this.#end(unreachable(file, 'its worker failed', error)));
    this.#worker.on('exit', () => {
      this.#end(unreachable(file, 'its file was replaced or its worker ended'));
      this.#exited.resolve();
    });
    // What waits for an answer keeps the program running, a store at rest does not.
    this.#worker.unref();
  }

  get ended(): boolean {
    return this.#ended !== undefined;
  }

  /** Resolves once the file is open. @throws COORD_UNSUITABLE, COORD_DENIED, COORD_UNREACHABLE */
  get opened(): Promise<void> {
    return this.#opened.promise;
  }

  /**
   * Runs one operation in the worker.
   * @param options.signal gives up waiting; @throws its reason
   * @param options.undo called with the result when the caller had given up, but it was done all the same
   */
  async call<Name extends OperationName>(
    name: Name,
    args: Parameters<Operations[Name]>,
    options: { signal: AbortSignal; undo?: (value: ReturnType<Operations[Name]>) => void },
  ): Promise<ReturnType<Operations[Name]>> {
    if (this.#ended !== undefined) throw this.#ended;
    options.signal.throwIfAborted();
    this.#ids += 1;
    const id = this.#ids;
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    const abandon = (): void => {
      this.#pending.delete(id);
      if (options.undo !== undefined) this.#undo.set(id, options.undo as (value: unknown) => void);
      this.#send({ cancel: id });
      reject(options.signal.reason);
    };
    options.signal.addEventListener('abort', abandon, { once: true });
    this.#pending.set(id, { resolve, reject });
    this.#port.ref();
    this.#send({ id, name, args } as ToWorker);
    try {
      return (await promise) as ReturnType<Operations[Name]>;
    } finally {
      options.signal.removeEventListener('abort', abandon);
      if (this.#pending.size === 0) this.#port.unref();
    }
  }

  /** Ends the worker; calls that wait fail. */
  async close(): Promise<void> {
    this.#send('close');
    using _limit = this.#clock.after(closeMsMax, () => void this.#worker.terminate());
    this.#worker.ref();
    await this.#exited.promise;
  }

  #send(message: ToWorker): void {
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a MessagePort has none
    this.#port.postMessage(message);
    this.#ring();
  }

  #ring(): void {
    Atomics.store(this.#bell, 0, 1);
    Atomics.notify(this.#bell, 0);
  }

  /** Whoever changes the file writes to its log first: that wakes the worker, which so has nothing to do at rest. */
  #start(file: string): void {
    try {
      this.#watcher = watch(`${file}-wal`, { persistent: false }, () => this.#ring());
      this.#watcher.on('error', () => this.#send('unannounced'));
    } catch {
      // As many watches as the kernel allows are in use.
      this.#send('unannounced');
    }
    this.#opened.resolve();
  }

  #hear(message: Exclude<FromWorker, 'opened'>): void {
    if ('refused' in message) return this.#end(errorOf(message.refused));
    if ('cancelled' in message) return void this.#undo.delete(message.cancelled);
    const { id, value } = message;
    const pending = this.#pending.get(id);
    this.#pending.delete(id);
    if (pending !== undefined) return pending.resolve(value);
    this.#undo.get(id)?.(value);
    this.#undo.delete(id);
  }

  #end(error: HoldfastError): void {
    if (this.#ended !== undefined) return;
    this.#ended = error;
    this.#opened.reject(error);
    for (const { reject } of this.#pending.values()) reject(error);
    this.#pending.clear();
    this.#undo.clear();
    this.#port.close();
    this.#watcher?.close();
  }
}

function unreachable(file: string, why: string, cause?: unknown): HoldfastError {
  return new HoldfastError('COORD_UNREACHABLE', `the embedded store ${file} does not answer: ${why}`, {
    retryable: true,
    hint: 'It is opened again with the next call. What was asked may or may not have happened.',
    cause,
  });
}

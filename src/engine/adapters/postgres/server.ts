import { HoldfastError } from '../../../core/errors.ts';
import type { DetachedProcess, ProcessIdentity } from '../../../core/processes.ts';
import type { MachineRuntime } from '../../../core/runtime.ts';
import type { EngineContext } from '../../engine.ts';
import type { Binaries } from './binaries.ts';
import { keepRunDirectory, type Places } from './places.ts';
import { readLogSince, readPidFile, removeStaleFiles, rotateLog, sizeOf, startFailure } from './server-files.ts';

/** How often it is checked that an adopted server lives; the end of a connection to it usually tells sooner. */
const watchMs = 50;
/** The same of our own child, whose exit we are told. */
const watchChildMs = 1_000;
const startPollMs = 5;
const killPollMs = 2;
/** A killed process that is stuck in the kernel (a dead disk) can outlast this; then we say so rather than wait. */
const killMsMax = 10_000;

export interface ServerOptions {
  readonly context: EngineContext;
  readonly places: Places;
  readonly binaries: Binaries;
  readonly runtime: MachineRuntime;
  readonly port: number;
  readonly listen: string;
}

/** The processes of one PostgreSQL server: the main one (postmaster) and everything that works in its data directory. */
export class Server {
  readonly #options: ServerOptions;
  readonly #listeners = new Set<() => void>();
  #main: ProcessIdentity | undefined;
  #watch: Disposable | undefined;
  #released = false;
  /** Grows with every stop, so that a start that was under way notices. */
  #stops = 0;

  constructor(options: ServerOptions) {
    this.#options = options;
  }

  /** The main process, if it runs. */
  get main(): ProcessIdentity | undefined {
    if (this.#main !== undefined && !this.#options.runtime.processes.isAlive(this.#main)) this.#died();
    return this.#main;
  }

  /** Called when the main process has ended and all others of the tree were killed: orphans could go on committing. */
  onDeath(listener: () => void): Disposable {
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) };
  }

  /** Takes over a server that runs in our data directory; undefined when none does. */
  adopt(): ProcessIdentity | undefined {
    if (this.main !== undefined) return this.main;
    const { processes } = this.#options.runtime;
    const pid = readPidFile(this.#options.places.data)?.pid;
    const found = processes.withWorkingDirectory(this.#options.places.data).find((identity) => identity.pid === pid);
    if (found !== undefined) this.#supervise(found);
    return found;
  }

  /**
   * Starts it, and returns when it accepts connections, or when `waitMsMax` has passed and it still recovers.
   * @throws ENGINE_PORT_IN_USE, ENGINE_NO_SPACE, ENGINE_NOT_STARTED, ENGINE_STOPPED, PROCESS_NOT_STARTED
   */
  async start(options: { signal: AbortSignal; waitMsMax: number }): Promise<void> {
    const { places, binaries, context, runtime, port } = this.#options;
    const stops = this.#stops;
    if (this.adopt() === undefined) {
      await this.#endAll();
      await keepRunDirectory(places, context.account);
      await removeStaleFiles(places.data, places.run, port);
      await rotateLog(places.log);
      options.signal.throwIfAborted();
      const logged = await sizeOf(places.log);
      this.#assertNotStopped(stops);
      const child = await runtime.processes.startDetached(binaries.program('postgres'), ['-D', places.data], {
        cwd: places.data,
        logFile: places.log,
        ...(context.account === undefined ? {} : { account: context.account }),
      });
      this.#supervise(child.identity, child);
      if (stops !== this.#stops) await this.#endAll();
      this.#assertNotStopped(stops);
      return await this.#untilReady(options, logged);
    }
    await this.#untilReady(options, await sizeOf(places.log));
  }

  async #untilReady({ signal, waitMsMax }: { signal: AbortSignal; waitMsMax: number }, logged: number): Promise<void> {
    const { places, runtime, listen } = this.#options;
    const deadline = runtime.clock.monotonicMs() + waitMsMax;
    while (runtime.clock.monotonicMs() < deadline) {
      const main = this.main;
      if (main === undefined) throw startFailure(await readLogSince(places.log, logged), listen, 'it ended');
      const file = readPidFile(places.data);
      if (file?.pid === main.pid && (file.status === 'ready' || file.status === 'standby')) return;
      await runtime.clock.sleep(startPollMs, signal);
    }
  }

  /** Asks the main process for a fast shutdown (SIGINT) and waits. True when it ended by then. */
  async stopFast(timeoutMs: number): Promise<boolean> {
    this.#stops += 1;
    const { clock, processes } = this.#options.runtime;
    const deadline = clock.monotonicMs() + timeoutMs;
    const main = this.main ?? this.adopt();
    if (main === undefined) return true;
    processes.kill(main, 'SIGINT');
    while (clock.monotonicMs() < deadline) {
      if (this.main === undefined) return true;
      await clock.sleep(killPollMs);
    }
    return false;
  }

  /**
   * Ends the whole tree: the main process stands still first, so that it starts no more, then all others and it are killed.
   * The first signals are sent before this returns its promise. @throws ENGINE_NOT_STOPPED
   */
  async killAll(): Promise<void> {
    this.#stops += 1;
    await this.#endAll();
  }

  async #endAll(): Promise<void> {
    const { clock, processes } = this.#options.runtime;
    const deadline = clock.monotonicMs() + killMsMax;
    // Looked for again until a look finds none: one may have been in the midst of being started.
    for (let killed = this.#signalAll(); killed.length > 0; killed = this.#signalAll()) {
      while (killed.some((identity) => processes.isAlive(identity))) {
        if (clock.monotonicMs() > deadline) {
          throw new HoldfastError('ENGINE_NOT_STOPPED', `processes of PostgreSQL outlast SIGKILL in '${this.#options.places.data}'`, {
            retryable: true,
            hint: 'They are stuck in the kernel, most often on a disk that does not answer. Look at the disk; if need be, power the machine off.',
          });
        }
        await clock.sleep(killPollMs);
      }
    }
    if (this.#main !== undefined) void this.main;
  }

  #signalAll(): ProcessIdentity[] {
    const { processes } = this.#options.runtime;
    const { data } = this.#options.places;
    const mainPid = this.#main?.pid ?? readPidFile(data)?.pid;
    const main = this.#main ?? processes.withWorkingDirectory(data).find(({ pid }) => pid === mainPid);
    if (main !== undefined) processes.kill(main, 'SIGSTOP');
    // Looked for only after the main process stood still: it has started all that it will.
    const all = processes.withWorkingDirectory(data).filter(({ pid }) => pid !== process.pid);
    for (const identity of all) if (identity.pid !== mainPid) processes.kill(identity, 'SIGKILL');
    if (main !== undefined) processes.kill(main, 'SIGKILL');
    return all;
  }

  /** Asks whether it lives right now: to be called when a connection to it ended. */
  check(): void {
    void this.main;
  }

  /** Lets go of a running server for good; it goes on. What is still under way finds it as before, but watches over it no more. */
  release(): void {
    this.#released = true;
    this.#watch?.[Symbol.dispose]();
    this.#watch = undefined;
    this.#main = undefined;
    this.#listeners.clear();
  }

  #assertNotStopped(stops: number): void {
    if (stops !== this.#stops) {
      throw new HoldfastError('ENGINE_STOPPED', 'PostgreSQL was stopped while it was being started', {
        retryable: true,
        hint: 'It is started again where it is to run.',
      });
    }
  }

  #supervise(main: ProcessIdentity, child?: DetachedProcess): void {
    this.#main = main;
    // A watch would keep this process alive for ever.
    if (this.#released) return;
    void child?.exited.then(() => {
      if (this.#main === main) this.#died();
    });
    const { clock } = this.#options.runtime;
    const watch = (): void => {
      this.#watch = clock.after(child === undefined ? watchMs : watchChildMs, () => {
        if (this.main !== undefined) watch();
      });
    };
    this.#watch?.[Symbol.dispose]();
    watch();
  }

  #died(): void {
    this.#main = undefined;
    this.#watch?.[Symbol.dispose]();
    this.#watch = undefined;
    this.#signalAll();
    for (const listener of this.#listeners) listener();
  }
}

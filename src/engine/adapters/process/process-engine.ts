import { chown, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { HoldfastError, messageOf } from '../../../core/errors.ts';
import type { Account } from '../../../core/processes.ts';
import type { MachineRuntime } from '../../../core/runtime.ts';
import type { Engine, EngineContext, EngineCredentials, EngineObservation, GuardTarget, MemberAddress, Position } from '../../engine.ts';
import { accountFor, requireProgram } from './account.ts';
import type { ProcessConfig } from './config.ts';
import { knock } from './health.ts';
import { lastWords, sizeOf } from './log-file.ts';
import { Session } from './session.ts';
import { Watch } from './watch.ts';

/** A process without a health check counts as started once it has lived so long. */
const settledMs = 200;
const startPollMs = 10;
/** Where there is no history all members are equally far. */
const nowhere: Position = { timeline: 0, lsn: 0n };

/** Any command as an active/standby service: it runs where the leadership is, and nowhere else. */
export class ProcessEngine implements Engine {
  readonly capabilities = { kind: 'process', replicated: false } as const;
  readonly address: MemberAddress;
  readonly #config: ProcessConfig;
  readonly #context: EngineContext;
  readonly #runtime: MachineRuntime;
  readonly #account: Account | undefined;
  readonly #session: Session;
  readonly #watch: Watch;
  readonly #pidFile: string;
  readonly #logFile: string;
  readonly #workDir: string;
  readonly #listeners = new Set<() => void>();
  /** Grows with every stop, so that a start that is under way notices. */
  #stops = 0;
  #failure: EngineObservation['failure'];

  static async open(config: ProcessConfig, context: EngineContext, runtime: MachineRuntime): Promise<ProcessEngine> {
    await requireProgram(config.command[0]!);
    if (config.health?.command !== undefined) await requireProgram(config.health.command[0]!);
    return new ProcessEngine(config, context, await accountFor(config, context), runtime);
  }

  private constructor(config: ProcessConfig, context: EngineContext, account: Account | undefined, runtime: MachineRuntime) {
    this.#config = config;
    this.#context = context;
    this.#account = account;
    this.#runtime = runtime;
    this.#pidFile = join(context.stateDir, 'pid');
    this.#logFile = join(context.stateDir, 'process.log');
    this.#workDir = config.cwd ?? join(context.stateDir, 'work');
    this.#session = new Session(this.#pidFile, runtime);
    this.#watch = new Watch({
      health: config.health,
      surroundings: this.#surroundings(),
      logFile: this.#logFile,
      session: this.#session,
      runtime,
      onDeath: (why) => this.#died(why),
    });
    this.address = { node: context.node, host: config.listen?.host ?? context.node, port: config.listen?.port ?? 0 };
  }

  async adopt({ signal }: { signal: AbortSignal }): Promise<void> {
    signal.throwIfAborted();
    if ((await this.#session.recall()) === undefined) return await this.#session.killAll();
    this.#watch.begin();
  }

  async inspect(): Promise<EngineObservation> {
    const main = this.#session.running;
    const resting = { data: 'present', accepting: false, position: nowhere, replicas: [], pendingRestart: false } as const;
    const failure = this.#failure === undefined ? {} : { failure: this.#failure };
    if (main === undefined) return { ...resting, running: false, role: 'none', ...failure };
    return { ...resting, running: true, accepting: this.#watch.well, pid: main.pid, role: 'primary', acknowledge: null, ...failure };
  }

  onDeath(listener: () => void): Disposable {
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) };
  }

  /** There are no data to make. */
  async bootstrap(): Promise<void> {}

  /** @throws ENGINE_NOT_STARTED, PROCESS_NOT_STARTED, ENGINE_STOPPED */
  async startPrimary({ signal }: { signal: AbortSignal }): Promise<void> {
    signal.throwIfAborted();
    if (this.#session.running !== undefined && this.#watch.well) return;
    const stops = this.#stops;
    const offset = await sizeOf(this.#logFile);
    this.#failure = undefined;
    try {
      await this.#prepareWorkDir();
      const launch = { command: this.#config.command, logFile: this.#logFile, ...this.#surroundings() };
      const child = await this.#session.start(launch, () => this.#assertNotStopped(stops));
      this.#watch.begin(child);
      await this.#untilWell(stops, signal);
    } catch (error) {
      this.#watch.end();
      await this.#session.killAll();
      throw await this.#explain(error, offset);
    }
  }

  /** Never a replica: to follow is to stand by. */
  async follow(): Promise<void> {
    await this.stop('immediate');
  }

  async rejoin(): Promise<void> {
    await this.follow();
  }

  async provision(): Promise<void> {}

  async freeze(): Promise<Position> {
    return nowhere;
  }

  async promote(options: { signal: AbortSignal }): Promise<Position> {
    await this.startPrimary(options);
    return nowhere;
  }

  async acknowledge(): Promise<bigint> {
    return 0n;
  }

  async checkpoint(): Promise<void> {}

  async retain(): Promise<void> {}

  /** SIGTERM to the main process alone, which knows its children; whoever is left when it has ended, or the time has passed, is killed. */
  async stop(mode: 'clean' | 'immediate', options: { timeoutMs: number } = { timeoutMs: 0 }): Promise<Position | undefined> {
    this.#stops += 1;
    this.#watch.end();
    if (mode === 'immediate') {
      await this.#session.killAll();
      return undefined;
    }
    const { clock } = this.#runtime;
    const deadline = clock.monotonicMs() + Math.min(options.timeoutMs, this.#config.stopTimeout);
    this.#session.terminate();
    while (this.#session.running !== undefined && clock.monotonicMs() < deadline) await clock.sleep(startPollMs);
    const clean = this.#session.running === undefined;
    await this.#session.killAll();
    return clean ? nowhere : undefined;
  }

  async setAside(): Promise<string> {
    throw new HoldfastError(
      'ENGINE_NO_DATA',
      `${this.#context.service} is a process: Holdfast keeps no data of it that could be set aside`,
      {
        hint: 'To start it anew use `holdfast restart`.',
      },
    );
  }

  async reachable(member: MemberAddress, { timeoutMs }: { timeoutMs: number }): Promise<'answers' | 'refused' | 'silent'> {
    return member.port === 0 ? 'silent' : await knock(member, this.#runtime, { timeoutMs });
  }

  /** There are none to share. */
  async credentials(): Promise<EngineCredentials> {
    return {};
  }

  async acceptCredentials(): Promise<void> {}

  guardTarget(): GuardTarget {
    return { by: 'session', pidFile: this.#pidFile };
  }

  /** The service goes on, for the next agent to adopt. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#watch.end();
  }

  #surroundings() {
    const env = { ...this.#config.env, HOLDFAST_SERVICE: this.#context.service, HOLDFAST_NODE: this.#context.node };
    return { account: this.#account, cwd: this.#workDir, env };
  }

  async #prepareWorkDir(): Promise<void> {
    if (this.#config.cwd !== undefined) return;
    await mkdir(this.#workDir, { recursive: true, mode: 0o700 });
    if (this.#account !== undefined) await chown(this.#workDir, this.#account.uid, this.#account.gid);
  }

  async #untilWell(stops: number, signal: AbortSignal): Promise<void> {
    const { clock } = this.#runtime;
    const startedMs = clock.monotonicMs();
    const isWell = (): boolean => (this.#config.health === undefined ? clock.monotonicMs() - startedMs >= settledMs : this.#watch.well);
    while (!isWell()) {
      await clock.sleep(startPollMs, signal);
      this.#assertNotStopped(stops);
      if (this.#session.running === undefined) throw notStarted(this.#context.service, 'it ended at once');
      if (clock.monotonicMs() - startedMs > this.#config.startTimeout) {
        throw notStarted(
          this.#context.service,
          `it was not well within ${this.#config.startTimeout} ms: ${this.#watch.verdict ?? 'it never answered'}`,
        );
      }
    }
    this.#assertNotStopped(stops);
  }

  #assertNotStopped(stops: number): void {
    if (this.#stops !== stops)
      throw new HoldfastError('ENGINE_STOPPED', `${this.#context.service} was stopped while it started`, { retryable: true });
  }

  async #explain(error: unknown, offset: number): Promise<unknown> {
    if (!(error instanceof HoldfastError) || error.code !== 'ENGINE_NOT_STARTED') return error;
    const said = await lastWords(this.#logFile, offset);
    const explained = notStarted(
      this.#context.service,
      said === '' ? messageOf(error.cause) : `${messageOf(error.cause)}; it said: ${said}`,
    );
    this.#failure = { code: explained.code, message: explained.message, hint: `${explained.hint} Its output is in ${this.#logFile}.` };
    return explained;
  }

  #died(why: string): void {
    this.#failure = { code: 'ENGINE_DIED', message: `${this.#context.service} died: ${why}`, hint: `Its output is in ${this.#logFile}.` };
    this.#runtime.logger.warn('engine.process.died', { service: this.#context.service, why });
    for (const listener of this.#listeners) listener();
  }
}

function notStarted(service: string, why: string): HoldfastError {
  return new HoldfastError('ENGINE_NOT_STARTED', `${service} did not start: ${why}`, {
    retryable: true,
    hint: 'Run process.command by hand as that user, and see what it lacks.',
    cause: new Error(why),
  });
}

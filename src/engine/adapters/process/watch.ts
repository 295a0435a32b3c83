import type { DetachedProcess } from '../../../core/processes.ts';
import type { MachineRuntime } from '../../../core/runtime.ts';
import { probe, type Health, type Surroundings, type Verdict } from './health.ts';
import { trimLog } from './log-file.ts';
import type { Session } from './session.ts';

/** How often it is looked whether the main process that another agent started lives; of our own child the exit tells at once. */
const lookMs = 50;
/** Probes follow each other faster until the first one succeeds. */
const firstProbesMs = 100;
const trimEveryMs = 60_000;

export interface WatchOptions {
  readonly health: Health | undefined;
  readonly surroundings: Surroundings;
  readonly logFile: string;
  readonly session: Session;
  readonly runtime: MachineRuntime;
  /** Called once per run, when everything of it has ended: whoever works on after the main process is killed, so is what fails its probes. */
  readonly onDeath: (why: string) => void;
}

/** Looks after a running session: is it alive, is it well. */
export class Watch {
  readonly #options: WatchOptions;
  #stop: AbortController | undefined;
  #well = false;
  #verdict: Verdict;

  constructor(options: WatchOptions) {
    this.#options = options;
  }

  /** The last probes succeeded; without probes: it is watched. A few failures in a row do not count yet. */
  get well(): boolean {
    return this.#well;
  }

  /** What the last probe found. */
  get verdict(): Verdict {
    return this.#verdict;
  }

  begin(child?: DetachedProcess): void {
    this.end();
    const stop = (this.#stop = new AbortController());
    this.#verdict = undefined;
    this.#well = this.#options.health === undefined;
    if (child === undefined) void this.#untilEnd(stop, () => this.#lookForDeath(stop));
    else
      void child.exited.then(({ code, signal }) =>
        this.#dead(stop, signal === null ? `it ended with ${code}` : `it was ended by ${signal}`),
      );
    void this.#untilEnd(stop, () => this.#probeForever(stop));
    void this.#untilEnd(stop, () => this.#trimForever(stop));
  }

  end(): void {
    this.#stop?.abort(new Error('no longer watched'));
    this.#stop = undefined;
    this.#well = false;
  }

  async #lookForDeath(stop: AbortController): Promise<void> {
    const { session, runtime } = this.#options;
    while (session.running !== undefined) await runtime.clock.sleep(lookMs, stop.signal);
    await this.#dead(stop, 'its main process has ended');
  }

  async #probeForever(stop: AbortController): Promise<void> {
    const { health, surroundings, runtime } = this.#options;
    if (health === undefined) return;
    const { clock } = runtime;
    for (let failures = 0; ;) {
      const beganMs = clock.monotonicMs();
      this.#verdict = await probe(health, surroundings, runtime, stop.signal);
      // A probe that took far longer than it may tells of a stall of ours, not of the service.
      const stalled = clock.monotonicMs() - beganMs > 2 * health.timeout + lookMs;
      if (this.#verdict === undefined) {
        this.#well = true;
        failures = 0;
      } else if (!stalled && this.#well) {
        failures += 1;
        runtime.logger.warn('engine.process.probe.failed', { verdict: this.#verdict, failures });
      }
      if (failures >= health.failures) return await this.#dead(stop, `${failures} health checks in a row failed: ${this.#verdict}`);
      await clock.sleep(this.#well ? health.interval : Math.min(health.interval, firstProbesMs), stop.signal);
    }
  }

  async #trimForever(stop: AbortController): Promise<void> {
    for (;;) {
      await trimLog(this.#options.logFile);
      await this.#options.runtime.clock.sleep(trimEveryMs, stop.signal);
    }
  }

  async #dead(stop: AbortController, why: string): Promise<void> {
    if (stop.signal.aborted) return;
    this.end();
    try {
      await this.#options.session.killAll();
    } catch (error) {
      this.#options.runtime.logger.error('engine.process.outlasts', { error });
    }
    this.#options.onDeath(why);
  }

  async #untilEnd(stop: AbortController, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      if (!stop.signal.aborted) this.#options.runtime.logger.error('engine.process.watch.failed', { error });
    }
  }
}

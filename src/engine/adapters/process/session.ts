import { constants, readFileSync, rmSync } from 'node:fs';
import { open, readFile, rename } from 'node:fs/promises';
import { HoldfastError } from '../../../core/errors.ts';
import type { Account, DetachedProcess, ProcessIdentity } from '../../../core/processes.ts';
import type { MachineRuntime } from '../../../core/runtime.ts';

export interface Launch {
  readonly command: readonly string[];
  readonly account: Account | undefined;
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
  readonly logFile: string;
}

/**
 * Becomes the command only once its pid is on record: were this agent to die between the start and the record, nothing would ever run that
 * neither its successor nor the guard knows of. `exec` keeps the pid, the session and the start time.
 */
const launcher = `
pid_file=$1
shift
tries=0
while [ "$tries" -lt 1000 ]; do
  { read -r pid rest < "$pid_file"; } 2>/dev/null
  if [ "$pid" = "$$" ]; then exec "$@"; fi
  sleep 0.01
  tries=$((tries + 1))
done
exit 75`;

const killPollMs = 5;
/** A killed process that is stuck in the kernel (a dead disk) can outlast this; then we say so rather than wait. */
const killMsMax = 10_000;

/**
 * A command and all that it starts, as one session (setsid). On record in the pid file: `PID TICKS BOOT-ID`, for the guard and the next
 * agent. A program that leaves its session (a daemon of the old kind) is not held: it must stay in the foreground.
 */
export class Session {
  readonly #pidFile: string;
  readonly #runtime: MachineRuntime;
  #leader: ProcessIdentity | undefined;

  constructor(pidFile: string, runtime: MachineRuntime) {
    this.#pidFile = pidFile;
    this.#runtime = runtime;
  }

  /** The main process, if it runs. */
  get running(): ProcessIdentity | undefined {
    return this.#leader !== undefined && this.#runtime.processes.isAlive(this.#leader) ? this.#leader : undefined;
  }

  /** Finds what an earlier agent started in this boot. */
  async recall(): Promise<ProcessIdentity | undefined> {
    const text = await readFile(this.#pidFile, 'latin1').catch(() => '');
    const [, pid, startTicks, boot] = /^(\d{1,10}) (\d{1,19}) ([0-9a-f-]{36})\n$/.exec(text) ?? [];
    if (pid !== undefined && boot === bootId()) this.#leader ??= { pid: Number(pid), startTicks: Number(startTicks) };
    return this.running;
  }

  /**
   * @param assertWanted called in the moment before which nothing of it can have run, and after which `killAll` ends it
   * @throws PROCESS_NOT_STARTED, ENGINE_NOT_STOPPED when something of an earlier run is left, what `assertWanted` throws
   */
  async start(launch: Launch, assertWanted: () => void): Promise<DetachedProcess> {
    await this.recall();
    await this.killAll();
    const { account, cwd, env, logFile } = launch;
    const args = ['-c', launcher, 'holdfast', this.#pidFile, ...launch.command];
    const child = await this.#runtime.processes.startDetached('/bin/sh', args, {
      cwd,
      env,
      logFile,
      ...(account === undefined ? {} : { account }),
    });
    try {
      assertWanted();
    } catch (error) {
      this.#runtime.processes.kill(child.identity, 'SIGKILL');
      throw error;
    }
    this.#leader = child.identity;
    await this.#record(child.identity);
    return child;
  }

  terminate(): void {
    if (this.#leader === undefined) return;
    this.#runtime.processes.kill(this.#leader, 'SIGTERM');
    // A stopped process would never hear of it.
    this.#runtime.processes.kill(this.#leader, 'SIGCONT');
  }

  /**
   * Ends everything of it: the main process stands still first, so that it starts no more. The first signals are sent before this returns
   * its promise. @throws ENGINE_NOT_STOPPED
   */
  async killAll(): Promise<void> {
    const leader = this.#leader;
    if (leader === undefined) return;
    const { clock } = this.#runtime;
    const deadline = clock.monotonicMs() + killMsMax;
    while (this.#signalAll(leader) > 0) {
      if (clock.monotonicMs() > deadline) {
        throw new HoldfastError('ENGINE_NOT_STOPPED', `processes of session ${leader.pid} outlast SIGKILL`, {
          retryable: true,
          hint: 'They are stuck in the kernel, most often on a disk that does not answer. Look at the disk; if need be, power the machine off.',
        });
      }
      await clock.sleep(killPollMs);
    }
    // Another may have been started meanwhile.
    if (this.#leader !== leader) return;
    this.#leader = undefined;
    rmSync(this.#pidFile, { force: true });
  }

  #signalAll(leader: ProcessIdentity): number {
    const { processes } = this.#runtime;
    const now = processes.identify(leader.pid);
    // The number went to somebody else: a session with members would have kept it.
    if (now !== undefined && now.startTicks !== leader.startTicks) return 0;
    processes.kill(leader, 'SIGSTOP');
    const members = processes.inSession(leader.pid);
    for (const member of members) if (member.pid !== leader.pid) processes.kill(member, 'SIGKILL');
    processes.kill(leader, 'SIGKILL');
    return members.length;
  }

  async #record({ pid, startTicks }: ProcessIdentity): Promise<void> {
    const { O_WRONLY, O_CREAT, O_TRUNC, O_NOFOLLOW } = constants;
    const temporary = `${this.#pidFile}.tmp`;
    {
      // Readable for the launcher, which runs as the service's user.
      await using file = await open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, 0o644);
      await file.writeFile(`${pid} ${startTicks} ${bootId()}\n`);
    }
    await rename(temporary, this.#pidFile);
  }
}

/** Differs for each boot of the machine (random(4)). */
function bootId(): string {
  return readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim();
}

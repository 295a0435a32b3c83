import { randomBytes } from 'node:crypto';
import { HoldfastError, messageOf } from '../../core/errors.ts';
import type { ProcessIdentity } from '../../core/processes.ts';
import type { MachineRuntime } from '../../core/runtime.ts';
import type { GuardTarget } from '../../engine/engine.ts';
import type { Fence } from '../fencing.ts';
import { GuardHome, type Strike } from './home.ts';
import { GuardPipe } from './pipe.ts';

export interface GuardOptions {
  /** The member's own directory: the guard's is `guard` in it. */
  readonly stateDir: string;
  readonly target: GuardTarget;
  /** A watchdog device that resets the machine when the guard itself stands still, for example /dev/watchdog. */
  readonly watchdog?: string;
  /** A cgroup v2 directory that holds the service and nothing else: killed as a whole, first. */
  readonly cgroup?: string;
  /** Told once of each kill, when this or a later agent next has to do with the guard: it may have been stalled or gone at the time. */
  readonly onStrike?: (strike: Strike) => void;
}

/** How long a guard may take to start. Under heavy load it takes a tenth of it. */
const startMsMax = 5_000;
/** How often it is asked the same, and how long each time: then it counts as stalled. */
const asksMax = 10;
const askAgainMs = 300;
/** How long a guard that is killing may take before whoever arms it is told to come again. */
const strikeMsMax = 10_000;
const endMsMax = 2_000;
/** Between two looks for an answer, a start or an end. */
const pollMs = 2;
/** How often a renewal asks for an answer, and after how long without one the guard counts as stalled. */
const probeEveryMs = 1_000;
/** A later deadline is passed on once it is later by this share of the time that is left: each wakes the guard, and one that is a little too early harms nobody. */
export const renewShare = 1 / 8;
const stalledMsMax = 2_500;
/** Pause before a guard that could not be started is started again. */
const healAgainMs = 1_000;

/**
 * Attaches to the guard that an earlier agent left, without moving its deadline; starts none.
 * @throws GUARD_UNAVAILABLE when the directory can not be prepared
 */
export async function openGuard(options: GuardOptions, runtime: MachineRuntime): Promise<Fence> {
  const guard = new ProcessGuard(options, { ...runtime, logger: runtime.logger.child({ part: 'guard' }) });
  await guard.open();
  return guard;
}

type Verb = 'own -' | 'end -' | `deadline ${number | 'never'}`;

/** A member's self-fence: a tiny process that outlives the agent. */
class ProcessGuard implements Fence {
  readonly #home: GuardHome;
  readonly #options: GuardOptions;
  readonly #runtime: MachineRuntime;
  /** Ours alone: what an agent before us still writes is ignored from when we have said it. */
  readonly #owner = randomBytes(8).toString('hex');
  #pipe: GuardPipe | undefined;
  #identity: ProcessIdentity | undefined;
  /** Of the questions asked, the last; that was answered; that will be once the guard has done killing; that was not ours to ask. */
  #sequence = 0;
  #answered = 0;
  #postponed = 0;
  #refused = 0;
  /** The last question that a renewal asked, when it waits for an answer. */
  #probe: { readonly sequence: number; readonly sentMs: number } | undefined;
  #probedMs = -Infinity;
  /** The last deadline that a renewal passed on; `never`: the next one is passed on in any case. */
  #sent: number | 'never' = 'never';
  #busy: Promise<unknown> = Promise.resolve();
  #working = 0;
  #healing: { deadline: number | 'never' } | undefined;
  #healNotBeforeMs = -Infinity;
  #closed = false;
  /** Not needed, until it is armed again. */
  #ended = false;

  constructor(options: GuardOptions, runtime: MachineRuntime) {
    this.#options = options;
    this.#runtime = runtime;
    this.#home = new GuardHome(options.stateDir);
  }

  get pid(): number | undefined {
    const identity = this.#identity;
    return identity !== undefined && this.#runtime.processes.isAlive(identity) ? identity.pid : undefined;
  }

  async open(): Promise<void> {
    await this.#orUnavailable(async () => {
      await this.#home.prepare(this.#runtime);
      await this.#reportStrike();
      if (await this.#attach()) this.#runtime.logger.info('guard.attached', { pid: this.#identity?.pid });
    });
  }

  arm(deadlineBootMs: number | 'never'): Promise<void> {
    return this.#alone(() =>
      this.#orUnavailable(async () => {
        this.#sent = 'never';
        this.#ended = false;
        await this.#arm(deadlineBootMs);
        await this.#reportStrike();
      }),
    );
  }

  renew(deadlineBootMs: number | 'never'): void {
    // Whoever still renews one that has ended means that one: another would be left behind.
    if (this.#closed || this.#ended) return;
    if (this.#healing !== undefined) {
      this.#healing.deadline = deadlineBootMs;
      return;
    }
    // Whoever starts it now says the deadline too.
    if (this.#pipe === undefined && this.#working > 0) return;
    const nowMs = this.#runtime.clock.monotonicMs();
    if (this.#pipe !== undefined && nowMs - this.#probedMs < probeEveryMs && this.#isSoonEnough(deadlineBootMs)) return;
    this.#readAnswers();
    const stalled = this.#probe !== undefined && nowMs - this.#probe.sentMs > stalledMsMax;
    const asking = this.#probe === undefined && nowMs - this.#probedMs >= probeEveryMs;
    if (asking) this.#sequence += 1;
    this.#sent = deadlineBootMs;
    if (!stalled && this.#send(deadline(deadlineBootMs), asking ? this.#sequence : '-')) {
      if (!asking) return;
      this.#probe = { sequence: this.#sequence, sentMs: nowMs };
      this.#probedMs = nowMs;
    } else if (nowMs >= this.#healNotBeforeMs) {
      this.#heal(deadlineBootMs, stalled);
    }
  }

  end(): Promise<void> {
    return this.#alone(async () => {
      this.#ended = true;
      await this.#reportStrike();
      if (this.#pipe === undefined && !(await this.#attach())) return;
      // Another agent has it by now.
      if ((await this.#ask('end -')) === 'taken') return this.#detach();
      const identity = this.#identity;
      if (identity !== undefined && !(await this.#until(() => !this.#runtime.processes.isAlive(identity), endMsMax))) {
        this.#runtime.processes.kill(identity, 'SIGKILL');
      }
      this.#detach();
    });
  }

  /** The guard stays: it is for the time when we are gone. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    await this.#busy;
    this.#detach();
  }

  async #arm(deadlineBootMs: number | 'never'): Promise<void> {
    // It belongs to the next agent: taken from that one, it would hear of no renewal any more.
    if (this.#closed) throw new Error('this agent has let go of it');
    if (this.#pipe === undefined && !(await this.#attach())) await this.#start();
    let answer = await this.#ask(deadline(deadlineBootMs));
    if (answer === 'taken') {
      await this.#ask('own -');
      answer = await this.#ask(deadline(deadlineBootMs));
    }
    if (answer === 'ok') return;
    if (answer === 'killing') {
      throw new HoldfastError('GUARD_KILLING', `the guard is still ending what was left of this member`, {
        retryable: true,
        hint: 'A process that waits for a disk ends only when the disk answers: look at the storage of this node.',
      });
    }
    // Gone, or stopped: another takes its place.
    await this.#replace();
    if ((await this.#ask(deadline(deadlineBootMs))) !== 'ok') throw new Error('the new guard does not answer');
  }

  /** Whether a guard holds the other end, and now obeys us. One that does but is stalled is ended. */
  async #attach(): Promise<boolean> {
    this.#pipe = GuardPipe.open(this.#home.control, this.#home.reply);
    if (this.#pipe === undefined) return false;
    this.#identity ??= await this.#home.readIdentity();
    // What an agent before us did not fetch.
    this.#pipe.readLines();
    if ((await this.#ask('own -')) !== 'silent') return true;
    this.#endStalled();
    return false;
  }

  async #start(): Promise<void> {
    await this.#home.prepare(this.#runtime);
    await this.#home.writeScript();
    const { target, watchdog = '-', cgroup = '-' } = this.#options;
    const what = target.by === 'directory' ? ['directory', target.directory, target.mainPidFile] : ['session', target.pidFile];
    const args = ['--noprofile', '--norc', this.#home.script, this.#home.directory, watchdog, cgroup, ...what];
    const { identity } = await this.#runtime.processes.startDetached('bash', args, { cwd: '/', logFile: this.#home.log });
    this.#identity = identity;
    this.#runtime.logger.info('guard.started', { pid: identity.pid });
    const open = (): boolean => {
      this.#pipe ??= GuardPipe.open(this.#home.control, this.#home.reply);
      return this.#pipe !== undefined || !this.#runtime.processes.isAlive(identity);
    };
    await this.#until(open, startMsMax);
    if (this.#pipe === undefined) throw new Error(`it did not start; see ${this.#home.log}`);
    this.#pipe.readLines();
    if ((await this.#ask('own -')) === 'silent') throw new Error(`it does not answer; see ${this.#home.log}`);
  }

  async #reportStrike(): Promise<void> {
    const strike = await this.#home.takeStrike();
    if (strike === undefined) return;
    this.#runtime.logger.warn('guard.struck', { ...strike });
    this.#options.onStrike?.(strike);
  }

  async #replace(): Promise<void> {
    this.#endStalled();
    await this.#start();
  }

  #endStalled(): void {
    if (this.#identity !== undefined && this.#runtime.processes.kill(this.#identity, 'SIGKILL')) {
      this.#runtime.logger.warn('guard.stalled', { pid: this.#identity.pid });
    }
    this.#detach();
  }

  #detach(): void {
    this.#pipe?.[Symbol.dispose]();
    this.#pipe = undefined;
    this.#identity = undefined;
    this.#probe = undefined;
  }

  /** A guard that died or stalled while it was needed: another one, with the latest deadline. */
  #heal(deadlineBootMs: number | 'never', stalled: boolean): void {
    const healing = (this.#healing = { deadline: deadlineBootMs });
    this.#runtime.logger.warn('guard.lost', { pid: this.#identity?.pid, stalled });
    void this.#alone(async () => {
      try {
        if (stalled) this.#endStalled();
        else this.#detach();
        await this.#arm(healing.deadline);
      } catch (error) {
        this.#healNotBeforeMs = this.#runtime.clock.monotonicMs() + healAgainMs;
        this.#runtime.logger.error('guard.not.restored', { error });
      } finally {
        this.#healing = undefined;
      }
    });
  }

  /** Whether the guard may keep to the last deadline that it was told instead of this one. */
  #isSoonEnough(deadlineBootMs: number | 'never'): boolean {
    if (deadlineBootMs === 'never' || this.#sent === 'never') return false;
    const laterMs = deadlineBootMs - this.#sent;
    return laterMs >= 0 && laterMs < (deadlineBootMs - this.#runtime.clock.bootMs()) * renewShare;
  }

  #send(verb: Verb, sequence: number | '-'): boolean {
    return this.#pipe?.writeRecord(`${this.#owner} ${verb} ${sequence}`) ?? false;
  }

  async #ask(verb: Verb): Promise<'ok' | 'killing' | 'taken' | 'silent'> {
    const sequence = (this.#sequence += 1);
    const heard = (): boolean => {
      this.#readAnswers();
      return Math.max(this.#answered, this.#postponed, this.#refused) >= sequence;
    };
    // Asked again and again: what was in the pipe before may have cost the guard the first one.
    for (let tries = 0; !heard(); tries += 1) {
      if (tries === asksMax || !this.#send(verb, sequence)) return 'silent';
      await this.#until(heard, askAgainMs);
    }
    if (this.#refused >= sequence) return 'taken';
    if (this.#answered >= sequence || verb === 'own -') return 'ok';
    const done = (): boolean => {
      this.#readAnswers();
      return this.#answered >= sequence;
    };
    return (await this.#until(done, strikeMsMax)) ? 'ok' : 'killing';
  }

  #readAnswers(): void {
    for (const line of this.#pipe?.readLines() ?? []) {
      const [, word, owner, number, pid, startTicks] = /^(ok|wait|no) ([0-9a-f]{16}) (\d{1,9}) (\d{1,10}) (\d{1,19})$/.exec(line) ?? [];
      if (owner !== this.#owner) continue;
      const sequence = Number(number);
      this.#identity = { pid: Number(pid), startTicks: Number(startTicks) };
      if (word === 'ok') this.#answered = Math.max(this.#answered, sequence);
      else if (word === 'wait') this.#postponed = Math.max(this.#postponed, sequence);
      else this.#refused = Math.max(this.#refused, sequence);
    }
    if (this.#probe === undefined || Math.max(this.#answered, this.#postponed, this.#refused) < this.#probe.sequence) return;
    if (this.#refused === this.#probe.sequence) this.#runtime.logger.warn('guard.taken', { pid: this.#identity?.pid });
    this.#probe = undefined;
  }

  async #until(condition: () => boolean, limitMs: number): Promise<boolean> {
    const { clock } = this.#runtime;
    const endMs = clock.monotonicMs() + limitMs;
    while (!condition()) {
      if (clock.monotonicMs() >= endMs) return false;
      await clock.sleep(pollMs);
    }
    return true;
  }

  /** One after another: they share the pipe. */
  #alone<T>(work: () => Promise<T>): Promise<T> {
    this.#working += 1;
    const done = this.#busy.then(work).finally(() => (this.#working -= 1));
    this.#busy = done.catch(() => {});
    return done;
  }

  async #orUnavailable(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      if (error instanceof HoldfastError && error.code === 'GUARD_KILLING') throw error;
      throw new HoldfastError('GUARD_UNAVAILABLE', `no guard can watch over this member: ${messageOf(error)}`, {
        retryable: true,
        hint: `It needs bash, mkfifo, /proc and a writable ${this.#home.directory}. Without it this member does not become primary.`,
        cause: error,
      });
    }
  }
}

/** Whole milliseconds, rounded down: never later than asked. */
function deadline(bootMs: number | 'never'): Verb {
  return `deadline ${bootMs === 'never' ? bootMs : Math.max(0, Math.floor(bootMs))}`;
}

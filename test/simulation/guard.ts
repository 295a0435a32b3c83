import type { Clock, Timer } from '../../src/core/clock.ts';
import type { Fence } from '../../src/failover/fencing.ts';
import type { Database } from './postgres/database.ts';

/** The second process beside an agent: outlives it, and ends the database when the deadline has passed, and whatever starts after that. */
export class SimulatedGuard {
  readonly #database: Database;
  readonly #clock: Clock;
  readonly #fired: () => void;
  readonly #lateMs: () => number;
  #deadlineBootMs: number | undefined;
  #timer: Timer | undefined;

  /**
   * @param clock the machine's: the guard is not stalled with the agent
   * @param lateMs how late it acts on a busy machine
   */
  constructor(database: Database, clock: Clock, lateMs: () => number, fired: () => void) {
    this.#database = database;
    this.#clock = clock;
    this.#fired = fired;
    this.#lateMs = lateMs;
  }

  get armed(): boolean {
    return this.#deadlineBootMs !== undefined;
  }

  get expired(): boolean {
    return this.#deadlineBootMs !== undefined && this.#clock.bootMs() >= this.#deadlineBootMs;
  }

  set(deadlineBootMs: number | undefined): void {
    this.#deadlineBootMs = deadlineBootMs;
    this.#timer?.[Symbol.dispose]();
    if (deadlineBootMs === undefined || deadlineBootMs === Infinity) return;
    this.#timer = this.#clock.after(Math.max(0, deadlineBootMs - this.#clock.bootMs()) + this.#lateMs(), () => this.check());
  }

  /** The machine goes on after a suspension, in which timers stood still and the time since boot did not: it looks at its deadline anew. */
  wakes(): void {
    this.check();
    this.set(this.#deadlineBootMs);
  }

  /** Also asked whenever the database has begun to take writes. */
  check(): void {
    if (!this.expired || this.#database.server === undefined) return;
    this.#fired();
    this.#database.kill();
  }
}

/** An agent process's hold on the guard. */
export class SimulatedFence implements Fence {
  readonly #guard: SimulatedGuard;
  readonly #clock: Clock;
  readonly #arming: () => void;

  /** @param arming called before it is armed: whoever arms it is about to serve */
  constructor(guard: SimulatedGuard, clock: Clock, arming: () => void) {
    this.#guard = guard;
    this.#clock = clock;
    this.#arming = arming;
  }

  get pid(): number | undefined {
    return this.#guard.armed ? 2 : undefined;
  }

  async arm(deadlineBootMs: number | 'never'): Promise<void> {
    this.#arming();
    await this.#clock.sleep(2);
    this.renew(deadlineBootMs);
    await this.#clock.sleep(1);
  }

  renew(deadlineBootMs: number | 'never'): void {
    this.#guard.set(deadlineBootMs === 'never' ? Infinity : deadlineBootMs);
  }

  async end(): Promise<void> {
    this.#guard.set(undefined);
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}

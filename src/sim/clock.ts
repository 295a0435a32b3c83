import type { Clock, Timer } from '../core/clock.ts';
import { sleepBy } from '../core/sleep.ts';

interface Pending {
  readonly clock: SimulatedClock;
  /** World milliseconds. */
  dueMs: number;
  /** Order of arming: breaks ties, so that a run replays exactly. */
  readonly sequence: number;
  readonly fire: () => void;
}

/** How many timers one call may fire before it is taken for an endless loop. */
const stepsMaxDefault = 1_000_000;
/** How far `runUntil` and `runUntilIdle` move time on before they give up. */
const limitMsDefault = 3_600_000;

/**
 * The time of a simulated world, moved only by hand. Before each timer all promise reactions run to their end, so that what happens
 * depends on nothing but due times and, between equal ones, the order of arming. Real I/O does not belong under it.
 */
export class SimulatedTime {
  #nowMs = 0;
  #sequence = 0;
  /** By due time then sequence, latest first: the next one is the last. */
  readonly #queue: Pending[] = [];

  /** World milliseconds since the beginning. */
  get nowMs(): number {
    return this.#nowMs;
  }

  /** How many timers wait on clocks that are not stalled. */
  get pending(): number {
    return this.#queue.length;
  }

  /** A new machine's (or process's) clock in this world. */
  clock(options: SimulatedClockOptions = {}): SimulatedClock {
    return new SimulatedClock(this, options);
  }

  /** Moves time on by `ms`, firing what falls due on the way. */
  async advance(ms: number, options: { stepsMax?: number } = {}): Promise<void> {
    const endMs = this.#nowMs + ms;
    await this.#run(endMs, () => false, options.stepsMax);
    this.#nowMs = endMs;
  }

  /** Moves time on until `condition` holds, asked before and after each timer. @throws when it does not hold within `limitMs` (default: one hour) */
  async runUntil(condition: () => boolean, options: { limitMs?: number; stepsMax?: number } = {}): Promise<void> {
    const limitMs = options.limitMs ?? limitMsDefault;
    if (await this.#run(this.#nowMs + limitMs, condition, options.stepsMax)) return;
    throw new Error(`the simulation did not get there within ${limitMs} simulated ms: now ${this.#nowMs}, ${this.pending} timers wait`);
  }

  /** Moves time on until no timer waits. @throws when one still does after `limitMs` */
  runUntilIdle(options: { limitMs?: number; stepsMax?: number } = {}): Promise<void> {
    return this.runUntil(() => this.pending === 0, options);
  }

  /** For clocks: a timer at a world time (now, if that has passed). */
  arm(clock: SimulatedClock, dueMs: number, fire: () => void): Pending {
    const entry = { clock, dueMs: Math.max(dueMs, this.#nowMs), sequence: this.#sequence, fire };
    this.#sequence += 1;
    this.insert(entry);
    return entry;
  }

  /** For clocks. */
  insert(entry: Pending): void {
    this.#queue.splice(this.#indexOf(entry), 0, entry);
  }

  /** For clocks. */
  remove(entry: Pending): void {
    const index = this.#indexOf(entry);
    if (this.#queue[index] === entry) this.#queue.splice(index, 1);
  }

  /** For clocks: takes out all timers of one clock, in their order. */
  removeAllOf(clock: SimulatedClock): Pending[] {
    const taken = this.#queue.filter((entry) => entry.clock === clock).toReversed();
    for (const entry of taken) this.remove(entry);
    return taken;
  }

  async #run(endMs: number, done: () => boolean, stepsMax = stepsMaxDefault): Promise<boolean> {
    for (let steps = 0; ; steps += 1) {
      await settle();
      if (done()) return true;
      const next = this.#queue.at(-1);
      if (next === undefined || next.dueMs > endMs) return false;
      if (steps === stepsMax) throw new Error(`the simulation fired ${stepsMax} timers and did not end: now ${this.#nowMs}`);
      this.#queue.pop();
      this.#nowMs = next.dueMs;
      next.fire();
    }
  }

  /** Where `entry` is, or belongs. */
  #indexOf(entry: Pending): number {
    let low = 0;
    let high = this.#queue.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const other = this.#queue[middle]!;
      if (other.dueMs > entry.dueMs || (other.dueMs === entry.dueMs && other.sequence > entry.sequence)) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

export interface SimulatedClockOptions {
  /** What `wallMs` shows at world time 0. Default: 2030-01-01. */
  readonly wallStartMs?: number;
  /** What `monotonicMs` and `bootMs` show at world time 0. Default: 0. */
  readonly bootStartMs?: number;
  /** How fast it runs: 1.0002 gains 200 ppm. Default: 1. */
  readonly rate?: number;
}

/** One machine's view of a simulated world's time. It can drift, jump, stall (SIGSTOP) and be suspended (laptop lid, frozen virtual machine). */
export class SimulatedClock implements Clock {
  readonly #time: SimulatedTime;
  readonly #rate: number;
  readonly #bootStartMs: number;
  #wallStartMs: number;
  /** World milliseconds spent in suspension so far. */
  #suspendedMs = 0;
  #stalledSinceMs: number | undefined;
  #suspended = false;
  #held: Pending[] = [];

  constructor(time: SimulatedTime, options: SimulatedClockOptions = {}) {
    this.#time = time;
    this.#rate = options.rate ?? 1;
    this.#bootStartMs = options.bootStartMs ?? 0;
    this.#wallStartMs = options.wallStartMs ?? Date.UTC(2030, 0, 1);
  }

  get stalled(): boolean {
    return this.#stalledSinceMs !== undefined;
  }

  monotonicMs(): number {
    const nowMs = this.#suspended ? this.#stalledSinceMs! : this.#time.nowMs;
    return this.#bootStartMs + (nowMs - this.#suspendedMs) * this.#rate;
  }

  bootMs(): number {
    return this.#bootStartMs + this.#time.nowMs * this.#rate;
  }

  wallMs(): number {
    return this.#wallStartMs + this.#time.nowMs * this.#rate;
  }

  after(delayMs: number, callback: () => void): Timer {
    let fired = false;
    const entry = this.#time.arm(this, this.#time.nowMs + Math.max(0, delayMs) / this.#rate, () => {
      fired = true;
      callback();
    });
    if (this.stalled) {
      this.#time.remove(entry);
      // Counted from when its own time stood still: `resume` adds the whole suspension.
      if (this.#suspended) entry.dueMs = this.#stalledSinceMs! + Math.max(0, delayMs) / this.#rate;
      this.#held.push(entry);
    }
    return {
      get fired() {
        return fired;
      },
      [Symbol.dispose]: () => {
        this.#time.remove(entry);
        this.#held = this.#held.filter((other) => other !== entry);
      },
    };
  }

  sleep(delayMs: number, signal?: AbortSignal): Promise<void> {
    return sleepBy((ms, callback) => this.after(ms, callback), delayMs, signal);
  }

  /** The process stops (SIGSTOP): time goes on, its timers do not fire. */
  stall(): void {
    this.#halt(false);
  }

  /** The whole machine is suspended: like a stall, and the monotonic clock stands still too. */
  suspend(): void {
    this.#halt(true);
  }

  /** Ends a stall or suspension. What fell due meanwhile fires at once, in its order. */
  resume(): void {
    if (this.#stalledSinceMs === undefined) return;
    const awayMs = this.#suspended ? this.#time.nowMs - this.#stalledSinceMs : 0;
    this.#suspendedMs += awayMs;
    this.#stalledSinceMs = undefined;
    this.#suspended = false;
    for (const entry of this.#held.splice(0)) {
      entry.dueMs = Math.max(entry.dueMs + awayMs, this.#time.nowMs);
      this.#time.insert(entry);
    }
  }

  /** Someone sets the machine's date. */
  jumpWall(byMs: number): void {
    this.#wallStartMs += byMs;
  }

  #halt(suspended: boolean): void {
    if (this.stalled) return;
    this.#stalledSinceMs = this.#time.nowMs;
    this.#suspended = suspended;
    this.#held = this.#time.removeAllOf(this);
  }
}

/** Lets every promise reaction run that can. */
function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

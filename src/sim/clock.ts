import type { Clock, Timer } from '../core/clock.ts';
import { sleepBy } from '../core/sleep.ts';

/** How many timers one call may fire before it is taken for an endless loop. */
const stepsMaxDefault = 1_000_000;
/** How far `runUntil` and `runUntilIdle` move time on before they give up. */
const limitMsDefault = 3_600_000;
/** After so many timers the process's own event loop turns once: it hears signals and messages, and reports rejections that nobody handled. */
const stepsPerTurn = 64;

/** One timer of one clock. */
class SimulatedTimer implements Timer {
  readonly clock: SimulatedClock;
  /** World milliseconds. */
  dueMs: number;
  /** Order of arming: breaks ties, so that a run replays exactly. */
  readonly sequence: number;
  readonly callback: () => void;
  /** Place in the heap of those that wait; -1: it does not wait there. */
  place = -1;
  fired = false;

  constructor(clock: SimulatedClock, dueMs: number, sequence: number, callback: () => void) {
    this.clock = clock;
    this.dueMs = dueMs;
    this.sequence = sequence;
    this.callback = callback;
  }

  isBefore(other: SimulatedTimer): boolean {
    return this.dueMs < other.dueMs || (this.dueMs === other.dueMs && this.sequence < other.sequence);
  }

  [Symbol.dispose](): void {
    if (!this.fired) this.clock.drop(this);
  }
}

/**
 * The time of a simulated world, moved only by hand. Before each timer all promise reactions run to their end, so that what happens
 * depends on nothing but due times and, between equal ones, the order of arming. Real I/O does not belong under it.
 */
export class SimulatedTime {
  #nowMs = 0;
  #sequence = 0;
  /** A binary heap: each is before the two behind it at 2n + 1 and 2n + 2. */
  readonly #heap: SimulatedTimer[] = [];

  /** World milliseconds since the beginning. */
  get nowMs(): number {
    return this.#nowMs;
  }

  /** How many timers wait on clocks that are not stalled. */
  get pending(): number {
    return this.#heap.length;
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

  /** For clocks: a timer for a world time (now, if that has passed), not yet waiting. */
  timer(clock: SimulatedClock, dueMs: number, callback: () => void): SimulatedTimer {
    this.#sequence += 1;
    return new SimulatedTimer(clock, Math.max(dueMs, this.#nowMs), this.#sequence, callback);
  }

  /** For clocks. */
  insert(timer: SimulatedTimer): void {
    this.#heap.push(timer);
    this.#up(timer, this.#heap.length - 1);
  }

  /** For clocks. */
  remove(timer: SimulatedTimer): void {
    const { place } = timer;
    if (place === -1) return;
    timer.place = -1;
    const last = this.#heap.pop()!;
    if (last === timer) return;
    this.#up(last, place);
    this.#down(last, last.place);
  }

  /** For clocks: takes out all timers of one clock, in their order. */
  removeAllOf(clock: SimulatedClock): SimulatedTimer[] {
    const taken = this.#heap.filter((timer) => timer.clock === clock).toSorted((a, b) => (a.isBefore(b) ? -1 : 1));
    for (const timer of taken) this.remove(timer);
    return taken;
  }

  /** Resolves to true as soon as it is `done`, to false when nothing is left to fire until `endMs`. */
  #run(endMs: number, done: () => boolean, stepsMax = stepsMaxDefault): Promise<boolean> {
    const { promise, resolve, reject } = Promise.withResolvers<boolean>();
    let steps = 0;
    const turn = (): void => {
      try {
        if (done()) return resolve(true);
        const next = this.#heap[0];
        if (next === undefined || next.dueMs > endMs) return resolve(false);
        if (steps === stepsMax) throw new Error(`the simulation fired ${stepsMax} timers and did not end: now ${this.#nowMs}`);
        steps += 1;
        this.remove(next);
        this.#nowMs = next.dueMs;
        next.fired = true;
        next.callback();
      } catch (error) {
        return reject(error);
      }
      if (steps % stepsPerTurn === 0) setImmediate(turn);
      else queueMicrotask(afterReactions);
    };
    // A tick that is asked for by a promise reaction comes when no reaction is left: at a small part of what a turn of the event loop costs.
    const afterReactions = (): void => process.nextTick(turn);
    setImmediate(turn);
    return promise;
  }

  /** Puts it at `place`, or nearer to the front until what is before it belongs there. */
  #up(timer: SimulatedTimer, place: number): void {
    const heap = this.#heap;
    let at = place;
    while (at > 0) {
      const parent = heap[(at - 1) >>> 1]!;
      if (!timer.isBefore(parent)) break;
      heap[at] = parent;
      parent.place = at;
      at = (at - 1) >>> 1;
    }
    heap[at] = timer;
    timer.place = at;
  }

  #down(timer: SimulatedTimer, place: number): void {
    const heap = this.#heap;
    let at = place;
    for (;;) {
      let next = 2 * at + 1;
      if (next >= heap.length) break;
      if (next + 1 < heap.length && heap[next + 1]!.isBefore(heap[next]!)) next += 1;
      const child = heap[next]!;
      if (!child.isBefore(timer)) break;
      heap[at] = child;
      child.place = at;
      at = next;
    }
    heap[at] = timer;
    timer.place = at;
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
  #held: SimulatedTimer[] = [];

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
    const forMs = Math.max(0, delayMs) / this.#rate;
    const timer = this.#time.timer(this, this.#time.nowMs + forMs, callback);
    if (this.stalled) {
      // Counted from when its own time stood still: `resume` adds the whole suspension.
      if (this.#suspended) timer.dueMs = this.#stalledSinceMs! + forMs;
      this.#held.push(timer);
    } else this.#time.insert(timer);
    return timer;
  }

  /** For timers: it is not to fire. */
  drop(timer: SimulatedTimer): void {
    this.#time.remove(timer);
    if (this.stalled) this.#held = this.#held.filter((other) => other !== timer);
  }

  sleep(delayMs: number, signal?: AbortSignal): Promise<void> {
    if (signal !== undefined) return sleepBy((ms, callback) => this.after(ms, callback), delayMs, signal);
    return new Promise((resolve) => void this.after(delayMs, resolve));
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
    for (const timer of this.#held.splice(0)) {
      timer.dueMs = Math.max(timer.dueMs + awayMs, this.#time.nowMs);
      this.#time.insert(timer);
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

import { isBusy } from './failures.ts';
import type { EmbeddedOperations } from './operations.ts';
import type { OperationName, Request } from './protocol.ts';

/**
 * While somebody waits for a change, the file is looked at after these times. A change made elsewhere is announced (see `stir`), but the
 * announcement comes when it is being written: it can be seen a flush later. So it is looked for soon, and then less and less often.
 */
const pollMsMin = 1;
const pollMsAnnounced = 500;
/** The same where changes are not announced. */
const pollMsUnannounced = 15;
/** Pauses between tries of a file that another process has locked. */
const busyMsMin = 1;
const busyMsMax = 20;
/** How many turns may pass before it is seen that the file was replaced. */
const turnsUnchecked = 10;

const reading: ReadonlySet<OperationName> = new Set(['isSessionAlive', 'get', 'list', 'queue', 'watch', 'untilGone']);

interface Job {
  readonly request: Request;
  /** It was looked at, and there was nothing to answer yet. */
  waits: boolean;
}

export interface DeskOptions {
  /** Milliseconds on the clock of the store. */
  readonly now: () => number;
  /** Whether the name still names the file that is open. */
  readonly isInPlace: () => boolean;
  readonly answer: (id: number, value: unknown) => void;
}

/** What there is to do, and what of it can be done now. Turned by the worker's loop. */
export class Desk {
  readonly #operations: EmbeddedOperations;
  readonly #now: () => number;
  readonly #isInPlace: () => boolean;
  readonly #answer: (id: number, value: unknown) => void;
  /** In order of arrival. */
  readonly #jobs = new Map<number, Job>();
  #version = -1n;
  #deadlineMs = Infinity;
  #busyMs = 0;
  #pollMs = pollMsMin;
  #pollMsMax = pollMsAnnounced;
  #turns = 0;

  constructor(operations: EmbeddedOperations, options: DeskOptions) {
    this.#operations = operations;
    this.#now = options.now;
    this.#isInPlace = options.isInPlace;
    this.#answer = options.answer;
  }

  take(request: Request): void {
    this.#jobs.set(request.id, { request, waits: false });
  }

  cancel(id: number): void {
    this.#jobs.delete(id);
  }

  /** Somebody may have changed something just now. */
  stir(): void {
    this.#pollMs = pollMsMin;
  }

  /** From now on nobody says so. */
  expectNoStir(): void {
    this.#pollMsMax = pollMsUnannounced;
  }

  /** How long there is nothing to do unless a message or announcement comes. */
  get restMs(): number {
    if (this.#busyMs > 0) return this.#busyMs;
    if (this.#jobs.size === 0) return Infinity;
    return Math.max(0, Math.min(this.#pollMs, this.#deadlineMs - this.#now()));
  }

  /** Does what can be done now. False: the file is no longer what its name names, nothing can be relied on. @throws what SQLite throws, but busy */
  turn(): boolean {
    const writes = this.#jobs.values().some(({ request }) => !reading.has(request.name));
    this.#turns += 1;
    this.#pollMs = Math.min(this.#pollMs * 2, this.#pollMsMax);
    if ((writes || this.#turns % turnsUnchecked === 0) && !this.#isInPlace()) return false;
    const wrote = this.#write();
    // Before anything is read, so that no change falls between.
    const version = this.#operations.dataVersion();
    const changed = wrote || version !== this.#version;
    this.#version = version;
    for (const [id, job] of this.#jobs) if (reading.has(job.request.name) && (changed || !job.waits)) this.#read(id, job);
    if (changed) this.#deadlineMs = this.#operations.nextDeadlineMs() ?? Infinity;
    return true;
  }

  /** Does all that writes, in order, as long as the file is free. True when something was written. */
  #write(): boolean {
    let wrote = false;
    const due = this.#jobs.size > 0 && this.#now() >= this.#deadlineMs;
    try {
      if (due) this.#operations.expire();
      wrote = due;
      for (const [id, { request }] of this.#jobs) {
        if (reading.has(request.name)) continue;
        this.#finish(id, this.#perform(request));
        wrote = true;
      }
      this.#busyMs = 0;
    } catch (error) {
      this.#waitForFile(error);
    }
    return wrote;
  }

  #read(id: number, job: Job): void {
    try {
      const value = this.#perform(job.request);
      job.waits = value === 'wait';
      if (!job.waits) this.#finish(id, value);
    } catch (error) {
      job.waits = false;
      this.#waitForFile(error);
    }
  }

  #waitForFile(error: unknown): void {
    if (!isBusy(error)) throw error;
    this.#busyMs = Math.min(busyMsMax, Math.max(busyMsMin, this.#busyMs * 2));
  }

  #finish(id: number, value: unknown): void {
    this.#jobs.delete(id);
    this.#answer(id, value);
  }

  #perform({ name, args }: Request): unknown {
    // The pair is of one operation; that can not be said of a union in the type system.
    const operation = this.#operations[name] as (...args: unknown[]) => unknown;
    return operation.apply(this.#operations, args);
  }
}

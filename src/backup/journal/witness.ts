import { messageOf } from '../../core/errors.ts';
import { formatLsn } from '../../core/lsn.ts';
import type { Runtime } from '../../core/runtime.ts';
import type { WalMoment, WalSource } from '../../core/wal-source.ts';
import type { WalPosition } from './coverage.ts';
import { writeSeen, writeStep, type ClockStep, type MarksPlace, type Seen } from './marks.ts';

/** How often the server is asked for its time where WAL is streamed; and how often at least elsewhere, whatever the interval. */
const askMs = 500;
export const lookMsMax = 2_000;
/** How old what was seen and stored gets: of a quiet time so much is out of reach at its end. */
const seenMsMax = 10_000;
/** A clock that goes back by less is one that is kept right. */
const stepMsMin = 100;

/** A moment, and when it was asked for here, by the monotonic clock; left out of what an earlier journal said. */
interface Asked extends WalMoment {
  readonly receivedMs?: number;
}

/**
 * Whether the clock went back since `before`. Between an answer and the next question at least as much time has passed there as here.
 */
export function decideStep(before: Asked, now: WalMoment, askedMs: number): ClockStep | undefined {
  // What an earlier journal said may be as old as it was allowed to be.
  const atLeastMs = before.receivedMs === undefined ? before.timeMs : before.timeMs + Math.max(0, askedMs - before.receivedMs);
  if (now.timeMs >= atLeastMs - stepMsMin) return undefined;
  const fromMs = before.receivedMs === undefined ? before.timeMs + seenMsMax : atLeastMs + askMs;
  return { position: before.position, fromMs, toMs: now.timeMs };
}

/**
 * Knows, by the server's own clock, up to when everything is stored. It asks for the time first and for the end of WAL then; once that end is
 * stored, nothing that was committed by that time is missing. So a point in a quiet time can be told from one of which nothing is known.
 */
export class Witness {
  readonly #source: WalSource;
  readonly #place: MarksPlace;
  readonly #runtime: Runtime;
  #last: Asked | undefined;
  #known: Seen | undefined;
  #storedMs = -Infinity;

  /** @param said what an earlier journal said last */
  constructor(source: WalSource, place: MarksPlace, runtime: Runtime, said: Seen | undefined) {
    this.#source = source;
    this.#place = place;
    this.#runtime = runtime;
    this.#last = said;
    this.#known = said;
  }

  /** By then everything is stored; undefined when nothing can be told. */
  get knownMs(): number | undefined {
    return this.#known?.timeMs;
  }

  /** What `knownMs` is once all is stored up to there. */
  timeAt(position: WalPosition): number | undefined {
    return (this.#covers(position) ? this.#last : this.#known)?.timeMs;
  }

  /** Asks and tells, until the signal aborts. @throws STORAGE_… */
  async run(stored: () => WalPosition | undefined, signal: AbortSignal): Promise<void> {
    for (;;) {
      await this.askIfItAnswers(signal);
      await this.tell(stored(), signal);
      await this.#runtime.clock.sleep(askMs, signal);
    }
  }

  /** A server that does not answer now may do so the next time. @throws STORAGE_… */
  async askIfItAnswers(signal: AbortSignal): Promise<void> {
    const askedMs = this.#runtime.clock.monotonicMs();
    let moment: WalMoment;
    try {
      moment = await this.#source.moment({ signal });
    } catch (error) {
      signal.throwIfAborted();
      this.#runtime.logger.debug('backup.journal.no-time', { error: messageOf(error) });
      return;
    }
    await this.#take(moment, askedMs, signal);
  }

  /** @throws what the source throws; STORAGE_… */
  async ask(signal: AbortSignal): Promise<WalMoment> {
    const askedMs = this.#runtime.clock.monotonicMs();
    const moment = await this.#source.moment({ signal });
    await this.#take(moment, askedMs, signal);
    return moment;
  }

  async #take(moment: WalMoment, askedMs: number, signal: AbortSignal): Promise<void> {
    const { clock, logger } = this.#runtime;
    const step = this.#last === undefined ? undefined : decideStep(this.#last, moment, askedMs);
    if (step !== undefined) {
      const { position, fromMs, toMs } = step;
      const [from, to] = [fromMs, toMs].map((ms) => new Date(ms).toISOString());
      logger.error('backup.journal.clock-went-back', { service: this.#place.service, lsn: formatLsn(position.lsn), from, to });
      await writeStep(this.#place, step, { signal });
    }
    this.#last = { ...moment, receivedMs: clock.monotonicMs() };
  }

  /** All is stored up to there: said in the location too, from time to time, when the server had no more. @throws STORAGE_… */
  async tell(stored: WalPosition | undefined, signal: AbortSignal): Promise<void> {
    const { clock } = this.#runtime;
    if (stored === undefined || !this.note(stored) || clock.monotonicMs() - this.#storedMs < seenMsMax - lookMsMax) return;
    this.#storedMs = clock.monotonicMs();
    await writeSeen(this.#place, this.#known!, { signal });
  }

  /** All is stored up to there. @returns whether that is all that the server had when it was asked last */
  note(stored: WalPosition): boolean {
    if (!this.#covers(stored)) return false;
    this.#known = this.#last;
    return true;
  }

  #covers({ timeline, lsn }: WalPosition): boolean {
    const last = this.#last?.position;
    return last !== undefined && last.timeline === timeline && last.lsn <= lsn;
  }
}

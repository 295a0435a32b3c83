import type { Schedule } from '../../backup/index.ts';
import { acquireLock } from '../../coordination/lock.ts';
import { linked } from '../../core/deadline.ts';
import { messageOf } from '../../core/errors.ts';
import { toWire, type CopiesState } from '../../failover/messages.ts';
import type { LocationStatus } from '../../storage/index.ts';
import { decideAlarms, type Alarm } from './alarms.ts';
import { BaseKeeper } from './base-keeper.ts';
import { pauseMs, scheduleOf, type CopiesTerm } from './term.ts';
import { WalKeeper } from './wal-keeper.ts';

/** Messages travel with every heartbeat. */
const messageLengthMax = 500;
const partsMax = 64;

/**
 * What is done for a service's copies besides the journal: base backups, folding, retention. By one agent at a time, whoever believes to lead: the
 * journal may be written by two at once, but two schedules would make everything twice.
 */
export class CopiesCare {
  readonly #term: CopiesTerm;
  readonly #bases: BaseKeeper;
  readonly #wal: WalKeeper;
  readonly #schedule: Schedule;
  readonly #beganMs: number;

  constructor(term: CopiesTerm) {
    this.#term = term;
    this.#bases = new BaseKeeper(term);
    this.#wal = new WalKeeper(term, this.#bases);
    this.#schedule = scheduleOf(term.config, term.member.service);
    this.#beganMs = term.runtime.clock.monotonicMs();
  }

  /** Until the signal aborts. */
  async run(signal: AbortSignal): Promise<void> {
    const { member, node, runtime, store } = this.#term;
    const { service } = member;
    while (!signal.aborted) {
      try {
        await using hold = await acquireLock(store, `copies/${service}`, runtime, { holder: node, signal });
        using both = linked(signal, hold.signal);
        await Promise.all([this.#bases.run(both.signal), this.#wal.run(both.signal), untilAborted(both.signal)]);
      } catch (error) {
        if (signal.aborted) return;
        runtime.logger.warn('backup.care.interrupted', { service, error: messageOf(error) });
      }
      await runtime.clock.sleep(pauseMs, signal).catch(() => {});
    }
  }

  /** For the other agents, and for people. */
  state(failure: string): CopiesState {
    const { backup, journal, location, member } = this.#term;
    const base = this.#base;
    const kept = journal?.status();
    const { folded } = this.#wal;
    return {
      service: member.service,
      location: backup.to,
      parts: partsOf(location.status()),
      ...(base && { last: { atMs: base.endMs, start: { timeline: base.start.timeline, lsn: base.start.lsn.toString() } } }),
      ...(kept && { journal: { state: kept.state, gaps: this.#gaps, ...this.#lag, ...(folded && { folded }) } }),
      ...(kept?.stored && { journalled: toWire(kept.stored) }),
      alarms: this.alarms(failure).map(({ text }) => text),
    };
  }

  /** @param failure why copies could not be made at all at the last attempt */
  alarms(failure: string): Alarm[] {
    const { location, runtime } = this.#term;
    const baseMs = this.#base?.endMs;
    const { folding, retaining } = this.#wal.failures;
    return decideAlarms({
      caredMs: runtime.clock.monotonicMs() - this.#beganMs,
      what: 'base backup',
      lastMs: baseMs,
      isOverdue: baseMs !== undefined && this.#schedule.isOverdue(baseMs, runtime.clock.wallMs()),
      journalLagMs: this.#lag.lagMs,
      journalLagMsMax: this.#term.lagMsMax,
      gap: this.#wal.gap,
      parts: partsOf(location.status()),
      failures: { copies: failure, base: this.#bases.failure, folding, retaining },
    });
  }

  get #base(): Exclude<BaseKeeper['last'], 'unknown'> {
    return this.#bases.last === 'unknown' ? undefined : this.#bases.last;
  }

  get #gaps(): number {
    return Math.max(this.#term.journal?.status().gaps.length ?? 0, this.#wal.gap === undefined ? 0 : 1);
  }

  /** Of a journal that has not said anything yet, since when it is waited for. */
  get #lag(): { readonly lagMs: number; readonly lagBytes: number } {
    const { journal, member, runtime } = this.#term;
    if (journal === undefined) return { lagMs: 0, lagBytes: 0 };
    const { stored, storedSentMs } = journal.status();
    const caredMs = runtime.clock.monotonicMs() - this.#beganMs;
    const end = member.engineState.position;
    return {
      lagMs: Math.round(storedSentMs === undefined ? caredMs : Math.max(0, runtime.clock.wallMs() - storedSentMs)),
      lagBytes: end === undefined || stored === undefined || end.lsn <= stored.lsn ? 0 : Number(end.lsn - stored.lsn),
    };
  }
}

/** Where there is nothing to do the lock is held all the same. */
function untilAborted(signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  signal.addEventListener('abort', () => resolve(), { once: true });
  if (signal.aborted) resolve();
  return promise;
}

/** A location and what it is made of, names as paths. */
export function partsOf(status: LocationStatus, above = ''): CopiesState['parts'] {
  const name = above === '' ? status.name : `${above}/${status.name}`;
  const { state, behindObjects, behindBytes } = status;
  const message = status.message.slice(0, messageLengthMax);
  return [{ name, state, message, behindObjects, behindBytes }, ...status.parts.flatMap((part) => partsOf(part, name))].slice(0, partsMax);
}

import { findBases, type BaseFacts, type Schedule, type WalPosition, type WalRange } from '../../backup/index.ts';
import { hasCode, messageOf } from '../../core/errors.ts';
import { divergence, parseHistory, type TimelineHistory } from '../../core/timeline.ts';
import { orderBase } from './base-orders.ts';
import { makeBase } from './make-base.ts';
import { Complaint, lookMs, pauseMs, scheduleOf, type CopiesTerm } from './term.ts';

/** Has base backups made when they are due: by a replica, or here where there is none that can. What fails is tried again, and stops nothing else. */
export class BaseKeeper {
  readonly #term: CopiesTerm;
  readonly #due: Schedule;
  readonly #complaint: Complaint;
  #last: BaseFacts | 'unknown' | undefined = 'unknown';
  /** WAL that is stored nowhere, found by whoever looked through all of it. */
  missing: WalRange | undefined;

  constructor(term: CopiesTerm) {
    this.#term = term;
    this.#due = scheduleOf(term.config, term.member.service);
    this.#complaint = new Complaint(term.record, 'backup.base.failed');
  }

  /** The last good one; `unknown` until it was looked for. */
  get last(): BaseFacts | 'unknown' | undefined {
    return this.#last;
  }

  /** Why none could be made at the last attempt; empty when it could. */
  get failure(): string {
    return this.#complaint.message;
  }

  /** Until the signal aborts. */
  async run(signal: AbortSignal): Promise<void> {
    const { journal, member, runtime } = this.#term;
    if (journal === undefined || member.deps.engine.base === undefined) return;
    while (!signal.aborted) {
      try {
        this.#last = await this.#lastBase(signal);
        if (this.#isDue) this.#last = await this.#make(journal.status().stored!, signal);
        this.#complaint.settle();
      } catch (error) {
        if (signal.aborted) return;
        this.#complaint.tell(messageOf(error));
      }
      await runtime.clock.sleep(journal.status().stored === undefined ? lookMs : pauseMs, signal).catch(() => {});
    }
  }

  get #isDue(): boolean {
    const { stored, gaps } = this.#term.journal!.status();
    if (stored === undefined || this.#last === 'unknown') return false;
    // After a gap only a new one helps.
    const start = this.#last?.start.lsn;
    const useful =
      start !== undefined && [...gaps, this.missing].every((gap) => gap === undefined || gap.end <= start) ? this.#last?.endMs : undefined;
    return this.#due.isDue(useful, this.#term.runtime.clock.wallMs());
  }

  /**
   * The last one that is stored of this database, by whomever; looked for once. Those of a history that was left, as after a restore to an earlier
   * point, help nobody who goes on from here.
   */
  async #lastBase(signal: AbortSignal): Promise<BaseFacts | undefined> {
    if (this.#last !== 'unknown') return this.#last;
    const { member, repository } = this.#term;
    const { systemId } = await member.deps.engine.inspect({ signal });
    const order = { service: member.service, ...(systemId === undefined ? {} : { systemId }), signal };
    const bases = await findBases(repository, order).catch((error: unknown) => {
      if (hasCode(error, 'BACKUP_NO_BASE')) return [];
      throw error;
    });
    const history = await this.#history(signal);
    const own = bases.filter(
      ({ facts: { start, endLsn } }) => divergence({ timeline: start.timeline, lsn: endLsn }, history) === undefined,
    );
    return own.at(-1)?.facts;
  }

  async #history(signal: AbortSignal): Promise<TimelineHistory> {
    const wal = this.#term.member.deps.engine.wal!;
    const { timeline } = await wal.identify({ signal });
    return timeline === 1 ? { timeline, ancestors: [] } : parseHistory(timeline, await wal.history(timeline, { signal }));
  }

  async #make(stored: WalPosition, signal: AbortSignal): Promise<BaseFacts | undefined> {
    const { backup, member, quota, repository } = this.#term;
    await quota.admit(backup.to, { signal });
    const maker = backup.base === 'replica' ? await orderBase(this.#term, stored, signal) : undefined;
    if (maker === undefined) return await makeBase(this.#term, member, repository, stored, signal);
    this.#last = 'unknown';
    return await this.#lastBase(signal);
  }
}

import { backupBase, findBases, type BaseFacts, type Schedule, type WalPosition, type WalRange } from '../../backup/index.ts';
import { hasCode, messageOf } from '../../core/errors.ts';
import { formatLsn } from '../../core/lsn.ts';
import { Complaint, lookMs, pauseMs, scheduleOf, type CopiesTerm } from './term.ts';

/** Makes base backups when they are due. What fails is tried again, and stops nothing else. */
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

  /** The last one that is stored of this database, by whomever; looked for once. */
  async #lastBase(signal: AbortSignal): Promise<BaseFacts | undefined> {
    if (this.#last !== 'unknown') return this.#last;
    const { member, repository } = this.#term;
    const { systemId } = await member.deps.engine.inspect({ signal });
    const order = { service: member.service, ...(systemId === undefined ? {} : { systemId }), signal };
    const bases = await findBases(repository, order).catch((error: unknown) => {
      if (hasCode(error, 'BACKUP_NO_BASE')) return [];
      throw error;
    });
    return bases.at(-1)?.facts;
  }

  async #make(stored: WalPosition, signal: AbortSignal): Promise<BaseFacts> {
    const { backup, node, member, quota, record, repository, runtime } = this.#term;
    await quota.admit(backup.to, { signal });
    const beganMs = runtime.clock.monotonicMs();
    const { snapshot, facts, summary } = await backupBase(repository, member.deps.engine.base!, runtime, {
      service: member.service,
      host: node,
      // What is stored goes on without a hole from there.
      isJournalled: ({ lsn }) => lsn >= stored.lsn,
      signal,
    });
    record('backup.base.made', {
      snapshot: snapshot.id,
      start: formatLsn(facts.start.lsn),
      end: formatLsn(facts.endLsn),
      readBytes: summary.processedBytes,
      storedBytes: summary.storedBytes,
      tookMs: Math.round(runtime.clock.monotonicMs() - beganMs),
    });
    return facts;
  }
}

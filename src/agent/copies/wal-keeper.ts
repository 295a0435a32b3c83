import { foldJournal, retainCopies, type FoldFigures, type WalPosition, type WalRange } from '../../backup/index.ts';
import { messageOf } from '../../core/errors.ts';
import { formatLsn } from '../../core/lsn.ts';
import type { BaseKeeper } from './base-keeper.ts';
import { PruneTurn } from './prune-turn.ts';
import { Complaint, definedRules, isTaken, pauseMs, type CopiesTerm } from './term.ts';

/** So often is folded where the configuration does not say: as long as nothing else is due, the journal has no more objects than come in this time. */
const foldEveryMsDefault = 5 * 60_000;
/** Sooner, once so much WAL has come. */
const foldBytes = 1024n * 1024n * 1024n;
/** As many snapshots of WAL may be replaced by longer ones before they are removed. */
const replacedMax = 32;
/** Folds the journal, and lets go what `keep` does not keep and no kept base backup needs. What fails is tried again, and stops nothing else. */
export class WalKeeper {
  readonly #term: CopiesTerm;
  readonly #bases: BaseKeeper;
  readonly #folding: Complaint;
  readonly #retaining: Complaint;
  #folded: FoldFigures | undefined;
  #foldedMs = -Infinity;
  #foldedLsn = 0n;
  readonly #foldEveryMs: number;
  /** The end of the base backup after which retention was done last. */
  #retainedMs: number | undefined;
  readonly #pruning: PruneTurn;

  constructor(term: CopiesTerm, bases: BaseKeeper) {
    this.#term = term;
    this.#bases = bases;
    this.#foldEveryMs = term.backup.fold ?? foldEveryMsDefault;
    this.#folding = new Complaint(term.record, 'backup.fold.failed');
    this.#retaining = new Complaint(term.record, 'backup.retention.failed');
    this.#pruning = new PruneTurn(term);
  }

  /** WAL that is missing after the newest base backup. */
  get gap(): FoldFigures['gap'] {
    const gap = this.#folded?.gap;
    const stored = this.#term.journal?.status().stored;
    // After a change of leaders what is missing may just be on its way.
    return gap === undefined || stored === undefined || !isPast(stored, gap) ? undefined : gap;
  }

  /** When it was folded last, and how many small objects were left; undefined before that. */
  get folded(): { readonly ageMs: number; readonly parts: number } | undefined {
    if (this.#folded === undefined) return undefined;
    return { ageMs: Math.round(this.#term.runtime.clock.monotonicMs() - this.#foldedMs), parts: this.#folded.left };
  }

  /** Why it can not do its work now; empty when it can. */
  get failures(): { readonly folding: string; readonly retaining: string } {
    return { folding: this.#folding.message, retaining: this.#retaining.message };
  }

  /** Until the signal aborts. */
  async run(signal: AbortSignal): Promise<void> {
    const { journal, runtime } = this.#term;
    if (journal === undefined) return;
    while (!signal.aborted) {
      if (this.#isFoldDue()) await this.#attempt(this.#folding, signal, () => this.#fold(signal));
      if (this.#isRetentionDue()) await this.#attempt(this.#retaining, signal, () => this.#retain(signal));
      if (this.#retainedMs !== undefined && this.#pruning.isDue)
        await this.#attempt(this.#retaining, signal, () => this.#pruning.take(this.#term.repository, signal));
      await runtime.clock.sleep(Math.min(pauseMs, this.#foldEveryMs), signal).catch(() => {});
    }
  }

  /** Whoever finds the repository taken comes again. */
  async #attempt(complaint: Complaint, signal: AbortSignal, act: () => Promise<void>): Promise<void> {
    try {
      await act();
      complaint.settle();
    } catch (error) {
      if (signal.aborted || isTaken(error)) return;
      this.#term.runtime.logger.warn('backup.care.failed', { service: this.#term.member.service, error: messageOf(error) });
      complaint.tell(messageOf(error));
    }
  }

  #isFoldDue(): boolean {
    const stored = this.#term.journal!.status().stored?.lsn;
    if (stored === undefined) return false;
    const nowMs = this.#term.runtime.clock.monotonicMs();
    return nowMs - this.#foldedMs >= this.#foldEveryMs || stored - this.#foldedLsn >= foldBytes;
  }

  async #fold(signal: AbortSignal): Promise<void> {
    const { journal, member, node, record, repository, runtime } = this.#term;
    const { systemId, segmentBytes } = await member.deps.engine.wal!.identify({ signal });
    this.#foldedLsn = journal!.status().stored?.lsn ?? 0n;
    const beganMs = runtime.clock.monotonicMs();
    const figures = await foldJournal(repository, runtime, { service: member.service, systemId, segmentBytes, host: node, signal });
    this.#foldedMs = runtime.clock.monotonicMs();
    const before = this.gap;
    this.#folded = figures;
    const { gap } = this;
    const { segments, storedBytes } = figures;
    const tookMs = Math.round(this.#foldedMs - beganMs);
    if (segments > 0) record('backup.wal.folded', { segments, storedBytes, partsLeft: figures.left, tookMs });
    if (gap !== undefined && gap.end !== before?.end) {
      record('backup.journal.gap', { timeline: gap.timeline, start: formatLsn(gap.start), end: formatLsn(gap.end) });
    }
    this.#bases.missing = gap;
  }

  #isRetentionDue(): boolean {
    const { last } = this.#bases;
    if (last === 'unknown' || last === undefined) return false;
    return last.endMs !== this.#retainedMs || (this.#folded?.replaced ?? 0) > replacedMax;
  }

  async #retain(signal: AbortSignal): Promise<void> {
    const { backup, member, record, repository, runtime } = this.#term;
    const { last } = this.#bases;
    if (last === 'unknown' || last === undefined) return;
    const order = { service: member.service, systemId: last.systemId, rules: definedRules(backup.keep), signal };
    const figures = await retainCopies(repository, runtime, order);
    this.#retainedMs = last.endMs;
    if (this.#folded !== undefined) this.#folded = { ...this.#folded, replaced: 0 };
    const { forgottenBases, forgottenWal, removedParts } = figures;
    if (forgottenBases + forgottenWal + removedParts === 0) return;
    this.#pruning.note();
    record('backup.retained', { ...figures });
  }
}

function isPast(stored: WalPosition, gap: WalRange): boolean {
  return stored.timeline > gap.timeline || (stored.timeline === gap.timeline && stored.lsn >= gap.end);
}

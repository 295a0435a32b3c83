import { foldJournal, prune, retainCopies, type FoldFigures } from '../../backup/index.ts';
import { hasCode, messageOf } from '../../core/errors.ts';
import { formatLsn } from '../../core/lsn.ts';
import type { BaseKeeper } from './base-keeper.ts';
import { Complaint, pauseMs, type CopiesTerm } from './term.ts';

/** So often is folded: as long as nothing else is due, the journal has no more objects than come in this time. */
const foldEveryMs = 5 * 60_000;
/** Sooner, once so much WAL has come. */
const foldBytes = 1024n * 1024n * 1024n;
/** As many snapshots of WAL may be replaced by longer ones before they are removed. */
const replacedMax = 32;
/** A prune reads all directories of all snapshots, and nobody can write meanwhile. */
const pruneEveryMs = 24 * 3_600_000;
/** One prune copies no more than this into new packs; the next one goes on. */
const repackBytesMax = 4 * 1024 * 1024 * 1024;

/** Folds the journal, and lets go what `keep` does not keep and no kept base backup needs. What fails is tried again, and stops nothing else. */
export class WalKeeper {
  readonly #term: CopiesTerm;
  readonly #bases: BaseKeeper;
  readonly #folding: Complaint;
  readonly #retaining: Complaint;
  #folded: FoldFigures | undefined;
  #foldedMs = -Infinity;
  #foldedLsn = 0n;
  /** The end of the base backup after which retention was done last. */
  #retainedMs: number | undefined;
  #prunedMs = -Infinity;
  /** Whether something may have been forgotten since: by whom and when is not known at first. */
  #mayFree = true;

  constructor(term: CopiesTerm, bases: BaseKeeper) {
    this.#term = term;
    this.#bases = bases;
    this.#folding = new Complaint(term.record, 'backup.fold.failed');
    this.#retaining = new Complaint(term.record, 'backup.retention.failed');
  }

  /** WAL that is missing after the newest base backup. */
  get gap(): FoldFigures['gap'] {
    return this.#folded?.gap;
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
      if (this.#isPruneDue()) await this.#attempt(this.#retaining, signal, () => this.#prune(signal));
      await runtime.clock.sleep(pauseMs, signal).catch(() => {});
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
    return nowMs - this.#foldedMs >= foldEveryMs || stored - this.#foldedLsn >= foldBytes;
  }

  async #fold(signal: AbortSignal): Promise<void> {
    const { journal, member, node, record, repository, runtime } = this.#term;
    const { systemId, segmentBytes } = await member.deps.engine.wal!.identify({ signal });
    this.#foldedLsn = journal!.status().stored?.lsn ?? 0n;
    const beganMs = runtime.clock.monotonicMs();
    const figures = await foldJournal(repository, runtime, { service: member.service, systemId, segmentBytes, host: node, signal });
    this.#foldedMs = runtime.clock.monotonicMs();
    const { segments, storedBytes, gap } = figures;
    const tookMs = Math.round(this.#foldedMs - beganMs);
    if (segments > 0) record('backup.wal.folded', { segments, storedBytes, partsLeft: figures.left, tookMs });
    if (gap !== undefined && gap.end !== this.#folded?.gap?.end) {
      record('backup.journal.gap', { timeline: gap.timeline, start: formatLsn(gap.start), end: formatLsn(gap.end) });
    }
    this.#folded = figures;
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
    this.#mayFree = true;
    record('backup.retained', { ...figures });
  }

  #isPruneDue(): boolean {
    const isRetained = this.#retainedMs !== undefined;
    return isRetained && this.#mayFree && this.#term.runtime.clock.monotonicMs() - this.#prunedMs >= pruneEveryMs;
  }

  async #prune(signal: AbortSignal): Promise<void> {
    const { record, repository, runtime } = this.#term;
    const beganMs = runtime.clock.monotonicMs();
    const { freedBytes, usedBytes, remainingUnusedBytes } = await prune(repository, { limits: { maxRepackBytes: repackBytesMax }, signal });
    this.#prunedMs = runtime.clock.monotonicMs();
    this.#mayFree = false;
    record('backup.pruned', { freedBytes, usedBytes, unusedBytes: remainingUnusedBytes, tookMs: Math.round(this.#prunedMs - beganMs) });
  }
}

function isTaken(error: unknown): boolean {
  return hasCode(error, 'BACKUP_LOCKED') || hasCode(error, 'BACKUP_WRITER_ACTIVE');
}

function definedRules(keep: CopiesTerm['backup']['keep']): Record<string, number> {
  return Object.fromEntries(Object.entries(keep ?? {}).filter((rule): rule is [string, number] => rule[1] !== undefined));
}

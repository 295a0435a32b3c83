import type { JournalStatus } from '../../backup/index.ts';
import type { JournalSettings } from '../../config/copies.ts';
import { messageOf } from '../../core/errors.ts';
import { formatLsn } from '../../core/lsn.ts';
import { formatDurationMs } from '../../core/units.ts';
import type { Member } from '../../failover/member.ts';
import type { Alarm } from './alarms.ts';
import { lookMs, type KeeperParts } from './term.ts';

/** Commits that wait for longer are told of. */
const toldMs = 5_000;
/** A journal that was left out is waited for again once it has kept up for so long, and no further behind than this. */
const steadyMs = 5_000;
const steadyLagMsMax = 1_000;

/** How a journal that commits wait for fares. */
export interface Keeping {
  readonly counts: boolean;
  /** For how long it has not been kept, or has not stored what came. */
  readonly stuckMs: number;
  /** For how long it has kept up. */
  readonly steadyMs: number;
}

/** Whether commits are to wait for the journal. Pure. */
export function decideVoice({ counts, stuckMs, steadyMs: steady }: Keeping, patienceMs: number | undefined): boolean {
  if (!counts) return steady >= steadyMs;
  return patienceMs === undefined || stuckMs < patienceMs;
}

/**
 * Watches over a journal that commits wait for, while this node leads: tells when they wait for long, and, where the configuration sets a limit,
 * lets them go on without it, and has them wait again once it has caught up.
 */
export class JournalVoice {
  readonly #member: Member;
  readonly #parts: Pick<KeeperParts, 'record' | 'runtime'>;
  readonly #settings: JournalSettings;
  readonly #status: () => JournalStatus | undefined;
  #counts = true;
  #ranMs = 0;
  #steadySinceMs: number | undefined;
  #stuckMs = 0;

  constructor(
    member: Member,
    parts: Pick<KeeperParts, 'record' | 'runtime'>,
    settings: JournalSettings,
    status: () => JournalStatus | undefined,
  ) {
    this.#member = member;
    this.#parts = parts;
    this.#settings = settings;
    this.#status = status;
  }

  /** What somebody should look at. */
  get alarms(): Alarm[] {
    const failure = this.#status()?.failure;
    const why = failure === undefined ? '.' : `: ${failure}`;
    if (!this.#counts) return [{ name: 'sync', text: `Commits do not wait for the journal, which could not be kept${why}` }];
    if (this.#stuckMs < toldMs) return [];
    return [
      {
        name: 'sync',
        text: `Commits wait for the journal, which has not been kept for ${formatDurationMs(Math.round(this.#stuckMs / 1000) * 1000)}${why}`,
      },
    ];
  }

  async run(signal: AbortSignal): Promise<void> {
    const { clock } = this.#parts.runtime;
    this.#ranMs = clock.monotonicMs();
    while (!signal.aborted) {
      const { servingTerm, engineState } = this.#member;
      if (servingTerm > 0 && engineState.role === 'primary') await this.#look(signal);
      else this.#begin();
      await clock.sleep(lookMs, signal).catch(() => {});
    }
  }

  /** Whoever begins to lead has until then been waited for by nobody. */
  #begin(): void {
    this.#ranMs = this.#parts.runtime.clock.monotonicMs();
    this.#stuckMs = 0;
  }

  #keeping(): Keeping {
    const nowMs = this.#parts.runtime.clock.monotonicMs();
    const status = this.#status();
    const runs = status?.state === 'running';
    if (runs) this.#ranMs = nowMs;
    if (!runs || status.lagMs > steadyLagMsMax) this.#steadySinceMs = undefined;
    else this.#steadySinceMs ??= nowMs;
    return {
      counts: this.#counts,
      stuckMs: Math.max(nowMs - this.#ranMs, status?.lagMs ?? 0),
      steadyMs: this.#steadySinceMs === undefined ? 0 : nowMs - this.#steadySinceMs,
    };
  }

  async #look(signal: AbortSignal): Promise<void> {
    const keeping = this.#keeping();
    this.#stuckMs = keeping.stuckMs;
    const counts = decideVoice(keeping, this.#settings.patienceMs);
    if (counts === this.#counts) return;
    const { record, runtime } = this.#parts;
    const why = this.#status()?.failure;
    try {
      const lsn = await this.#member.gate.run((until) => this.#member.deps.engine.countJournal!(counts, { signal: until }));
      this.#counts = counts;
      record(counts ? 'backup.journal.waited-for' : 'backup.journal.left-out', {
        lsn: formatLsn(lsn),
        ...(counts ? {} : { stuckMs: Math.round(keeping.stuckMs), ...(why === undefined ? {} : { why }) }),
      });
    } catch (error) {
      if (!signal.aborted) runtime.logger.warn('backup.journal.not-changed', { counts, error: messageOf(error) });
    }
  }
}

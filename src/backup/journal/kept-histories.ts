import { HoldfastError, hasCode } from '../../core/errors.ts';
import { parseHistory, type TimelineHistory } from '../../core/timeline.ts';
import type { WalSource } from '../../core/wal-source.ts';
import type { OpenedRepository } from '../open/opened-repository.ts';
import { historyKey } from './journal-key.ts';

/** Histories of a database's timelines, beside its WAL: without them nobody could read that. */
export class KeptHistories {
  readonly #source: WalSource;
  readonly #place: { readonly repository: OpenedRepository; readonly service: string; readonly systemId: string };
  /** Timelines that are known to be this database's here. */
  readonly #claimed = new Set<number>();

  constructor(source: WalSource, place: { readonly repository: OpenedRepository; readonly service: string; readonly systemId: string }) {
    this.#source = source;
    this.#place = place;
  }

  /** To be called before the first WAL of a timeline is stored. @throws BACKUP_TIMELINE_TAKEN, STORAGE_…, what the source throws */
  async keep(timeline: number, signal: AbortSignal): Promise<TimelineHistory> {
    if (timeline === 1) return { timeline, ancestors: [] };
    const text = await this.#source.history(timeline, { signal });
    const history = parseHistory(timeline, text);
    if (!this.#claimed.has(timeline)) await this.#claim(timeline, text, signal);
    this.#claimed.add(timeline);
    return history;
  }

  /**
   * Two databases that were one can begin timelines of the same number: one that was restored, and the one that it was made of, when that runs on.
   * What both would write here could not be told apart.
   */
  async #claim(timeline: number, history: string, signal: AbortSignal): Promise<void> {
    const { repository, service, systemId } = this.#place;
    const key = historyKey(service, systemId, timeline);
    try {
      return await repository.location.put(key, [Buffer.from(history, 'utf8')], { ifAbsent: true, signal });
    } catch (error) {
      if (!hasCode(error, 'STORAGE_EXISTS')) throw error;
    }
    const stored = Buffer.from(await repository.location.get(key, { signal })).toString('utf8');
    if (stored === history) return;
    throw new HoldfastError('BACKUP_TIMELINE_TAKEN', `timeline ${timeline} of ${service} is stored already, of another history`, {
      hint: 'A restored database and the one that it was made of both make copies here: stop one of them, or give the backup of one a location of its own.',
    });
  }
}

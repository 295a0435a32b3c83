import {
  backupBase,
  findBases,
  Journal,
  Schedule,
  type JournalStatus,
  type OpenedRepository,
  type WalPosition,
} from '../../backup/index.ts';
import type { HoldfastConfig } from '../../config/schema.ts';
import { linked } from '../../core/deadline.ts';
import { hasCode, messageOf } from '../../core/errors.ts';
import { formatLsn } from '../../core/lsn.ts';
import type { Runtime } from '../../core/runtime.ts';
import type { Member } from '../../failover/member.ts';
import { openCopies } from './open-copies.ts';

const lookMs = 500;
/** After a failure, and between looks whether a base is due. */
const pauseMs = 10_000;

export interface KeeperParts {
  readonly node: string;
  readonly config: HoldfastConfig;
  readonly record: (what: string, data: Record<string, unknown>) => void;
  readonly runtime: Runtime;
}

/** Makes a service's copies for as long as this node leads it: the journal always, base backups by the schedule. Begins by itself. */
export class CopiesKeeper implements AsyncDisposable {
  readonly #member: Member;
  readonly #parts: KeeperParts;
  readonly #stop = new AbortController();
  readonly #running: Promise<void>;
  #journal: Journal | undefined;
  #failure = '';

  constructor(member: Member, parts: KeeperParts) {
    this.#member = member;
    this.#parts = parts;
    this.#running = this.#run(this.#stop.signal);
  }

  /** Undefined while this node does not lead, or keeps no journal. */
  journal(): JournalStatus | undefined {
    return this.#journal?.status();
  }

  get #leads(): boolean {
    return this.#member.servingTerm > 0 && this.#member.engineState.role === 'primary';
  }

  async #run(signal: AbortSignal): Promise<void> {
    const { record, runtime } = this.#parts;
    const { service } = this.#member;
    while (!signal.aborted) {
      if (!this.#leads) {
        await runtime.clock.sleep(lookMs, signal).catch(() => {});
        continue;
      }
      try {
        await this.#keep(signal);
        this.#failure = '';
      } catch (error) {
        if (signal.aborted) return;
        const message = messageOf(error);
        runtime.logger.warn('backup.failed', { service, error: message });
        // Told once, not at every attempt.
        if (message !== this.#failure) record('backup.failed', { error: message });
        this.#failure = message;
        await runtime.clock.sleep(pauseMs, signal).catch(() => {});
      }
    }
  }

  /** Until this node leads no more. */
  async #keep(signal: AbortSignal): Promise<void> {
    const { config, runtime } = this.#parts;
    const {
      service,
      deps: { engine },
    } = this.#member;
    const backup = config.services[service]!.backup!;
    using term = linked(signal);
    await using copies = await openCopies(config, backup.to, runtime, { create: true, signal });
    const { location, repository } = copies;
    const journal =
      backup.journal === undefined || engine.wal === undefined
        ? undefined
        : new Journal(engine.wal, location, repository.parts.files.key, runtime, { service, intervalMs: backup.journal });
    this.#journal = journal;
    const work = Promise.all([journal?.run(term.signal), this.#keepBases(repository, journal, term.signal)]);
    work.catch(() => term.abort(new Error('copies can not be made')));
    while (this.#leads && !term.signal.aborted) await runtime.clock.sleep(lookMs, term.signal).catch(() => {});
    term.abort(new Error('this node leads no more'));
    try {
      await work;
    } finally {
      this.#journal = undefined;
    }
  }

  async #keepBases(repository: OpenedRepository, journal: Journal | undefined, signal: AbortSignal): Promise<void> {
    const { clock } = this.#parts.runtime;
    const { schedule } = this.#parts.config.services[this.#member.service]!.backup!;
    const due = new Schedule(schedule);
    if (journal === undefined || this.#member.deps.engine.base === undefined) return;
    while (!signal.aborted) {
      const { stored } = journal.status();
      if (stored !== undefined && due.isDue(await this.#lastBaseMs(repository, signal), clock.wallMs()))
        await this.#makeBase(repository, stored, signal);
      await clock.sleep(stored === undefined ? lookMs : pauseMs, signal).catch(() => {});
    }
  }

  /** When the last one was consistent; undefined when the WAL after all of them has a gap, which only a new one closes. */
  async #lastBaseMs(repository: OpenedRepository, signal: AbortSignal): Promise<number | undefined> {
    const {
      service,
      deps: { engine },
    } = this.#member;
    const { systemId } = await engine.inspect({ signal });
    await repository.refresh({ signal });
    const bases = await findBases(repository, { service, ...(systemId === undefined ? {} : { systemId }), signal }).catch(
      (error: unknown) => {
        if (hasCode(error, 'BACKUP_NO_BASE')) return [];
        throw error;
      },
    );
    const last = bases.at(-1)?.facts;
    const gaps = this.#journal?.status().gaps ?? [];
    return last === undefined || gaps.some(({ end }) => end > last.start.lsn) ? undefined : last.endMs;
  }

  async #makeBase(repository: OpenedRepository, stored: WalPosition, signal: AbortSignal): Promise<void> {
    const { node, record, runtime } = this.#parts;
    const { service } = this.#member;
    const beganMs = runtime.clock.monotonicMs();
    const { snapshot, facts, summary } = await backupBase(repository, this.#member.deps.engine.base!, runtime, {
      service,
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
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort(new Error('the agent ends'));
    await this.#running;
  }
}

import { backupBase, findBases, Journal, Schedule, type BaseFacts, type OpenedRepository, type WalPosition } from '../../backup/index.ts';
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
  #failure = '';

  constructor(member: Member, parts: KeeperParts) {
    this.#member = member;
    this.#parts = parts;
    this.#running = this.#run(this.#stop.signal);
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
    const work = Promise.all([journal?.run(term.signal), this.#keepBases(repository, journal, term.signal)]);
    work.catch(() => term.abort(new Error('copies can not be made')));
    while (this.#leads && !term.signal.aborted) await runtime.clock.sleep(lookMs, term.signal).catch(() => {});
    term.abort(new Error('this node leads no more'));
    await work;
  }

  /** What fails here is tried again, and does not stop the journal. */
  async #keepBases(repository: OpenedRepository, journal: Journal | undefined, signal: AbortSignal): Promise<void> {
    const { record, runtime, config } = this.#parts;
    const due = new Schedule(config.services[this.#member.service]!.backup!.schedule);
    if (journal === undefined || this.#member.deps.engine.base === undefined) return;
    let last: BaseFacts | 'unknown' | undefined = 'unknown';
    // Told once, not at every attempt.
    let told = '';
    while (!signal.aborted) {
      const { stored, gaps } = journal.status();
      try {
        if (last === 'unknown') last = await this.#lastBase(repository, signal);
        // After a gap only a new one helps.
        const start = last?.start.lsn;
        const useful = start !== undefined && gaps.every(({ end }) => end <= start) ? last?.endMs : undefined;
        if (stored !== undefined && due.isDue(useful, runtime.clock.wallMs())) last = await this.#makeBase(repository, stored, signal);
      } catch (error) {
        if (signal.aborted) return;
        const failure = messageOf(error);
        if (failure !== told) record('backup.base.failed', { error: failure });
        told = failure;
      }
      await runtime.clock.sleep(stored === undefined ? lookMs : pauseMs, signal).catch(() => {});
    }
  }

  /** The last one that is stored of this database, by whomever. */
  async #lastBase(repository: OpenedRepository, signal: AbortSignal): Promise<BaseFacts | undefined> {
    const { service, deps } = this.#member;
    const { systemId } = await deps.engine.inspect({ signal });
    const order = { service, ...(systemId === undefined ? {} : { systemId }), signal };
    const bases = await findBases(repository, order).catch((error: unknown) => {
      if (hasCode(error, 'BACKUP_NO_BASE')) return [];
      throw error;
    });
    return bases.at(-1)?.facts;
  }

  async #makeBase(repository: OpenedRepository, stored: WalPosition, signal: AbortSignal): Promise<BaseFacts> {
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
    return facts;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort(new Error('the agent ends'));
    await this.#running;
  }
}

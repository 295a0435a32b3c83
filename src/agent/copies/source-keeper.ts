import { forgetByRules, type OpenedRepository, type Schedule } from '../../backup/index.ts';
import { acquireLock } from '../../coordination/lock.ts';
import { linked } from '../../core/deadline.ts';
import { messageOf } from '../../core/errors.ts';
import type { MachineRuntime } from '../../core/runtime.ts';
import type { CopiesState } from '../../failover/messages.ts';
import { AlarmBell } from './alarm-bell.ts';
import { decideAlarms, type Alarm } from './alarms.ts';
import { partsOf } from './care.ts';
import { openKept } from './open-kept.ts';
import { PruneTurn } from './prune-turn.ts';
import { findSourceCopies, makeSourceCopy } from './source-copy.ts';
import { Complaint, definedRules, isTaken, lookMs, pauseMs, scheduleOf, type KeeperParts } from './term.ts';

export interface SourceKeeperParts extends Omit<KeeperParts, 'runtime'> {
  readonly runtime: MachineRuntime;
  readonly service: string;
  /** Whether this node is the one to copy it now. */
  readonly leads: () => boolean;
}

/**
 * Copies the files or the output of a service that is no database, by its schedule: a process where it runs, a directory on each node that has it.
 * Two that both believe to lead a process settle by a lock who does it. Begins by itself.
 */
export class SourceKeeper implements AsyncDisposable {
  readonly #parts: SourceKeeperParts;
  readonly #schedule: Schedule;
  readonly #making: Complaint;
  readonly #retaining: Complaint;
  readonly #pruning: PruneTurn;
  readonly #bell: AlarmBell;
  readonly #stop = new AbortController();
  readonly #beganMs: number;
  readonly #running: Promise<void>;
  #lastMs: number | 'unknown' | undefined = 'unknown';
  #locationParts: CopiesState['parts'] = [];
  /** What the last one lacks; empty when it has all. */
  #lacks = '';

  constructor(parts: SourceKeeperParts) {
    this.#parts = parts;
    this.#schedule = scheduleOf(parts.config, parts.service);
    this.#making = new Complaint(parts.record, 'backup.failed');
    this.#retaining = new Complaint(parts.record, 'backup.retention.failed');
    this.#pruning = new PruneTurn(parts);
    this.#bell = new AlarmBell(parts.record);
    this.#beganMs = parts.runtime.clock.monotonicMs();
    this.#running = this.#run(this.#stop.signal);
  }

  get #settings(): SourceKeeperParts['config']['services'][string] {
    return this.#parts.config.services[this.#parts.service]!;
  }

  get #backup(): NonNullable<SourceKeeperParts['config']['services'][string]['backup']> {
    return this.#settings.backup!;
  }

  get #isDue(): boolean {
    return this.#lastMs === 'unknown' || this.#schedule.isDue(this.#lastMs, this.#parts.runtime.clock.wallMs());
  }

  async #run(signal: AbortSignal): Promise<void> {
    const { leads, runtime } = this.#parts;
    while (!signal.aborted) {
      if (!leads()) {
        // Another one may make the next.
        this.#lastMs = 'unknown';
        await runtime.clock.sleep(lookMs, signal).catch(() => {});
        continue;
      }
      if (this.#isDue) await this.#whileLeading(signal);
      this.#bell.ring(this.#alarms());
      await runtime.clock.sleep(this.#isDue ? pauseMs : lookMs, signal).catch(() => {});
    }
  }

  async #whileLeading(signal: AbortSignal): Promise<void> {
    const { runtime, service } = this.#parts;
    using until = linked(signal);
    const watching = this.#watch(until);
    try {
      await this.#turn(until.signal);
      this.#making.settle();
    } catch (error) {
      if (until.signal.aborted || isTaken(error)) return;
      runtime.logger.warn('backup.failed', { service, error: messageOf(error) });
      this.#making.tell(messageOf(error));
    } finally {
      until.abort(new Error('it is done'));
      await watching;
    }
  }

  async #watch(until: ReturnType<typeof linked>): Promise<void> {
    const { leads, runtime } = this.#parts;
    while (!until.signal.aborted) {
      await runtime.clock.sleep(lookMs, until.signal).catch(() => {});
      if (!leads()) until.abort(new Error('this node leads no more'));
    }
  }

  /** Looks for the last one, and makes one when that is due. */
  async #turn(signal: AbortSignal): Promise<void> {
    const { node, quota, runtime, service, store } = this.#parts;
    // A directory is each node's own.
    const own = this.#settings.files === undefined ? {} : { node };
    const lock = own.node === undefined ? `copies/${service}` : `copies/${service}/${node}`;
    await using hold = await acquireLock(store, lock, runtime, { holder: node, signal });
    using both = linked(signal, hold.signal);
    await using copies = await openKept(this.#parts, this.#backup.to, { signal: both.signal });
    try {
      const [last] = (await findSourceCopies(copies.repository, { service, ...own, signal: both.signal })).slice(-1);
      this.#lastMs = last?.timeMs;
      if (!this.#isDue) return;
      await quota.admit(this.#backup.to, { signal: both.signal });
      await this.#make(copies.repository, both.signal);
      await this.#retain(copies.repository, both.signal);
    } finally {
      this.#locationParts = partsOf(copies.location.status());
    }
  }

  async #make(repository: OpenedRepository, signal: AbortSignal): Promise<void> {
    const { node, record, runtime, service } = this.#parts;
    const beganMs = runtime.clock.monotonicMs();
    const order = { service, node, backup: this.#backup, path: this.#settings.files?.path, signal };
    const { snapshot, readBytes, storedBytes, unread, problem } = await makeSourceCopy(repository, runtime, order);
    this.#lastMs = snapshot.timeMs;
    this.#lacks = unread === 0 ? '' : `it lacks ${unread} files that could not be read: ${problem ?? ''}`;
    const tookMs = Math.round(runtime.clock.monotonicMs() - beganMs);
    record('backup.made', { snapshot: snapshot.id, readBytes, storedBytes, tookMs, unread, ...(problem && { problem }) });
  }

  /** Rules hold for each node by itself. What fails here is tried again after the next one. */
  async #retain(repository: OpenedRepository, signal: AbortSignal): Promise<void> {
    const { record, runtime, service } = this.#parts;
    const rules = definedRules(this.#backup.keep);
    try {
      if (Object.keys(rules).length > 0) {
        const filter = { tags: [['service-copy', `service=${service}`]] };
        const groups = await forgetByRules(repository, runtime, { rules, filter, groupBy: { host: true }, signal });
        const forgotten = groups.reduce((sum, { remove }) => sum + remove.length, 0);
        if (forgotten > 0) {
          this.#pruning.note();
          record('backup.retained', { kept: groups.reduce((sum, { keep }) => sum + keep.length, 0), forgotten });
        }
      }
      if (this.#pruning.isDue) await this.#pruning.take(repository, signal);
      this.#retaining.settle();
    } catch (error) {
      if (!signal.aborted && !isTaken(error)) this.#retaining.tell(messageOf(error));
    }
  }

  #alarms(): Alarm[] {
    const lastMs = this.#lastMs === 'unknown' ? undefined : this.#lastMs;
    const { clock } = this.#parts.runtime;
    return decideAlarms({
      caredMs: clock.monotonicMs() - this.#beganMs,
      what: 'backup',
      lastMs,
      isOverdue: lastMs !== undefined && this.#schedule.isOverdue(lastMs, clock.wallMs()),
      journalLagMs: 0,
      journalLagMsMax: 0,
      gap: undefined,
      parts: this.#locationParts,
      failures: { copies: '', base: this.#making.message || this.#lacks, folding: '', retaining: this.#retaining.message },
    });
  }

  /** How its copies are; undefined while this node is not the one to make them. */
  state(): CopiesState | undefined {
    const { leads, service } = this.#parts;
    if (!leads()) return undefined;
    return {
      service,
      location: this.#backup.to,
      parts: this.#locationParts,
      ...(typeof this.#lastMs === 'number' && { last: { atMs: this.#lastMs } }),
      alarms: this.#alarms().map(({ text }) => text),
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort(new Error('the agent ends'));
    await this.#running;
  }
}

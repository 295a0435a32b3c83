import { Journal } from '../../backup/index.ts';
import { journalSettings, type JournalSettings } from '../../config/copies.ts';
import { linked } from '../../core/deadline.ts';
import { messageOf } from '../../core/errors.ts';
import type { Member } from '../../failover/member.ts';
import type { CopiesState } from '../../failover/messages.ts';
import { AlarmBell } from './alarm-bell.ts';
import { BaseDesk, makerOf } from './base-orders.ts';
import { CopiesCare } from './care.ts';
import { JournalVoice } from './journal-voice.ts';
import type { Copies } from './open-copies.ts';
import { openKept } from './open-kept.ts';
import { ReadyCopies } from './ready-copies.ts';
import { Complaint, lookMs, pauseMs, type CopiesTerm, type KeeperParts } from './term.ts';

const lagMsMaxDefault = 30_000;
const lagMsMin = 5_000;

/** Makes a service's copies for as long as this node leads it: the journal always, base backups by the schedule. Begins by itself. */
export class CopiesKeeper implements AsyncDisposable {
  readonly #member: Member;
  readonly #parts: KeeperParts;
  readonly #stop = new AbortController();
  readonly #complaint: Complaint;
  readonly #desk: BaseDesk;
  #care: CopiesCare | undefined;
  readonly #running: Promise<unknown>;
  readonly #journalling: JournalSettings | undefined;
  /** Where commits wait for the journal. */
  readonly #voice: JournalVoice | undefined;
  #journalNow: Journal | undefined;
  /** Where commits of the next leader would wait for them to be opened. */
  readonly #ready: ReadyCopies | undefined;
  #pause: ReturnType<typeof linked> | undefined;

  constructor(member: Member, parts: KeeperParts) {
    this.#member = member;
    this.#parts = parts;
    this.#complaint = new Complaint(parts.record, 'backup.failed');
    this.#desk = new BaseDesk(parts.runtime.clock, member, makerOf(parts, member));
    this.#journalling = journalSettings(parts.config.services[member.service]!.backup!.journal);
    if (this.#journalling?.sync === true) {
      this.#voice = new JournalVoice(member, parts, this.#journalling, () => this.#journalNow?.status());
      this.#ready = new ReadyCopies(parts, parts.config.services[member.service]!.backup!.to);
    }
    this.#running = Promise.all([this.#run(this.#stop.signal), this.#voice?.run(this.#stop.signal)]);
  }

  get #leads(): boolean {
    return this.#member.servingTerm > 0 && this.#member.engineState.role === 'primary';
  }

  /** Whether this node leads may have changed. */
  wake(): void {
    this.#pause?.abort(new Error('something has changed'));
  }

  async #untilWoken(signal: AbortSignal): Promise<void> {
    using pause = (this.#pause = linked(signal));
    await this.#parts.runtime.clock.sleep(lookMs, pause.signal).catch(() => {});
  }

  async #run(signal: AbortSignal): Promise<void> {
    const { runtime } = this.#parts;
    const { service } = this.#member;
    const complaint = this.#complaint;
    await using _ready = this.#ready;
    while (!signal.aborted) {
      if (!this.#leads) {
        void this.#ready?.prepare(signal);
        await this.#untilWoken(signal);
        continue;
      }
      try {
        await this.#keep(signal);
      } catch (error) {
        if (signal.aborted) return;
        const message = messageOf(error);
        runtime.logger.warn('backup.failed', { service, error: message });
        complaint.tell(message);
        await runtime.clock.sleep(this.#journalling?.sync === true ? lookMs : pauseMs, signal).catch(() => {});
      } finally {
        this.#journalNow = undefined;
        this.#care = undefined;
      }
    }
  }

  /** Until this node leads no more. */
  async #keep(signal: AbortSignal): Promise<void> {
    const { config, runtime } = this.#parts;
    const service = config.services[this.#member.service]!;
    const backup = service.backup!;
    using until = linked(signal);
    await using copies = (await this.#ready?.take(signal)) ?? (await openKept(this.#parts, backup.to, { signal }));
    this.#complaint.settle();
    const lagMsMax = lagMsMaxOf(service.objectives?.rpo, this.#journalling?.intervalMs);
    const term: CopiesTerm = { ...this.#parts, ...copies, member: this.#member, backup, journal: this.#journal(copies), lagMsMax };
    const care = (this.#care = new CopiesCare(term));
    const work = Promise.all([term.journal?.run(until.signal), care.run(until.signal)]);
    work.catch(() => until.abort(new Error('copies can not be made')));
    const bell = new AlarmBell(this.#parts.record);
    while (this.#leads && !until.signal.aborted) {
      await runtime.clock.sleep(lookMs, until.signal).catch(() => {});
      bell.ring([...care.alarms(this.#complaint.message), ...(this.#voice?.alarms ?? [])]);
    }
    until.abort(new Error('this node leads no more'));
    await work;
  }

  #journal({ repository }: Copies): Journal | undefined {
    const { service, deps } = this.#member;
    if (this.#journalling === undefined || deps.engine.wal === undefined) return undefined;
    const { intervalMs } = this.#journalling;
    return (this.#journalNow = new Journal(deps.engine.wal, repository, this.#parts.runtime, { service, intervalMs }));
  }

  /** How the copies are that this node cares for; undefined while it does not lead. */
  state(): CopiesState | undefined {
    if (!this.#leads) return undefined;
    const failure = this.#complaint.message;
    const waiting = this.#voice?.alarms.map(({ text }) => text) ?? [];
    const cared = this.#care?.state(failure);
    if (cared !== undefined) return { ...cared, alarms: [...cared.alarms, ...waiting] };
    const { service } = this.#member;
    const location = this.#parts.config.services[service]!.backup!.to;
    return { service, location, parts: [], alarms: [...(failure === '' ? [] : [`Copies can not be made: ${failure}`]), ...waiting] };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort(new Error('the agent ends'));
    await this.#desk[Symbol.asyncDispose]();
    await this.#running;
  }
}

/** How far a journal may be behind before somebody is told: by the objective for lost work, but not by what it takes when all is well. */
function lagMsMaxOf(rpoMs = lagMsMaxDefault, intervalMs = 0): number {
  return Math.max(rpoMs, lagMsMin + 3 * intervalMs);
}

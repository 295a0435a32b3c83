import { HoldfastError, hasCode, messageOf } from '../../core/errors.ts';
import { formatLsn } from '../../core/lsn.ts';
import type { Runtime } from '../../core/runtime.ts';
import type { WalIdentity, WalReader, WalSource, WalStream } from '../../core/wal-source.ts';
import type { OpenedRepository } from '../open/opened-repository.ts';
import { decideResume, mergeRanges, type WalPosition, type WalRange } from './coverage.ts';
import { encodePart, partBytesMax } from './journal-part.ts';
import { partKey } from './journal-key.ts';
import { KeptHistories } from './kept-histories.ts';
import { readMarks } from './marks.ts';
import { listStoredWal, rangesOf } from './stored-wal.ts';
import { WalBuffer, type WalCut } from './wal-buffer.ts';
import { lookMsMax, Witness } from './witness.ts';

/** Pauses after a failure: doubled from the first to the last. */
const retryMsMin = 500;
const retryMsMax = 15_000;
/** Where commits wait for it: as much may have come and not be stored yet. */
const bufferedBytesMax = 64 * 1024 * 1024;
/** Where commits wait for it, pauses as above. */
const urgentRetryMsMin = 25;
const urgentRetryMsMax = 1_000;

export interface JournalOptions {
  readonly service: string;
  /**
   * What came within so long is fetched in one go, and put as one part: what a lost site costs, beside the time that putting takes. 0: it is streamed,
   * and what came while the last part was put is the next one.
   */
  readonly intervalMs: number;
  /** Of what is streamed as much may have come and not be stored yet. Default: 64 MiB */
  readonly bufferedBytesMax?: number;
}

export interface JournalStatus {
  readonly state: 'starting' | 'running' | 'failing' | 'ended';
  /** Durable in the location up to here. */
  readonly stored?: WalPosition;
  /** By then, by the server's clock, everything was stored: recovery to any point up to then is possible. */
  readonly storedSentMs?: number;
  /** Flushed at the server, as far as it has said so, and not stored yet. */
  readonly lagBytes: number;
  /** For how long something has not been stored; with an interval, for how long it is not known that all is. */
  readonly lagMs: number;
  /** WAL that no part has, found in this run: no recovery passes it; a base backup made after it closes it. */
  readonly gaps: readonly WalRange[];
  readonly failure?: string;
}

/**
 * Copies a database's WAL, as it is written, into a location, in parts that are never changed. Where it begins is decided by what is stored there
 * already, so that any number of them may follow each other, on any members, over any change of leaders; two at once write the same bytes
 * twice, and harm nothing.
 */
export class Journal {
  readonly #source: WalSource;
  readonly #repository: OpenedRepository;
  readonly #runtime: Runtime;
  readonly #options: JournalOptions;
  #systemId = '';
  #histories: KeptHistories | undefined;
  #ranges: readonly WalRange[] = [];
  #began: readonly WalRange[] = [];
  #gaps: readonly WalRange[] = [];
  #state: JournalStatus['state'] = 'starting';
  #stored: WalPosition | undefined;
  #witness: Witness | undefined;
  /** Of what is streamed. */
  #buffer: WalBuffer | undefined;
  /** How far the server was when it was asked last, where WAL is fetched. */
  #serverEnd: WalPosition | undefined;
  #behindSinceMs: number | undefined;
  #failure: string | undefined;

  /** @param repository beside which, and by whose key, it is stored */
  constructor(source: WalSource, repository: OpenedRepository, runtime: Runtime, options: JournalOptions) {
    this.#source = source;
    this.#repository = repository;
    this.#runtime = runtime;
    this.#options = options;
  }

  status(): JournalStatus {
    const storedSentMs = this.#witness?.knownMs;
    return {
      state: this.#state,
      ...(this.#stored && { stored: this.#stored }),
      ...(storedSentMs !== undefined && { storedSentMs }),
      lagBytes: this.#buffer?.sizeBytes ?? this.#missingBytes,
      lagMs: this.#behindSinceMs === undefined ? 0 : this.#runtime.clock.monotonicMs() - this.#behindSinceMs,
      gaps: this.#gaps,
      ...(this.#failure !== undefined && { failure: this.#failure }),
    };
  }

  /** Until the signal aborts; whatever fails is tried again. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, logger } = this.#runtime;
    const [shortestMs, longestMs] = this.#isUrgent ? [urgentRetryMsMin, urgentRetryMsMax] : [retryMsMin, retryMsMax];
    let pauseMs = shortestMs;
    while (!signal.aborted) {
      const storedBefore = this.#stored;
      try {
        await this.#follow(signal);
      } catch (error) {
        if (signal.aborted) break;
        this.#state = 'failing';
        this.#failure = messageOf(error);
        logger.warn('backup.journal.failed', { service: this.#options.service, error: this.#failure });
      }
      this.#buffer = undefined;
      const isStuck = this.#stored?.timeline === storedBefore?.timeline && this.#stored?.lsn === storedBefore?.lsn;
      pauseMs = isStuck ? Math.min(longestMs, pauseMs * 2) : shortestMs;
      await clock.sleep(pauseMs, signal).catch(() => {});
    }
    this.#state = 'ended';
  }

  get #isUrgent(): boolean {
    return this.#options.intervalMs === 0;
  }

  get #missingBytes(): number {
    const [end, stored] = [this.#serverEnd, this.#stored];
    return end === undefined || stored === undefined || end.lsn <= stored.lsn ? 0 : Number(end.lsn - stored.lsn);
  }

  /** One connection after another, timeline after timeline, until the server ends or something fails. */
  async #follow(signal: AbortSignal): Promise<void> {
    const identity = await this.#source.identify({ signal });
    if (identity.systemId !== this.#systemId) await this.#readStored(identity.systemId, signal);
    const history = await this.#histories!.keep(identity.timeline, signal);
    const place = this.#place;
    this.#witness ??= new Witness(this.#source, place, this.#runtime, (await readMarks(place, { signal })).lastSeen(history));
    let from = decideResume([...this.#ranges, ...this.#began], history) ?? beginOfSegment(identity);
    // Until a first part is stored, this alone knows since when all is to be kept.
    if (this.#ranges.length === 0) this.#began = [{ timeline: from.timeline, start: from.lsn, end: from.lsn }];
    for (;;) {
      const next = await this.#copy(from, signal).catch((error: unknown) => this.#skip(this.#stored ?? from, identity, error));
      if (next === undefined) return;
      from = next;
      await this.#histories!.keep(from.timeline, signal);
    }
  }

  get #place() {
    return { repository: this.#repository, service: this.#options.service, systemId: this.#systemId };
  }

  /** What is there from earlier. */
  async #readStored(systemId: string, signal: AbortSignal): Promise<void> {
    this.#began = [];
    this.#witness = undefined;
    const stored = await listStoredWal(this.#repository, { service: this.#options.service, systemId }, { signal });
    this.#ranges = mergeRanges(rangesOf(stored));
    this.#systemId = systemId;
    this.#histories = new KeptHistories(this.#source, this.#place);
  }

  /** From the present on, with a gap on record, where the server has no older WAL any more. @throws any other error */
  #skip(from: WalPosition, identity: WalIdentity, error: unknown): WalPosition {
    const present = beginOfSegment(identity);
    const isThere = present.timeline === from.timeline && present.lsn <= from.lsn;
    if (isThere || !hasCode(error, 'ENGINE_WAL_GONE')) throw error;
    this.#gaps = [...this.#gaps, { timeline: from.timeline, start: from.lsn, end: present.lsn }];
    this.#runtime.logger.error('backup.journal.gap', {
      service: this.#options.service,
      timeline: from.timeline,
      from: formatLsn(from.lsn),
      to: formatLsn(present.lsn),
    });
    return present;
  }

  /** Until the timeline ends, or the server. @returns where the next timeline begins */
  async #copy(from: WalPosition, signal: AbortSignal): Promise<WalPosition | undefined> {
    this.#stored = from;
    if (!this.#isUrgent) {
      const reader = await this.#source.reader(from, { signal });
      return await this.#fetchByBeats(reader, signal);
    }
    // Whatever ends the storing ends the reading too.
    const stop = new AbortController();
    const either = AbortSignal.any([signal, stop.signal]);
    await using stream = await this.#source.stream(from, { signal: either });
    return await this.#followStream(stream, from, stop, either);
  }

  #runs(): void {
    this.#state = 'running';
    this.#failure = undefined;
  }

  /** Where nobody waits for it: what came since the last time. In between the server has no work with it. @returns where the next timeline begins */
  async #fetchByBeats(reader: WalReader, signal: AbortSignal): Promise<WalPosition> {
    const { clock } = this.#runtime;
    const { intervalMs } = this.#options;
    this.#behindSinceMs ??= clock.monotonicMs();
    for (let isDue = true; ;) {
      const askedMs = clock.monotonicMs();
      this.#serverEnd = (await this.#witness!.ask(signal)).position;
      const next = isDue || this.#missingBytes >= partBytesMax ? await this.#fetch(reader, this.#serverEnd, signal) : undefined;
      this.#runs();
      if (next !== undefined) return next;
      if (this.#has(this.#serverEnd)) this.#behindSinceMs = askedMs;
      await this.#witness!.tell(this.#stored, signal);
      const [dueMs, lookMs] = [this.#behindSinceMs + intervalMs, askedMs + lookMsMax];
      isDue = dueMs <= lookMs;
      await clock.sleep(Math.max(0, Math.min(dueMs, lookMs) - clock.monotonicMs()), signal);
    }
  }

  /** All up to there. @returns where the next timeline begins, when this one ends before */
  async #fetch(reader: WalReader, until: WalPosition, signal: AbortSignal): Promise<WalPosition | undefined> {
    while (!this.#has(until)) {
      const { timeline, lsn: start } = this.#stored!;
      const { bytes, next } = await reader.read(this.#stored!, { until, sizeBytesMax: partBytesMax, signal });
      const end = start + BigInt(bytes.byteLength);
      if (end > start) {
        await this.#put({ range: { timeline, start, end }, wal: [bytes] }, signal);
        await reader.confirm(end, { signal });
      }
      if (next !== undefined) return { timeline: next, lsn: end };
      if (end === start) throw new RangeError(`nothing was read from ${formatLsn(start)} on, though WAL ends at ${formatLsn(until.lsn)}`);
    }
    return undefined;
  }

  #has(end: WalPosition): boolean {
    return this.#stored!.timeline === end.timeline && this.#stored!.lsn >= end.lsn;
  }

  /** Where commits wait: all of it as it is flushed. @returns where the next timeline begins; undefined when the server ends */
  async #followStream(stream: WalStream, from: WalPosition, stop: AbortController, signal: AbortSignal): Promise<WalPosition | undefined> {
    const buffer = (this.#buffer = new WalBuffer(from, this.#runtime.clock, this.#options.bufferedBytesMax ?? bufferedBytesMax));
    this.#runs();
    await this.#witness!.askIfItAnswers(signal);
    if (this.#witness!.note(from)) this.#behindSinceMs = undefined;
    const storing = this.#store(buffer, stream, signal);
    const seeing = this.#witness!.run(() => this.#stored, signal);
    for (const work of [storing, seeing]) work.catch((error: unknown) => stop.abort(error));
    try {
      for (;;) {
        const event = await stream.next();
        if (event.kind === 'bytes') {
          this.#behindSinceMs ??= this.#runtime.clock.monotonicMs();
          if (await buffer.add(event, signal)) continue;
          // A server that sends to somebody who does not read can not shut down. What is not read is asked for again.
          await stream[Symbol.asyncDispose]();
          buffer.end();
          await storing;
          return undefined;
        }
        // What is not stored yet is had from the next leader: a hand-over must not wait for a location.
        if (event.kind === 'ending') {
          await stream[Symbol.asyncDispose]();
          return undefined;
        }
        buffer.end();
        await storing;
        return { timeline: event.next, lsn: event.lsn };
      }
    } finally {
      stop.abort();
      await Promise.allSettled([storing, seeing]);
    }
  }

  async #store(buffer: WalBuffer, stream: WalStream, signal: AbortSignal): Promise<void> {
    for (;;) {
      const cut = await buffer.take({ sizeBytesMax: partBytesMax, signal });
      if (cut === undefined) return;
      await this.#put(cut, signal);
      buffer.done();
      this.#behindSinceMs = buffer.sinceMs;
      stream.confirm(cut.range.end, { now: true });
    }
  }

  async #put({ range, wal }: WalCut, signal: AbortSignal): Promise<void> {
    const { service, systemId } = this.#place;
    const end = { timeline: range.timeline, lsn: range.end };
    const sentMs = this.#witness!.timeAt(end) ?? 0;
    const sealed = encodePart({ service, systemId, range, sentMs, wal }, this.#repository.parts.files.key);
    await this.#repository.location.put(partKey(service, systemId, range), [sealed], { signal });
    this.#ranges = mergeRanges([...this.#ranges, range]);
    this.#stored = end;
    this.#witness!.note(end);
  }
}

/** A base backup that begins now needs WAL from within the segment that is being written. */
function beginOfSegment({ timeline, lsn, segmentBytes }: WalIdentity): WalPosition {
  if (segmentBytes <= 0) throw new HoldfastError('BACKUP_UNSUPPORTED', `a WAL segment of ${segmentBytes} bytes`);
  return { timeline, lsn: lsn - (lsn % BigInt(segmentBytes)) };
}

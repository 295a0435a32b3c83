import { HoldfastError, hasCode, messageOf } from '../../core/errors.ts';
import { formatLsn } from '../../core/lsn.ts';
import type { Runtime } from '../../core/runtime.ts';
import { parseHistory, type TimelineHistory } from '../../core/timeline.ts';
import type { WalIdentity, WalSource, WalStream } from '../../core/wal-source.ts';
import type { OpenedRepository } from '../open/opened-repository.ts';
import { decideResume, mergeRanges, type WalPosition, type WalRange } from './coverage.ts';
import { encodePart, partBytesMax } from './journal-part.ts';
import { historyKey, partKey } from './journal-key.ts';
import { readMarks } from './marks.ts';
import { listStoredWal, rangesOf } from './stored-wal.ts';
import { WalBuffer } from './wal-buffer.ts';
import { Witness } from './witness.ts';

/** Pauses after a failure: doubled from the first to the last. */
const retryMsMin = 500;
const retryMsMax = 15_000;
/** As much may have come and not be stored yet. */
const bufferedBytesMax = 64 * 1024 * 1024;
/** WAL comes in as many pieces as there are commits: where nobody waits for it, it is read so much later, in one go. A hand-over waits no longer either. */
const restMsMax = 20;
/** Where commits wait for it. */
const urgentRetryMsMin = 25;
const urgentRetryMsMax = 1_000;

export interface JournalOptions {
  readonly service: string;
  /** What came within so long is put as one part: what a lost site costs, beside the time that putting takes. 0: what came while the last part was put. */
  readonly intervalMs: number;
  /** As much may have come and not be stored yet. Default: 64 MiB */
  readonly bufferedBytesMax?: number;
}

export interface JournalStatus {
  readonly state: 'starting' | 'running' | 'failing' | 'ended';
  /** Durable in the location up to here. */
  readonly stored?: WalPosition;
  /** By then, by the server's clock, everything was stored: recovery to any point up to then is possible. */
  readonly storedSentMs?: number;
  /** Come, but not stored yet. */
  readonly lagBytes: number;
  /** For how long something that has come, on this connection or one before, has not been stored. */
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
  /** Timelines that are known to be this database's here. */
  readonly #claimed = new Set<number>();
  #systemId = '';
  #ranges: readonly WalRange[] = [];
  #began: readonly WalRange[] = [];
  #gaps: readonly WalRange[] = [];
  #state: JournalStatus['state'] = 'starting';
  #stored: WalPosition | undefined;
  #witness: Witness | undefined;
  #buffer: WalBuffer | undefined;
  #behindSinceMs: number | undefined;
  #failure: string | undefined;

  /** @param repository beside which, and by whose key, it is stored */
  constructor(source: WalSource, repository: OpenedRepository, runtime: Runtime, options: JournalOptions) {
    this.#source = source;
    this.#repository = repository;
    this.#runtime = runtime;
    this.#options = options;
  }

  get #restMs(): number {
    return this.#options.intervalMs === 0 ? 0 : restMsMax;
  }

  status(): JournalStatus {
    const storedSentMs = this.#witness?.knownMs;
    return {
      state: this.#state,
      ...(this.#stored && { stored: this.#stored }),
      ...(storedSentMs !== undefined && { storedSentMs }),
      lagBytes: this.#buffer?.sizeBytes ?? 0,
      lagMs: this.#behindSinceMs === undefined ? 0 : this.#runtime.clock.monotonicMs() - this.#behindSinceMs,
      gaps: this.#gaps,
      ...(this.#failure !== undefined && { failure: this.#failure }),
    };
  }

  /** Until the signal aborts; whatever fails is tried again. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, logger } = this.#runtime;
    const isUrgent = this.#options.intervalMs === 0;
    const [shortestMs, longestMs] = isUrgent ? [urgentRetryMsMin, urgentRetryMsMax] : [retryMsMin, retryMsMax];
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

  /** One connection after another, timeline after timeline, until the server ends or something fails. */
  async #follow(signal: AbortSignal): Promise<void> {
    const identity = await this.#source.identify({ signal });
    if (identity.systemId !== this.#systemId) await this.#readStored(identity.systemId, signal);
    const history = await this.#keepHistory(identity.timeline, signal);
    const place = { repository: this.#repository, service: this.#options.service, systemId: this.#systemId };
    this.#witness ??= new Witness(this.#source, place, this.#runtime, (await readMarks(place, { signal })).lastSeen(history));
    let from = decideResume([...this.#ranges, ...this.#began], history) ?? beginOfSegment(identity);
    // Until a first part is stored, this alone knows since when all is to be kept.
    if (this.#ranges.length === 0) this.#began = [{ timeline: from.timeline, start: from.lsn, end: from.lsn }];
    for (;;) {
      // Whatever ends the storing ends the reading too.
      const stop = new AbortController();
      await using stream = await this.#open(from, identity, AbortSignal.any([signal, stop.signal]));
      const next = await this.#copy(stream, stop);
      if (next === undefined) return;
      from = next;
      await this.#keepHistory(from.timeline, signal);
    }
  }

  /** What is there from earlier. */
  async #readStored(systemId: string, signal: AbortSignal): Promise<void> {
    this.#began = [];
    this.#witness = undefined;
    const stored = await listStoredWal(this.#repository, { service: this.#options.service, systemId }, { signal });
    this.#claimed.clear();
    this.#ranges = mergeRanges(rangesOf(stored));
    this.#systemId = systemId;
  }

  /** The histories of a timeline and its ancestors are stored before the first WAL of it: without them nobody could read that. */
  async #keepHistory(timeline: number, signal: AbortSignal): Promise<TimelineHistory> {
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
   * @throws BACKUP_TIMELINE_TAKEN
   */
  async #claim(timeline: number, history: string, signal: AbortSignal): Promise<void> {
    const { location } = this.#repository;
    const key = historyKey(this.#options.service, this.#systemId, timeline);
    try {
      return await location.put(key, [Buffer.from(history, 'utf8')], { ifAbsent: true, signal });
    } catch (error) {
      if (!hasCode(error, 'STORAGE_EXISTS')) throw error;
    }
    const stored = Buffer.from(await location.get(key, { signal })).toString('utf8');
    if (stored === history) return;
    throw new HoldfastError(
      'BACKUP_TIMELINE_TAKEN',
      `timeline ${timeline} of ${this.#options.service} is stored already, of another history`,
      {
        hint: 'A restored database and the one that it was made of both make copies here: stop one of them, or give the backup of one a location of its own.',
      },
    );
  }

  /** From there on; from the present on, with a gap on record, where the server has no older WAL any more. */
  async #open(from: WalPosition, identity: WalIdentity, signal: AbortSignal): Promise<OpenStream> {
    try {
      return openStream(await this.#source.stream(from, { signal, restMs: this.#restMs }), from, signal);
    } catch (error) {
      if (!hasCode(error, 'ENGINE_WAL_GONE')) throw error;
      const present = beginOfSegment(identity);
      const stream = await this.#source.stream(present, { signal, restMs: this.#restMs });
      this.#gaps = [...this.#gaps, { timeline: from.timeline, start: from.lsn, end: present.lsn }];
      this.#runtime.logger.error('backup.journal.gap', {
        service: this.#options.service,
        timeline: from.timeline,
        from: formatLsn(from.lsn),
        to: formatLsn(present.lsn),
      });
      return openStream(stream, present, signal);
    }
  }

  /** Until the timeline ends, or the server. @returns where the next timeline begins */
  async #copy({ stream, from, signal }: OpenStream, stop: AbortController): Promise<WalPosition | undefined> {
    const buffer = (this.#buffer = new WalBuffer(from, this.#runtime.clock, this.#options.bufferedBytesMax ?? bufferedBytesMax));
    this.#stored = from;
    this.#state = 'running';
    this.#failure = undefined;
    await this.#witness!.ask(signal);
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
    const { service, intervalMs } = this.#options;
    for (;;) {
      const cut = await buffer.take({ intervalMs, sizeBytesMax: partBytesMax, signal });
      if (cut === undefined) return;
      const { range, wal } = cut;
      const end = { timeline: range.timeline, lsn: range.end };
      const sentMs = this.#witness?.timeAt(end) ?? 0;
      const sealed = encodePart({ service, systemId: this.#systemId, range, sentMs, wal }, this.#repository.parts.files.key);
      await this.#repository.location.put(partKey(service, this.#systemId, range), [sealed], { signal });
      buffer.done();
      this.#ranges = mergeRanges([...this.#ranges, range]);
      this.#stored = end;
      this.#behindSinceMs = buffer.sinceMs;
      this.#witness?.note(end);
      stream.confirm(range.end, { now: true });
    }
  }
}

interface OpenStream extends AsyncDisposable {
  readonly stream: WalStream;
  readonly from: WalPosition;
  readonly signal: AbortSignal;
}

function openStream(stream: WalStream, from: WalPosition, signal: AbortSignal): OpenStream {
  return { stream, from, signal, [Symbol.asyncDispose]: () => stream[Symbol.asyncDispose]() };
}

/** A base backup that begins now needs WAL from within the segment that is being written. */
function beginOfSegment({ timeline, lsn, segmentBytes }: WalIdentity): WalPosition {
  if (segmentBytes <= 0) throw new HoldfastError('BACKUP_UNSUPPORTED', `a WAL segment of ${segmentBytes} bytes`);
  return { timeline, lsn: lsn - (lsn % BigInt(segmentBytes)) };
}

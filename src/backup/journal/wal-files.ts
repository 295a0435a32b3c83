import { hasCode, HoldfastError } from '../../core/errors.ts';
import { formatLsn, parseSegmentName, segmentName } from '../../core/lsn.ts';
import { parseHistory, type TimelineHistory } from '../../core/timeline.ts';
import { mapAtOnce } from '../gate.ts';
import type { OpenedRepository } from '../open/opened-repository.ts';
import { decideReach, type Reach, type WalPosition, type WalRange } from './coverage.ts';
import { FoldedReader } from './folded-reader.ts';
import { historyKey, partKey } from './journal-key.ts';
import { decodePart, type JournalPart } from './journal-part.ts';
import { readMarks, type JournalMarks } from './marks.ts';
import { listStoredWal, rangesOf, type StoredWal, type WalOwner } from './stored-wal.ts';

/** Parts that are kept decoded: one that lies in two segments is asked for again. */
const decodedPartsMax = 4;
const partsReadAtOnceMax = 8;

export interface WalFilesSource extends WalOwner {
  readonly repository: OpenedRepository;
  readonly segmentBytes: number;
}

/** Bytes `start` to `end` of a segment, and what stores them; undefined where nothing does. */
interface Piece {
  readonly source: Stored | undefined;
  readonly start: bigint;
  readonly end: bigint;
}

/** A part of the journal, or one folded segment. */
interface Stored {
  readonly range: WalRange;
  readonly isFolded: boolean;
}

/**
 * What is stored of one database's WAL, in small parts or folded, as the files that PostgreSQL's recovery asks for by `restore_command`. The
 * journal may go on, and be folded, meanwhile: what has moved is looked for again.
 */
export class WalFiles {
  readonly #from: WalFilesSource;
  readonly #folded: FoldedReader;
  #stored: StoredWal;
  #ranges: readonly WalRange[];
  readonly #histories = new Map<number, string>();
  readonly #decoded = new Map<string, Promise<JournalPart>>();

  private constructor(from: WalFilesSource, stored: StoredWal) {
    this.#from = from;
    this.#folded = new FoldedReader(from.repository);
    this.#stored = stored;
    this.#ranges = rangesOf(stored);
  }

  /** Lists what is stored now. */
  static async open(from: WalFilesSource, { signal }: { signal: AbortSignal }): Promise<WalFiles> {
    const files = new WalFiles(from, await listStoredWal(from.repository, from, { signal }));
    await files.#readHistories(signal);
    return files;
  }

  /** Lists anew what is stored. */
  async refresh({ signal }: { signal: AbortSignal }): Promise<void> {
    this.#stored = await listStoredWal(this.#from.repository, this.#from, { signal });
    this.#ranges = rangesOf(this.#stored);
    await this.#readHistories(signal);
  }

  async #readHistories(signal: AbortSignal): Promise<void> {
    const { repository, service, systemId } = this.#from;
    for (const timeline of this.#stored.histories) {
      if (this.#histories.has(timeline)) continue;
      const bytes = await repository.location.get(historyKey(service, systemId, timeline), { signal });
      this.#histories.set(timeline, Buffer.from(bytes).toString('utf8'));
    }
  }

  get stored(): StoredWal {
    return this.#stored;
  }

  /** The newest timeline of which anything is stored; undefined when nothing is. */
  get newestTimeline(): number | undefined {
    const all = [...this.#ranges.map(({ timeline }) => timeline), ...this.#histories.keys()];
    return all.length === 0 ? undefined : Math.max(...all);
  }

  /** @throws BACKUP_UNREACHABLE when its history is not stored */
  historyOf(timeline: number): TimelineHistory {
    const text = this.#histories.get(timeline);
    if (text !== undefined) return parseHistory(timeline, text);
    if (timeline === 1) return { timeline, ancestors: [] };
    throw new HoldfastError('BACKUP_UNREACHABLE', `the history of timeline ${timeline} is not stored, so nobody knows where it begins`, {
      hint: `Stored are those of ${[1, ...this.#histories.keys()].join(', ')}: name one of them as the target's timeline.`,
    });
  }

  /** Timelines that can be read: those with a history, and the first. */
  get timelines(): number[] {
    return [1, ...this.#histories.keys()].toSorted((a, b) => a - b);
  }

  /** What the journal has said of time. */
  async marks({ signal }: { signal: AbortSignal }): Promise<JournalMarks> {
    return await readMarks(this.#from, { signal });
  }

  reach(from: WalPosition, timeline: number): Reach {
    return decideReach(this.#ranges, this.historyOf(timeline), from);
  }

  /**
   * A time by the server's clock, in ms since 1970, before which all that was committed lies before a position; of what is stored of its
   * timeline or its ancestors there, the newest that can be told.
   */
  async sentMs({ timeline, lsn }: WalPosition, { signal }: { signal: AbortSignal }): Promise<number | undefined> {
    const source = this.#sourceBefore(timeline, lsn);
    if (source === undefined) return undefined;
    // It may reach beyond: what was sent last of it tells too late a time.
    const before = source.range.end > lsn ? this.#sourceBefore(source.range.timeline, source.range.start) : undefined;
    return await this.#fresh(signal, () => this.#sentMsOf(before ?? source, signal));
  }

  #sourceBefore(timeline: number, lsn: bigint): Stored | undefined {
    const { ancestors } = this.#histories.has(timeline) ? this.historyOf(timeline) : { ancestors: [] };
    return this.#sourceAt(ancestors.find(({ end }) => lsn <= end)?.timeline ?? timeline, lsn - 1n);
  }

  async #sentMsOf({ range, isFolded }: Stored, signal: AbortSignal): Promise<number | undefined> {
    if (!isFolded) return (await this.#part(range, signal)).sentMs;
    return await this.#folded.sentMs(this.#foldedAt(range.timeline, range.start)!, this.#nameOf(range), signal);
  }

  /**
   * A file by its name, as recovery asks for it: a segment, always of full size, zeros after the end of what is stored, which recovery takes for the
   * end; or a timeline's history. Undefined when there is none.
   * @throws BACKUP_DAMAGED, BACKUP_UNREACHABLE when the middle of a segment is missing
   */
  async file(name: string, { signal }: { signal: AbortSignal }): Promise<Uint8Array | undefined> {
    const [, timeline] = /^([0-9A-F]{8})\.history$/.exec(name) ?? [];
    if (timeline !== undefined) {
      const text = this.#histories.get(Number.parseInt(timeline, 16));
      return text === undefined ? undefined : Buffer.from(text, 'utf8');
    }
    const segment = parseSegmentName(name, BigInt(this.#from.segmentBytes));
    return segment === undefined ? undefined : await this.#fresh(signal, () => this.#segment(segment, signal));
  }

  /** WAL of one timeline from `start` to `end`, byte for byte. @throws BACKUP_UNREACHABLE when any of it is not stored */
  async bytes({ timeline, start, end }: WalRange, { signal }: { signal: AbortSignal }): Promise<Uint8Array> {
    return await this.#fresh(signal, () => this.#put(this.#piecesOf({ timeline, lsn: start }, end), start, end, signal, true));
  }

  /** Once more with a new list, when something has moved since the last one. */
  async #fresh<T>(signal: AbortSignal, read: () => Promise<T>): Promise<T> {
    try {
      return await read();
    } catch (error) {
      if (!hasCode(error, 'STORAGE_NOT_FOUND') && !hasCode(error, 'BACKUP_BLOB_MISSING')) throw error;
      await this.refresh({ signal });
      return await read();
    }
  }

  async #segment(begin: WalPosition, signal: AbortSignal): Promise<Uint8Array | undefined> {
    if (begin.timeline !== 1 && !this.#histories.has(begin.timeline)) return undefined;
    const end = begin.lsn + BigInt(this.#from.segmentBytes);
    const pieces = this.#piecesOf(begin, end);
    if (!pieces.some(({ source }) => source?.range.timeline === begin.timeline)) return undefined;
    return await this.#put(pieces, begin.lsn, end, signal, false);
  }

  async #put(pieces: readonly Piece[], start: bigint, end: bigint, signal: AbortSignal, isWhole: boolean): Promise<Uint8Array> {
    if (isWhole && pieces.at(-1)?.end !== end) throw missing(pieces.at(-1)?.end ?? start, end, undefined);
    const bytes = new Uint8Array(Number(end - start));
    await mapAtOnce(pieces, partsReadAtOnceMax, async (piece) => {
      if (piece.source === undefined) return;
      const wal = await this.#wal(piece.source, signal);
      const from = piece.source.range.start;
      bytes.set(wal.subarray(Number(piece.start - from), Number(piece.end - from)), Number(piece.start - start));
    });
    return bytes;
  }

  /** What makes up the bytes from `begin` to `end` of a timeline, those before its beginning taken from its ancestors. */
  #piecesOf(begin: WalPosition, end: bigint): Piece[] {
    const { ancestors } = this.historyOf(begin.timeline);
    const pieces: Piece[] = [];
    let at = begin.lsn;
    while (at < end) {
      // A folded segment has what its ancestors wrote into it.
      const own = this.#foldedAt(begin.timeline, at) === undefined ? ancestors.find((ancestor) => at < ancestor.end) : undefined;
      const ownerEnd = own === undefined || own.end > end ? end : own.end;
      // The first segment of a timeline begins with what its ancestors wrote; of them, nothing may be stored before the journal began.
      const line = [
        ...ancestors.slice(own === undefined ? ancestors.length : ancestors.indexOf(own)).map(({ timeline }) => timeline),
        begin.timeline,
      ];
      const source = line
        .values()
        .map((timeline) => this.#sourceAt(timeline, at))
        .find((found) => found !== undefined);
      if (source === undefined) {
        this.#refuseHole(begin, at, end);
        break;
      }
      const until = source.range.end < ownerEnd ? source.range.end : ownerEnd;
      pieces.push({ source, start: at, end: until });
      at = until;
    }
    return pieces;
  }

  /** What stores a byte: rather the folded segment, which stays where it is; else the part that reaches furthest, so that few are read. */
  #sourceAt(timeline: number, lsn: bigint): Stored | undefined {
    if (this.#foldedAt(timeline, lsn) !== undefined) {
      const start = lsn - (lsn % BigInt(this.#from.segmentBytes));
      return { range: { timeline, start, end: start + BigInt(this.#from.segmentBytes) }, isFolded: true };
    }
    let best: WalRange | undefined;
    for (const range of this.#stored.parts) {
      if (range.timeline !== timeline || range.start > lsn || range.end <= lsn) continue;
      if (best === undefined || range.end > best.end) best = range;
    }
    return best === undefined ? undefined : { range: best, isFolded: false };
  }

  #foldedAt(timeline: number, lsn: bigint): StoredWal['folded'][number] | undefined {
    return this.#stored.folded.find(({ facts: { range } }) => range.timeline === timeline && range.start <= lsn && lsn < range.end);
  }

  /** Zeros in the middle would end the recovery quietly, before what is stored behind them. */
  #refuseHole(begin: WalPosition, at: bigint, end: bigint): void {
    const behind = this.#ranges.find(({ timeline, start }) => timeline === begin.timeline && start > at && start < end);
    if (behind === undefined || at === begin.lsn) return;
    throw missing(at, behind.start, begin.timeline);
  }

  async #wal({ range, isFolded }: Stored, signal: AbortSignal): Promise<Uint8Array> {
    if (!isFolded) return (await this.#part(range, signal)).wal;
    return await this.#folded.file(this.#foldedAt(range.timeline, range.start)!, this.#nameOf(range), signal);
  }

  #nameOf({ timeline, start }: WalRange): string {
    return segmentName(timeline, start, BigInt(this.#from.segmentBytes));
  }

  #part(range: WalRange, signal: AbortSignal): Promise<JournalPart> {
    const { repository, service, systemId } = this.#from;
    const key = partKey(service, systemId, range);
    const known = this.#decoded.get(key);
    if (known !== undefined) return known;
    const part = repository.location
      .get(key, { signal })
      .then((sealed) => decodePart(sealed, { service, systemId, range, key }, repository.parts.files.key));
    this.#decoded.set(key, part);
    part.catch(() => this.#decoded.delete(key));
    for (const [oldest] of this.#decoded) {
      if (this.#decoded.size <= decodedPartsMax) break;
      this.#decoded.delete(oldest);
    }
    return part;
  }
}

function missing(from: bigint, to: bigint, timeline: number | undefined): HoldfastError {
  const where = timeline === undefined ? '' : ` of timeline ${timeline}`;
  return new HoldfastError('BACKUP_UNREACHABLE', `WAL from ${formatLsn(from)} to ${formatLsn(to)}${where} is not stored`, {
    hint: 'A point before it can be reached, or one after a later base backup.',
  });
}
